//! Performing what was decided, in bounded tasks whose results come back as inputs.

use std::sync::Arc;

use crate::domain::RunId;
use crate::machine::{Effect, Event, Subject};
use crate::platform::Platform;

use super::dispatcher::Dispatcher;
use super::input::Answer;
use super::live::Live;
use super::probe::{Target, Traced};
use super::spans::{self, Call, Probed};
use super::start::drill_answer;

impl Dispatcher {
    pub(super) fn perform(&mut self, run: &RunId) {
        let Some(live) = self.runs.get_mut(run) else { return };
        let effects = std::mem::take(&mut live.effects);
        if self.stop.is_cancelled() {
            return;
        }
        for effect in effects {
            self.perform_one(run, effect);
        }
    }

    pub(super) fn perform_one(&self, run: &RunId, effect: Effect) {
        let Some(live) = self.runs.get(run) else { return };
        let (performer, reply, id) = (self.performer.clone(), self.reply(run, live), run.clone());
        match effect {
            Effect::Identify { seq } => {
                let (platform, heard) = (live.state.platform.clone(), live.state.heard.clone());
                let call = Call::begin(&performer, live, seq, "identify");
                self.tasks.spawn(async move {
                    let answer = performer
                        .identify(&platform, &heard)
                        .await
                        .map(|(d, w)| (Box::new(d), w));
                    if let Some(call) = call {
                        call.end(|span| spans::answered(span, &answer));
                    }
                    reply.send(Answer::Identified { seq, answer });
                });
            }
            Effect::Probe { seq, place, subject } => self.probe(live, id, seq, place, subject),
            Effect::Look { seq, controls } => {
                let Some(deployment) = live.state.deployment.clone() else {
                    return;
                };
                let purpose = live.state.look.as_ref().map(|look| look.purpose);
                let call = Call::begin(&performer, live, seq, spans::look_name(purpose));
                self.tasks.spawn(async move {
                    let answer = performer.look(&deployment, controls).await.map(Box::new);
                    if let Some(call) = call {
                        call.end(|span| spans::answered(span, &answer));
                    }
                    reply.send(Answer::Result(Event::Looked { seq, answer }));
                });
            }
            Effect::RollBack { seq, bad, target } => {
                let Some(deployment) = live.state.deployment.clone() else {
                    return;
                };
                let held_until = live.held_until;
                tracing::warn!(run.id = %id, from = %bad, to = %target, "rolling back");
                let call = Call::begin(&performer, live, seq, "roll back");
                self.calls.spawn(async move {
                    let answer = performer.roll_back(&deployment, &bad, &target, held_until).await;
                    if let Some(call) = call {
                        call.end(|span| spans::called(span, &answer));
                    }
                    reply.send(Answer::Result(Event::Called { seq, answer }));
                });
            }
        }
    }

    pub(super) fn probe(&self, live: &Live, run: RunId, seq: u32, place: crate::machine::Place, subject: Subject) {
        if live.state.drill {
            let seen = Box::new(drill_answer(place, &live.state));
            let event = Event::Probed { seq, place, seen };
            self.reply(&run, live).send(Answer::Result(event));
            return;
        }
        let deployment = match subject {
            Subject::Deployment => live.state.deployment.clone(),
            Subject::Restored => live.state.restored.clone(),
            Subject::LastGood => live.state.last_good.as_ref().map(|looked| looked.deployment.clone()),
        };
        let Some(deployment) = deployment else { return };
        let tracer = self.performer.tracer.clone();
        let traced = tracer.is_on().then(|| {
            Traced::new(
                run.clone(),
                spans::parent(&live.state),
                (live.fence, seq),
                self.clock.clone(),
            )
        });
        let target = Target {
            deployment,
            run: run.clone(),
            kept: live.kept.clone(),
            at_own_address: subject == Subject::LastGood,
            traced: traced.clone(),
        };
        let (prober, plan, reply, metrics) = (
            self.prober.clone(),
            Arc::clone(&live.plan),
            self.reply(&run, live),
            self.metrics.clone(),
        );
        let platform = self.performer.platform(&live.state.platform).ok();
        self.tasks.spawn(async move {
            let file = platform.as_deref().map(Platform::file);
            let start = tracer.now();
            let looked = prober.look(&plan, place, &target, file).await;
            if let Some(traced) = &traced {
                let about = Probed {
                    check: plan.name(place),
                    subject,
                    times: (start, tracer.now()),
                };
                tracer.take(about.spans(traced, &looked));
            }
            let seen = looked.observation;
            metrics.probe(seen.class);
            let event = Event::Probed {
                seq,
                place,
                seen: Box::new(seen),
            };
            reply.send(Answer::Result(event));
        });
    }
}
