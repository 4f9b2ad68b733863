//! Well-known policies, as probes of one address: what they do by their defaults, on the same worlds.
//!
//! Each was written for its own place (pods, requests, tasks), so this is a likeness: one probe of every check each
//! `every_s`, which fails if any of them does. None of them knows versions or pages, so what answers 200 passes.

use super::play::{End, Played};
use super::scenario::Look;
use super::world::World;

/// A policy: when it looks, and by what it decides.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Whose it is, with the settings that matter.
    pub name: &'static str,
    /// Where those settings stand.
    pub source: &'static str,
    first_s: u64,
    every_s: u64,
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Passes at the first good answers in a row; fails if there were none in time.
    Ready { in_row: u32, within_s: u64 },
    /// Fails at more than `limit` failures in `count` looks.
    Count { limit: u32, count: u32 },
    /// Fails at so many failures in a row in `count` looks.
    InRow { fails: u32, count: u32 },
    /// Fails when `fails` of the last `of` looks failed, in `count` looks.
    Window { fails: u32, of: usize, count: u32 },
    /// Wald's sequential test of `good` against `bad` failure shares, from the first good answer on if `anchored`, for
    /// which it waits until `within_s`.
    Sequential { anchored: bool, within_s: u64 },
}

/// The policies.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "sleep 15, three requests, more than one bad",
        source: "a script of many pipelines",
        first_s: 15,
        every_s: 1,
        rule: Rule::Count { limit: 1, count: 3 },
    },
    Peer {
        name: "Kamal: first 200 within 30 s",
        source: "kamal-proxy's deploy timeout",
        first_s: 0,
        every_s: 1,
        rule: Rule::Ready {
            in_row: 1,
            within_s: 30,
        },
    },
    Peer {
        name: "Railway: first 200 within 300 s",
        source: "Railway's health check timeout",
        first_s: 0,
        every_s: 5,
        rule: Rule::Ready {
            in_row: 1,
            within_s: 300,
        },
    },
    Peer {
        name: "Nomad: 10 s healthy within 5 min",
        source: "`min_healthy_time`, `healthy_deadline`",
        first_s: 0,
        every_s: 10,
        rule: Rule::Ready {
            in_row: 2,
            within_s: 300,
        },
    },
    Peer {
        name: "Kubernetes: 3 failures in a row, every 10 s, for 10 min",
        source: "liveness probe and progress deadline",
        first_s: 0,
        every_s: 10,
        rule: Rule::InRow { fails: 3, count: 60 },
    },
    Peer {
        name: "Argo Rollouts: failureLimit 0 in 5 looks",
        source: "`failureLimit`, a minute apart",
        first_s: 0,
        every_s: 60,
        rule: Rule::Count { limit: 0, count: 5 },
    },
    Peer {
        name: "Flagger: threshold 5 in 10 looks",
        source: "`threshold`, `iterations`, a minute apart",
        first_s: 60,
        every_s: 60,
        rule: Rule::Count { limit: 4, count: 10 },
    },
    Peer {
        name: "Vercel: 3 of 5, every minute",
        source: "`failureThreshold` of `windowSize`",
        first_s: 60,
        every_s: 60,
        rule: Rule::Window {
            fails: 3,
            of: 5,
            count: 10,
        },
    },
    Peer {
        name: "sequential test .03/.5 after 60 s",
        source: "Wald 1945, alpha 1e-3, beta 1e-2",
        first_s: 60,
        every_s: 2,
        rule: Rule::Sequential {
            anchored: false,
            within_s: 300,
        },
    },
    Peer {
        name: "sequential test from the first good answer on",
        source: "the same, anchored, for at most 300 s",
        first_s: 0,
        every_s: 2,
        rule: Rule::Sequential {
            anchored: true,
            within_s: 300,
        },
    },
];

/// What a failure and a pass say for the bad share against the good one, and where that decides.
const FAILURE_SAYS: f64 = 2.813_4;
const PASS_SAYS: f64 = -0.662_6;
const ROLL_BACK_AT: f64 = 6.897_7;
const ACCEPT_AT: f64 = -4.604_2;

impl Peer {
    /// Lets it judge `world`, which has so many checks.
    pub fn play(&self, world: &mut World<'_>, checks: usize) -> Played {
        let mut looks = Looks::default();
        let mut at_s = self.first_s;
        loop {
            let failed = (0..checks).filter(|route| fails(world, *route, at_s)).count() > 0;
            if let Some(end) = self.rule.decide(&mut looks, failed, at_s) {
                let after_ms = at_s * 1_000;
                let passed_ms = (end == End::Healthy).then_some(after_ms);
                return Played {
                    end,
                    after_ms,
                    passed_ms,
                };
            }
            at_s += self.every_s;
        }
    }
}

fn fails(world: &mut World<'_>, route: usize, at_s: u64) -> bool {
    match world.look(Some(route), at_s * 1_000) {
        None | Some(Look::Console | Look::OldVersion | Look::Slow | Look::Wrong) => false,
        Some(Look::Refused | Look::BadGateway | Look::Unavailable | Look::Hanging | Look::Broken | Look::Unknown) => {
            true
        }
    }
}

/// What was seen so far.
#[derive(Default)]
struct Looks {
    failed: Vec<bool>,
    in_row: u32,
    evidence: f64,
    anchored: bool,
}

impl Rule {
    fn decide(self, looks: &mut Looks, failed: bool, at_s: u64) -> Option<End> {
        looks.failed.push(failed);
        let count_of =
            |failures: &[bool]| u32::try_from(failures.iter().filter(|failed| **failed).count()).unwrap_or(u32::MAX);
        let seen = u32::try_from(looks.failed.len()).unwrap_or(u32::MAX);
        let over = |count: u32| (seen >= count).then_some(End::Healthy);
        match self {
            Self::Ready { in_row, within_s } => {
                looks.in_row = if failed { 0 } else { looks.in_row + 1 };
                let late = (at_s >= within_s).then_some(End::RolledBack);
                (looks.in_row >= in_row).then_some(End::Healthy).or(late)
            }
            Self::Count { limit, count } => (count_of(&looks.failed) > limit)
                .then_some(End::RolledBack)
                .or(over(count)),
            Self::InRow { fails, count } => {
                looks.in_row = if failed { looks.in_row + 1 } else { 0 };
                (looks.in_row >= fails).then_some(End::RolledBack).or(over(count))
            }
            Self::Window { fails, of, count } => {
                let recent = &looks.failed[looks.failed.len().saturating_sub(of)..];
                (count_of(recent) >= fails).then_some(End::RolledBack).or(over(count))
            }
            Self::Sequential { anchored, within_s } => {
                looks.anchored |= !anchored || !failed;
                if !looks.anchored {
                    return (at_s >= within_s).then_some(End::RolledBack);
                }
                looks.evidence += if failed { FAILURE_SAYS } else { PASS_SAYS };
                let bad = (looks.evidence >= ROLL_BACK_AT).then_some(End::RolledBack);
                bad.or((looks.evidence <= ACCEPT_AT).then_some(End::Healthy))
            }
        }
    }
}
