//! One step: rendered, sent, assessed, and asked again where it polls.

use std::time::Duration;

use url::Url;

use super::{Probe, unsendable};
use crate::check::{self, Seen, Unanswered};
use crate::domain::{Class, Observation, Reason};
use crate::http::{Failure, Trust};
use crate::step::{self, Login, Poll, Redactor, Request, Response, Step, Value};

/// After standing still for so long while an answer was awaited, nothing is said of the app.
const STOOD_STILL_MIN: Duration = Duration::from_secs(2);

/// What came of one request.
pub(super) struct Exchanged {
    pub(super) seen: Seen,
    pub(super) response: Option<Response>,
    /// The request, if it could be made.
    pub(super) request: Option<Request>,
    pub(super) trust: Trust,
}

impl Probe<'_> {
    /// Sends a step, until its expectation holds if it polls, and keeps what it captures.
    pub(super) async fn step(&mut self, step: &Step) -> Observation {
        let mut exchanged = self.exchange(step).await;
        if let Some(poll) = &step.poll {
            exchanged = self.poll(step, poll, exchanged).await;
        }
        let Exchanged {
            seen,
            response,
            request,
            trust,
        } = exchanged;
        let mut observation = seen.observation;
        if let (Some(response), Some(request)) = (&response, &request) {
            observation = self.load_assets(step, response, request, trust, observation).await;
        }
        if matches!(observation.class, Class::Pass | Class::Slow) {
            self.keep(seen.captured);
        }
        let curl = (observation.class != Class::Pass).then(|| self.curl(step)).flatten();
        self.note(step, &observation, curl);
        observation
    }

    /// Asks again until the expectation holds, the time is over, or the answer says that it never will.
    async fn poll(&mut self, step: &Step, poll: &Poll, first: Exchanged) -> Exchanged {
        let mut last = first;
        let mut spent = Duration::ZERO;
        let mut asked = 1_u32;
        loop {
            let observation = &mut last.seen.observation;
            if matches!(observation.class, Class::Pass | Class::Slow) {
                return last;
            }
            if let (Some(stop), Some(response)) = (&poll.stop, &last.response)
                && step::holds(stop, step, response, &self.values)
            {
                observation.detail = format!("{} (it says that this will not change)", observation.detail);
                return last;
            }
            spent += poll.every + Duration::from_millis(observation.latency_ms.into());
            if spent > poll.limit {
                let seconds = poll.limit.as_secs_f64();
                observation.detail = format!("{} (still, after {asked} requests in {seconds} s)", observation.detail);
                return last;
            }
            tokio::time::sleep(poll.every).await;
            last = self.exchange(step).await;
            asked += 1;
        }
    }

    /// Sends a step once. With a token of its own it is sent once more if an old token is refused.
    pub(super) async fn exchange(&mut self, step: &Step) -> Exchanged {
        let Some(login) = &step.send.login else {
            return self.send(step).await;
        };
        let had_token = self.values.get(&login.slot).is_some();
        if let Err(refused) = self.log_in(login).await {
            return refused;
        }
        let exchanged = self.send(step).await;
        let refused = exchanged.seen.observation.status == Some(401);
        if !refused || !had_token {
            return exchanged;
        }
        self.target.kept.forget(&login.slot);
        self.values.insert(login.slot.as_str(), serde_json::Value::Null, true);
        match self.log_in(login).await {
            Ok(()) => self.send(step).await,
            Err(refused) => refused,
        }
    }

    /// Gets a token, unless there is one. That another origin gives none says nothing about the deployment.
    async fn log_in(&mut self, login: &Login) -> Result<(), Exchanged> {
        if self.values.get(&login.slot).is_some() {
            return Ok(());
        }
        let mut exchanged = self.send(&login.step).await;
        let token = exchanged.seen.captured.pop().map(|(_, value)| value);
        if let (Class::Pass, Some(token)) = (exchanged.seen.observation.class, token) {
            self.values.extend([(login.slot.clone(), token.clone())]);
            self.target.kept.keep([(login.slot.clone(), token)]);
            return Ok(());
        }
        let observation = &mut exchanged.seen.observation;
        observation.detail = format!("no token: {}", observation.detail);
        if login.step.send.target.is_absolute() {
            observation.class = Class::Unknown;
        }
        Err(exchanged)
    }

    /// Sends a step as it is.
    async fn send(&mut self, step: &Step) -> Exchanged {
        let redactor = Redactor::of(&self.values);
        let base = self.base();
        let trust = self.trust(step);
        let unsent = |observation: Observation| Exchanged {
            seen: Seen {
                observation,
                captured: Vec::new(),
            },
            response: None,
            request: None,
            trust,
        };
        let mut request = match step::render(step, base.as_ref(), &self.values) {
            Ok(request) => request,
            Err(error) => return unsent(check::unsent(step, &error, &redactor).observation),
        };
        if request.carries_credentials && !self.may_carry(step) {
            return unsent(unsendable(
                "it carries a secret to an address that only the platform tells: configure `base`, or name the app in `when`",
            ));
        }
        self.trail.mark(&mut request);
        let sent = self.client.look(&request, trust, &self.jar).await;
        let sent = attended(sent);
        let assessed = match &sent {
            Ok(response) => Ok((response, step::assess(step, response, &self.values))),
            Err(failure) => Err(unanswered(failure)),
        };
        let mut seen = check::classify(step, assessed, self.placeholders, &redactor);
        if let Ok(response) = &sent {
            seen.observation = self.target.kept.attribute(&self.name(), response, seen.observation);
        }
        self.trail.keep(step, &request, &sent, &seen, &redactor);
        Exchanged {
            seen,
            response: sent.ok(),
            request: Some(request),
            trust,
        }
    }

    /// Keeps captured values: for the steps after this one by their names, for other checks with this one's before.
    fn keep(&mut self, captured: Vec<(String, Value)>) {
        let check = self.name();
        let whole = |(name, value): &(String, Value)| (format!("{check}.{name}"), value.clone());
        self.target.kept.keep(captured.iter().map(whole).collect::<Vec<_>>());
        self.values.extend(captured);
    }

    /// The address that paths stand behind.
    fn base(&self) -> Option<Url> {
        let told = || {
            self.target
                .deployment
                .url
                .as_deref()
                .and_then(|url| Url::parse(url).ok())
        };
        self.configured.clone().or_else(told)
    }

    /// Whoever wrote the config may name any address; the platform and the app may not.
    fn trust(&self, step: &Step) -> Trust {
        let target = &step.send.target;
        let whole = target.is_absolute() && target.slots().next().is_none();
        if whole || self.configured.is_some() && !target.is_absolute() {
            Trust::Configured
        } else {
            Trust::Named
        }
    }

    fn may_carry(&self, step: &Step) -> bool {
        let target = step.send.target.source();
        let given = self.plan.address_given && !step.send.target.is_absolute();
        let deployment = &self.target.deployment;
        let allowed = given
            || self
                .plan
                .config
                .may_carry_credentials(deployment, self.check.as_ref(), target);
        allowed && !self.target.at_own_address
    }

    pub(super) fn curl(&self, step: &Step) -> Option<String> {
        step::curl(step, self.base().as_ref(), &self.values)
    }
}

/// The word for a failing sample, or none if it did not fail.
pub(super) fn failed(observation: &Observation) -> bool {
    !matches!(observation.class, Class::Pass | Class::Slow) && observation.reason != Reason::Time
}

/// While this agent stood still an answer may have come or not: what it saw says nothing of the app.
fn attended(sent: Result<Response, Failure>) -> Result<Response, Failure> {
    let (elapsed, stood_still) = match &sent {
        Ok(response) => (response.elapsed, response.stood_still),
        Err(failure) => (failure.elapsed, failure.stood_still),
    };
    if stood_still < STOOD_STILL_MIN {
        return sent;
    }
    let detail = format!(
        "this agent stood still for {} ms while it waited",
        stood_still.as_millis()
    );
    Err(Failure {
        elapsed,
        stood_still,
        ..Failure::new(Reason::LocalTrouble, detail)
    })
}

fn unanswered(failure: &Failure) -> Unanswered<'_> {
    Unanswered {
        reason: failure.reason,
        detail: &failure.detail,
        elapsed: failure.elapsed,
        timing: failure.timing,
        address: failure.address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_by_an_agent_that_stood_still_says_nothing_of_the_app() {
        let after = |stood_still_ms: u64| {
            let failure = Failure {
                stood_still: Duration::from_millis(stood_still_ms),
                ..Failure::new(Reason::Timeout, "no whole answer in 10000 ms")
            };
            attended(Err(failure)).expect_err("still a failure").reason
        };
        assert_eq!(after(0), Reason::Timeout);
        assert_eq!(after(1_900), Reason::Timeout);
        assert_eq!(after(2_000), Reason::LocalTrouble);
    }
}
