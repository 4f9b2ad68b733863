//! Runs that no delivery starts: a person judges what is live now or drills, or a delivery was missed.

use std::sync::Arc;

use super::dispatcher::Dispatcher;
use super::handle::{StartRunError, Started};
use super::live::Live;
use super::plan::RunPlan;
use crate::domain::{
    CheckName, Class, Commit, Deployment, Heard, HeardEvent, Identity, Observation, Reason, RunId, Severity, Timing,
};
use crate::machine::{Began, CheckPlan, DRILL, Event, Place, RunState};
use crate::platform::Urgency;

impl Dispatcher {
    /// Begins a run of what is live now of `app`; `environment` is needed where it has more than one.
    pub(super) async fn start(
        &mut self,
        app: &str,
        environment: Option<&str>,
        drill: bool,
    ) -> Result<Started, StartRunError> {
        let known = self
            .performer
            .store
            .places_of(app)
            .await
            .map_err(|_| StartRunError::Store)?;
        let mut places = known
            .into_iter()
            .filter(|place| environment.is_none_or(|name| name == place.environment));
        let place = match (places.next(), places.next()) {
            (None, _) => return Err(StartRunError::Unknown(app.to_owned())),
            (Some(_), Some(_)) => return Err(StartRunError::Ambiguous(app.to_owned())),
            (Some(place), None) => place,
        };
        let asked = self.performer.live_at(&place, Urgency::Run).await;
        let live = asked.map_err(StartRunError::Platform)?;
        let live = live.ok_or_else(|| StartRunError::Platform("nothing is".to_owned()))?;
        let under_way = self
            .runs
            .iter()
            .find(|(_, other)| other.state.platform == place.key.platform && other.state.heard.deployment == live.id);
        if let Some((run, _)) = under_way {
            return Err(StartRunError::UnderWay(run.clone()));
        }
        Ok(Started {
            deployment: live.id.clone(),
            run: self.begin_late(&live, Began::ByHand, drill),
        })
    }

    /// Begins a run of a deployment that no delivery told of, unless one did in the meantime.
    pub(super) async fn missed(&mut self, live: &Deployment) {
        let is_its =
            |other: &Live| other.state.platform == live.key.platform && other.state.heard.deployment == live.id;
        if self.runs.values().any(is_its) {
            return;
        }
        match self.performer.store.knows(live).await {
            Ok(false) => drop(self.begin_late(live, Began::Missed, false)),
            Ok(true) => {}
            Err(error) => tracing::warn!(error = %error, "a missed deployment could not be looked up; later again"),
        }
    }

    fn begin_late(&mut self, live: &Deployment, began: Began, drill: bool) -> RunId {
        let now = self.clock.now();
        let run = RunId::new(self.ids.next("run", now));
        let heard = Heard {
            event: HeardEvent::Live,
            deployment: live.id.clone(),
            project: Some(live.key.project.clone()),
            app: Some(live.app.clone()),
            environment: Some(live.environment.clone()),
            commit: Commit::default(),
            url: None,
            triggered_by: match (began, drill) {
                (_, true) => Some("a drill".to_owned()),
                (Began::ByHand, _) => Some("a person".to_owned()),
                (Began::Missed | Began::Heard, _) => None,
            },
        };
        tracing::info!(run.id = %run, deployment = %live.id, ?began, drill, "a run begins without a delivery");
        let mut state = RunState::new(run.clone(), live.key.platform.clone(), heard, self.ids.seed(), now);
        state.began = began;
        state.drill = drill;
        let plan = Arc::new(RunPlan::unconfirmed(self.performer.config.load_full()));
        self.runs.insert(run.clone(), Live::new(state, plan, now));
        self.turn(&run, Event::Began);
        run
    }
}

/// The plan of a drill: one check of its own, by the app's own budget and limits.
pub(super) fn drill_plan(mut plan: RunPlan) -> RunPlan {
    plan.plan.checks = vec![CheckPlan {
        name: CheckName::new(DRILL),
        severity: Severity::Critical,
        repeatable: true,
        needs: Vec::new(),
        elsewhere: false,
        time_bounds: Vec::new(),
        form: DRILL.to_owned(),
    }];
    plan.plan.gate_any_answer = true;
    plan.checks.clear();
    plan
}

/// What a drill's probe sees, without asking anybody: the gate opens, the check passes once, then it fails.
pub(super) fn drill_answer(place: Place, state: &RunState) -> Observation {
    let seen = state
        .judge
        .as_ref()
        .and_then(|judge| judge.track(place))
        .map_or(0, |track| track.probes);
    let fails = place != Place::Gate && seen > 0;
    let (class, reason, detail) = match fails {
        false => (Class::Pass, Reason::Ok, "the drill's check passes"),
        true => (
            Class::Broken,
            Reason::Status,
            "the drill's check fails, as it is meant to",
        ),
    };
    Observation {
        class,
        reason,
        identity: Identity::Unknown,
        app_made: fails,
        warned: false,
        latency_ms: 0,
        timing: Timing::default(),
        http_version: None,
        status: None,
        address: None,
        detail: detail.to_owned(),
        body: None,
    }
}
