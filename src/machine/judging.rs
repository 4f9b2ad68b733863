//! Judging: what probes saw, and what follows from it.

use super::advance::Turn;
use super::event::{Entry, EntryKind, Facts, Place, ProbeEntry, Record, Subject};
use super::guard::WARM_UP;
use super::judge::{Conclusion, Judge};
use super::state::{LookFor, Phase};
use crate::domain::{CheckName, Deployment, Observation, OutcomeEvent, TimesBefore, Verdict};

impl Turn<'_> {
    pub(super) fn probed(&mut self, seq: u32, place: Place, seen: &Observation) {
        if self.last_good_probed(seq, place, seen) {
            return;
        }
        let jitter = self.jitter(seq);
        let (plan, now) = (self.plan, self.now);
        let Some((judge, subject)) = self.judge_mut() else {
            return;
        };
        if judge.track(place).is_none_or(|track| track.in_flight != Some(seq)) {
            return;
        }
        let was_open = judge.gate_opened_at.is_some();
        let Some(moved) = judge.take(plan, place, seen, jitter, now) else {
            return;
        };
        let opened = !was_open && judge.gate_opened_at.is_some();
        let passed_in_full = judge
            .track(place)
            .is_some_and(|track| track.passes_in_row == plan.passes);
        let budget_max = judge.track(place).map_or(0, |track| track.budget_max);
        let entry = ProbeEntry {
            check: self.name_of(place),
            seen: seen.clone(),
            budget_from: moved.from,
            budget_to: moved.to,
            budget_max,
            subject,
        };
        let text = format!("{}: {}", entry.check, seen.detail);
        self.journal.push(Entry {
            at: now,
            kind: EntryKind::Probe,
            text,
            probe: Some(Box::new(entry)),
        });
        if opened {
            self.opened(subject);
        }
        if passed_in_full && subject == Subject::Deployment && place != Place::Gate {
            self.remember_pass(place);
        }
    }

    /// The judging under way, and of which version.
    pub(super) fn judge_mut(&mut self) -> Option<(&mut Judge, Subject)> {
        match self.state.phase {
            Phase::Judging | Phase::Guarding | Phase::Awaiting | Phase::Calling => {
                self.state.judge.as_mut().map(|judge| (judge, Subject::Deployment))
            }
            Phase::Verifying => self.state.verify.as_mut().map(|judge| (judge, Subject::Restored)),
            Phase::Confirming | Phase::Settling | Phase::Done => None,
        }
    }

    pub(super) fn opened(&mut self, subject: Subject) {
        let judge = if subject == Subject::Restored {
            &self.state.verify
        } else {
            &self.state.judge
        };
        let ms = judge.as_ref().and_then(Judge::warm_up_ms).unwrap_or(0);
        self.note(
            EntryKind::Note,
            format!("warm-up ended after {:.1} s; the checks begin", ms as f64 / 1_000.0),
        );
        self.commit_now = true;
    }

    /// The check is known to be right: in its present form it passed in full on this app and environment.
    pub(super) fn remember_pass(&mut self, place: Place) {
        let key = self
            .state
            .deployment
            .as_ref()
            .filter(|_| !self.state.drill)
            .map(|d| d.key.clone());
        let Some(key) = key else { return };
        let (check, form) = match place {
            Place::Gate => (CheckName::new(WARM_UP), self.plan.gate_form.clone()),
            Place::Check(index) => match self.plan.checks.get(index) {
                Some(check) => (check.name.clone(), check.form.clone()),
                None => return,
            },
        };
        self.record(Record::CheckPassed {
            key,
            check,
            form,
            at: self.now,
        });
    }

    pub(super) fn proceed_judging(&mut self) {
        let Some(judge) = &self.state.judge else { return };
        let suspect = if self.state.suspect_said {
            None
        } else {
            judge.suspect(self.plan, self.now)
        };
        match judge.conclusion(self.plan, self.now) {
            None => {
                if let Some(reason) = suspect {
                    self.state.suspect_said = true;
                    self.say(OutcomeEvent::SmokeTestSuspect, &reason, false);
                }
            }
            Some(Conclusion::Unhealthy { reason, failing }) => self.conclude_unhealthy(reason, failing),
            Some(Conclusion::Inconclusive { reason }) => self.conclude_inconclusive(reason),
            Some(Conclusion::Passed { .. }) if self.state.look.is_none() => self.ask(LookFor::Pass),
            Some(Conclusion::Watched) if self.state.look.is_none() => self.ask(LookFor::WatchEnd),
            Some(Conclusion::Passed { .. } | Conclusion::Watched) => {}
        }
    }

    pub(super) fn conclude_unhealthy(&mut self, reason: String, failing: Vec<Place>) {
        // A drill's verdict is about nothing.
        self.state.verdict = (!self.state.drill).then_some(Verdict::Unhealthy);
        self.state.reason = Some(reason.clone());
        self.state.failing = failing;
        self.note(EntryKind::Verdict, format!("unhealthy: {reason}"));
        self.state.phase = Phase::Guarding;
        self.ask(LookFor::Guard);
    }

    /// Takes in what else has failed by now. Observations of one moment come in any order, and what follows from them
    /// must not depend on it.
    pub(super) fn gather_failing(&mut self) {
        let Some(judge) = &self.state.judge else { return };
        if let Some(Conclusion::Unhealthy { reason, failing }) = judge.conclusion(self.plan, self.now)
            && self.state.failing.iter().all(|place| failing.contains(place))
        {
            self.state.failing = failing;
            self.state.reason = Some(reason);
        }
    }

    pub(super) fn conclude_inconclusive(&mut self, reason: String) {
        self.state.verdict = Some(Verdict::Inconclusive);
        self.note(EntryKind::Verdict, format!("inconclusive: {reason}"));
        self.say(OutcomeEvent::SmokeTestInconclusive, &reason, false);
        self.end("none", reason);
    }

    pub(super) fn passed(&mut self, facts: &Facts) {
        let Some(judge) = &mut self.state.judge else { return };
        let Some(Conclusion::Passed { but }) = judge.conclusion(self.plan, self.now) else {
            return;
        };
        let slower = judge.slower(self.plan, &facts.known.times);
        let but = match (but, slower) {
            (Some(but), Some(slower)) => Some(format!("{but}; {slower}")),
            (but, slower) => but.or(slower),
        };
        judge.begin_watch(self.now);
        let (warm_up_ms, checks) = (judge.warm_up_ms(), judge.checks.len());
        let took_s = self.now.ms_since(self.state.started_at) / 1_000;
        let (event, verdict, reason) = match but {
            None => {
                let reason = format!("{checks} checks passed {took_s} s after it went live; the watch begins");
                (OutcomeEvent::SmokeTestPassed, Verdict::Healthy, reason)
            }
            Some(but) => (OutcomeEvent::SmokeTestDegraded, Verdict::Degraded, but),
        };
        self.state.verdict = Some(verdict);
        self.state.reason = Some(reason.clone());
        self.note(EntryKind::Verdict, format!("{}: {reason}", verdict.as_str()));
        // One that has been live for a while is warm: that says nothing about how long a start takes.
        let key = self
            .state
            .deployment
            .as_ref()
            .map(|d| d.key.clone())
            .filter(|_| !self.state.began.late());
        if let (Some(key), Some(ms)) = (key, warm_up_ms) {
            self.record(Record::WarmUp { key, ms, at: self.now });
        }
        self.remember_pass(Place::Gate);
        self.say(event, &reason, false);
    }

    /// Remembers how long the checks took, for later deployments to be compared with.
    fn record_times(&mut self, deployment: &Deployment) {
        let Some(judge) = &self.state.judge else { return };
        let judged = self.plan.checks.iter().zip(&judge.checks);
        let times = judged.map(|(check, track)| TimesBefore {
            check: check.name.clone(),
            form: check.form.clone(),
            times_ms: track.times.as_slice().to_vec(),
        });
        for times in times.filter(|times| !times.times_ms.is_empty()).collect::<Vec<_>>() {
            self.record(Record::Times {
                key: deployment.key.clone(),
                deployment: deployment.id.clone(),
                times,
                at: self.now,
            });
        }
    }

    pub(super) fn watched(&mut self) {
        let (Some(judge), Some(deployment)) = (&self.state.judge, self.state.deployment.clone()) else {
            return;
        };
        // A check may have begun to fail since the platform was asked.
        if judge.conclusion(self.plan, self.now) != Some(Conclusion::Watched) {
            return;
        }
        self.record_times(&deployment);
        let record = Record::KnownGood {
            key: deployment.key,
            deployment: deployment.id.clone(),
            commit_sha: deployment.commit.sha,
            at: self.now,
        };
        self.record(record);
        self.note(
            EntryKind::Note,
            format!("the watch ended well: {} is known good", deployment.id),
        );
        let reason = self.state.reason.clone().unwrap_or_default();
        self.end("none", reason);
    }
}
