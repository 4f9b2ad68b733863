//! What each kind of outcome is called, how loud it is, and what a person is to do about it: one row each.

use crate::domain::OutcomeEvent;

/// How loud a message is; its colour and sign in chat formats follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something went on as it should.
    Info,
    /// Something ended well.
    Good,
    /// Somebody should look, in their own time.
    Warning,
    /// Users are or may be hurt.
    Critical,
}

impl Severity {
    /// Red, green and blue, a byte each; all are legible on light and dark.
    pub(super) const fn colour(self) -> u32 {
        match self {
            Self::Info => 0x4A_6F_A5,
            Self::Good => 0x2E_8B_57,
            Self::Warning => 0xD9_8E_04,
            Self::Critical => 0xC6_28_28,
        }
    }

    /// How grave it is, below what wakes somebody.
    pub(super) const fn gravity(self) -> u32 {
        match self {
            Self::Info | Self::Good => 0,
            Self::Warning => 1,
            Self::Critical => 2,
        }
    }

    /// Its word in templates.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// A sign before the title, so that colour is not the only thing that tells.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Info => "ℹ️",
            Self::Good => "✅",
            Self::Warning => "⚠️",
            Self::Critical => "🛑",
        }
    }
}

/// In place of [`Severity::sign`] where a person is wanted now.
pub(super) const PAGE_SIGN: &str = "🚨";

/// One row of the table.
#[derive(Debug)]
pub(super) struct Words {
    /// Whose words these are.
    pub(super) event: OutcomeEvent,
    /// How loud it is.
    pub(super) severity: Severity,
    /// What happened; `: APP in ENVIRONMENT` follows it.
    pub(super) title: &'static str,
    /// What a person is to do now.
    pub(super) next: &'static str,
}

/// The row of `event`.
pub(super) fn of(event: OutcomeEvent) -> &'static Words {
    TABLE.iter().find(|words| words.event == event).unwrap_or(&UNLISTED)
}

/// Never shown: a test holds the table to one row per event.
static UNLISTED: Words = Words {
    event: OutcomeEvent::SmokeTestStarted,
    severity: Severity::Warning,
    title: "Something happened",
    next: "Open the run to see what.",
};

#[rustfmt::skip]
pub(super) static TABLE: &[Words] = &[
    Words {
        event: OutcomeEvent::SmokeTestStarted, severity: Severity::Info,
        title: "Smoke test started",
        next: "Nothing; the verdict follows.",
    },
    Words {
        event: OutcomeEvent::SmokeTestPassed, severity: Severity::Good,
        title: "Smoke test passed",
        next: "Nothing; a late failure is still noticed while the watch lasts.",
    },
    Words {
        event: OutcomeEvent::SmokeTestDegraded, severity: Severity::Warning,
        title: "Smoke test passed, with warnings",
        next: "Look at the warnings when you can; nothing will be rolled back for them.",
    },
    Words {
        event: OutcomeEvent::SmokeTestSuspect, severity: Severity::Warning,
        title: "Failing, not yet decided",
        next: "Get ready to look: the verdict follows, and nothing was rolled back so far.",
    },
    Words {
        event: OutcomeEvent::SmokeTestFailed, severity: Severity::Critical,
        title: "Smoke test failed",
        next: "Find out what broke in this deployment; what becomes of it is told separately.",
    },
    Words {
        event: OutcomeEvent::SmokeTestInconclusive, severity: Severity::Warning,
        title: "Smoke test inconclusive",
        next: "Look at the deployment yourself: nobody knows whether it is good, and it stays live.",
    },
    Words {
        event: OutcomeEvent::RollbackStarted, severity: Severity::Warning,
        title: "Rolling back",
        next: "Do not deploy until the rollback has ended; its result follows.",
    },
    Words {
        event: OutcomeEvent::RollbackSucceeded, severity: Severity::Good,
        title: "Rolled back, and the restored version works",
        next: "Fix what broke before this commit is deployed again.",
    },
    Words {
        event: OutcomeEvent::RollbackUnconfirmed, severity: Severity::Critical,
        title: "Rollback not confirmed",
        next: "Look now which version is live and whether it works; finish the rollback by hand if it is the bad one.",
    },
    Words {
        event: OutcomeEvent::RollbackFailed, severity: Severity::Critical,
        title: "Rollback failed",
        next: "Act now: what is live is bad. Restore a good version by hand, or fix forward.",
    },
    Words {
        event: OutcomeEvent::RollbackWithheld, severity: Severity::Critical,
        title: "Bad deployment left live",
        next: "Decide now: roll back by hand, or fix forward. It will not be rolled back by itself.",
    },
    Words {
        event: OutcomeEvent::ApprovalRequested, severity: Severity::Critical,
        title: "Roll back? A person is asked",
        next: "Open the link, look, and approve; or let it be, and it stays live.",
    },
    Words {
        event: OutcomeEvent::RunSuperseded, severity: Severity::Info,
        title: "Smoke test ended early",
        next: "Nothing, unless you expected a verdict on this deployment.",
    },
    Words {
        event: OutcomeEvent::DeliveryMissed, severity: Severity::Warning,
        title: "A webhook did not arrive as it should",
        next: "See that the platform can reach Backstop and that both clocks are right; what is live is judged all the same.",
    },
    Words {
        event: OutcomeEvent::EndpointFailing, severity: Severity::Warning,
        title: "An outcome endpoint keeps failing",
        next: "Check the endpoint's address, secret and logs, then replay what it missed.",
    },
    Words {
        event: OutcomeEvent::EndpointTest, severity: Severity::Info,
        title: "This is a test",
        next: "Nothing; somebody asked whether messages come through.",
    },
    Words {
        event: OutcomeEvent::ProtectionLost, severity: Severity::Critical,
        title: "A bad deployment could not be rolled back now",
        next: "Mend what the reason says; until then, roll back by hand.",
    },
    Words {
        event: OutcomeEvent::ProtectionRestored, severity: Severity::Good,
        title: "Bad deployments can be rolled back again",
        next: "Look at what went live meanwhile.",
    },
];
