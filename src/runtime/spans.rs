//! A run as a trace: which spans there are, what each is called and says, and below which other it stands.
//!
//! Nothing here is asked or decided; it is told what the dispatcher and its tasks did. The words are those of OpenTelemetry's
//! semantic conventions where there are any, else begin with `backstop.`.

use http::Method;
use url::Url;

use super::live::Live;
use super::perform::Performer;
use super::probe::{Asked, Looked, Traced};
use super::tracer::Tracer;
use crate::domain::{CallAnswer, Class, Observation, PlatformName, RunId, Timestamp, Verdict};
use crate::machine::{Guard, LookFor, Phase, RunState, Subject};
use crate::step::{clean, cut};
use crate::telemetry::traces::{Span, SpanId};

/// Characters of what is told of a run's end, or of a failure.
const TOLD_CHARS_MAX: usize = 300;

/// A part of a run, below which stands what was done in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Until the gate opens.
    WarmUp,
    /// Until the checks pass, or do not.
    Judging,
    /// After the pass.
    Watch,
    /// From an unhealthy verdict on: guards, approval, the call, and until the platform is done.
    Rollback,
    /// The same by a person's order.
    Ordered,
    /// Checking what was restored.
    Verification,
}

impl Stage {
    /// The part in which a run stands, and when it began, as far as the state knows that.
    pub(super) fn of(state: &RunState) -> Option<(Self, Option<Timestamp>)> {
        let judge = state.judge.as_ref();
        match state.phase {
            Phase::Confirming | Phase::Done => None,
            Phase::Judging => {
                let judge = judge?;
                Some(match (judge.gate_opened_at, judge.passed_at) {
                    (None, _) => (Self::WarmUp, Some(judge.started_at)),
                    (opened, None) => (Self::Judging, opened),
                    (_, passed) => (Self::Watch, passed),
                })
            }
            Phase::Guarding | Phase::Awaiting | Phase::Calling | Phase::Settling => {
                let stage = if state.ordered { Self::Ordered } else { Self::Rollback };
                Some((stage, state.act.as_ref().map(|act| act.since)))
            }
            Phase::Verifying => Some((Self::Verification, state.verify.as_ref().map(|judge| judge.started_at))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Judging => "judging",
            Self::Watch => "watch",
            Self::Rollback => "rollback",
            Self::Ordered => "ordered rollback",
            Self::Verification => "verification",
        }
    }

    fn id(self, run: &RunId) -> SpanId {
        SpanId::of(run, self.name())
    }
}

/// The span below which stands what is done in this state.
pub(super) fn parent(state: &RunState) -> SpanId {
    Stage::of(state).map_or_else(|| root(&state.id), |(stage, _)| stage.id(&state.id))
}

fn root(run: &RunId) -> SpanId {
    SpanId::of(run, "run")
}

/// The parts of `live` that end because `next` follows.
pub(super) fn turned(live: &mut Live, next: &RunState, now: Timestamp) -> Option<Span> {
    let before = Stage::of(&live.state);
    let after = Stage::of(next);
    let began = live.stage_since;
    if before.map(|(stage, _)| stage) != after.map(|(stage, _)| stage) {
        live.stage_since = Some(after.and_then(|(_, since)| since).unwrap_or(now));
    }
    let (stage, since) = before.filter(|(stage, _)| after.is_none_or(|(next, _)| next != *stage))?;
    let start = began.or(since).unwrap_or(live.state.turned_at);
    let span = Span::new(&next.id, stage.id(&next.id), stage.name(), (start, now)).below(root(&next.id));
    Some(span.with_some("backstop.verdict", next.verdict.map(Verdict::as_str)))
}

/// The run as a whole; of one that was taken up again after its end, what came after.
pub(super) fn ended(live: &Live) -> Span {
    let state = &live.state;
    let end = state.ended_at.unwrap_or(state.turned_at);
    let span = match live.taken_up_at {
        None => Span::new(&state.id, root(&state.id), "run", (state.started_at, end)),
        Some(since) => {
            Span::new(&state.id, SpanId::of(&state.id, "order"), "order", (since, end)).below(root(&state.id))
        }
    };
    let deployment = state.deployment.as_ref();
    let app = deployment
        .map(|known| known.app.as_str())
        .or(state.heard.app.as_deref());
    let environment = deployment
        .map(|known| known.environment.as_str())
        .or(state.heard.environment.as_deref());
    let commit = deployment.map_or(&state.heard.commit, |known| &known.commit);
    let reason = state.reason.as_deref().map(told);
    let span = span
        .with("backstop.run.id", state.id.as_str())
        .with("backstop.platform", state.platform.as_str())
        .with_some("backstop.app", app.map(clean))
        .with_some("deployment.environment.name", environment.map(clean))
        .with("deployment.id", clean(state.heard.deployment.as_str()))
        .with_some("vcs.ref.head.revision", commit.sha.as_deref().map(clean))
        .with("backstop.mode", state.mode.as_str())
        .with_some("backstop.verdict", state.verdict.map(Verdict::as_str))
        .with_some("backstop.action", state.action.as_deref())
        .with_some("backstop.reason", reason.clone())
        .with_some("backstop.guard", state.held_by.map(Guard::as_str))
        .with("backstop.drill", state.drill);
    match state.verdict {
        Some(Verdict::Unhealthy) => span.failed(&reason.unwrap_or_default()),
        _ => span,
    }
}

/// A question to the platform that is under way.
pub(super) struct Call {
    tracer: Tracer,
    run: RunId,
    parent: SpanId,
    id: SpanId,
    name: &'static str,
    platform: PlatformName,
    url: Option<Url>,
    start: Timestamp,
}

impl Call {
    /// The effect `seq` of a run begins, if anybody wants to know. `url` is where the platform's API is.
    pub(super) fn begin(performer: &Performer, live: &Live, seq: u32, name: &'static str) -> Option<Self> {
        let (tracer, run) = (performer.tracer.clone(), live.state.id.clone());
        if !tracer.is_on() {
            return None;
        }
        let platform = live.state.platform.clone();
        let configured = performer.config.load();
        Some(Self {
            parent: parent(&live.state),
            // Numbers that were not written down come again, by another owner.
            id: SpanId::of(&run, &format!("call {} {seq}", live.fence)),
            name,
            url: configured.platforms.get(&platform).map(|platform| platform.url.clone()),
            platform,
            start: tracer.now(),
            run,
            tracer,
        })
    }

    /// It ended; `what` adds what came of it.
    pub(super) fn end(self, what: impl FnOnce(Span) -> Span) {
        let times = (self.start, self.tracer.now());
        let span = Span::new(&self.run, self.id, self.name, times)
            .below(self.parent)
            .asking()
            .with("backstop.platform", self.platform.as_str())
            .with_some("server.address", self.url.as_ref().and_then(Url::host_str))
            .with_some("server.port", self.url.as_ref().and_then(Url::port_or_known_default));
        self.tracer.take([what(span)]);
    }
}

/// What a look is called: one that asks what came of a call confirms it.
pub(super) const fn look_name(purpose: Option<LookFor>) -> &'static str {
    match purpose {
        Some(LookFor::Effect | LookFor::Settle) => "confirm",
        _ => "look",
    }
}

/// The same, as something that failed where it did.
pub(super) fn answered<T>(span: Span, answer: &Result<T, String>) -> Span {
    match answer {
        Ok(_) => span,
        Err(why) => span.failed(&told(why)),
    }
}

/// The same with what came of a rollback call.
pub(super) fn called(span: Span, answer: &CallAnswer) -> Span {
    let (word, why) = match answer {
        CallAnswer::Accepted { .. } => ("accepted", None),
        CallAnswer::Refused { reason } => ("refused", Some(reason)),
        CallAnswer::NotSent { reason } => ("not sent", Some(reason)),
        CallAnswer::Unknown { reason } => ("unknown", Some(reason)),
    };
    let span = span.with("backstop.answer", word);
    match why {
        Some(why) => span.failed(&told(why)),
        None => span,
    }
}

/// A probe that has ended.
pub(super) struct Probed<'a> {
    pub(super) check: &'a str,
    pub(super) subject: Subject,
    pub(super) times: (Timestamp, Timestamp),
}

impl Probed<'_> {
    /// One span if it sent one request, else one with its requests below it.
    pub(super) fn spans(&self, traced: &Traced, looked: &Looked) -> Vec<Span> {
        let run = traced.run();
        if let [asked] = looked.asked.as_slice() {
            return vec![self.about(request(run, asked, &looked.observation).below(traced.parent()))];
        }
        let id = traced.id();
        let whole = Span::new(run, id, self.check, self.times).below(traced.parent());
        let whole = self.about(seen(whole, &looked.observation));
        let requests = looked.asked.iter();
        let requests = requests.map(|asked| self.about(request(run, asked, &asked.seen).below(id)));
        std::iter::once(whole).chain(requests).collect()
    }

    fn about(&self, span: Span) -> Span {
        span.with("backstop.check", self.check)
            .with("backstop.subject", subject_word(self.subject))
    }
}

/// One request, by the conventions for HTTP client spans.
fn request(run: &RunId, asked: &Asked, observation: &Observation) -> Span {
    let span = Span::new(run, asked.id, &asked.label, (asked.start, asked.end)).asking();
    let address = observation.address.map(|ip| ip.to_string());
    let span = span
        .with_some(
            "server.address",
            Some(asked.host.as_str()).filter(|host| !host.is_empty()),
        )
        .with_some("server.port", asked.port)
        .with_some("network.peer.address", address);
    let span = if asked.is_http {
        let (method, original) = method(&asked.method);
        let version = observation
            .http_version
            .as_deref()
            .and_then(|version| version.strip_prefix("HTTP/"));
        span.with("http.request.method", method)
            .with_some("http.request.method_original", original)
            .with("url.full", asked.url.as_str())
            .with_some("http.response.status_code", observation.status)
            .with_some(
                "network.protocol.version",
                version.map(|version| version.trim_end_matches(".0")),
            )
    } else {
        span.with("network.transport", "tcp")
    };
    seen(span, observation)
}

/// What was seen, as every part of a probe says it.
fn seen(span: Span, observation: &Observation) -> Span {
    let span = span.with("backstop.class", observation.class.as_str());
    let fails = !matches!(observation.class, Class::Pass | Class::Slow);
    let span = match observation.status.filter(|status| *status >= 400) {
        // By the conventions, the status says what went wrong where there is one that does.
        Some(status) if fails => span.with("error.type", status.to_string()),
        None if fails => span.with("error.type", observation.reason.as_str()),
        _ => span,
    };
    let span = span.with("backstop.probe.reason", observation.reason.as_str());
    if fails {
        span.failed(&told(&observation.detail))
    } else {
        span
    }
}

/// A method as the conventions know it, and as it is where they do not.
fn method(method: &Method) -> (&str, Option<&str>) {
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    match KNOWN.contains(&method.as_str()) {
        true => (method.as_str(), None),
        false => ("_OTHER", Some(method.as_str())),
    }
}

const fn subject_word(subject: Subject) -> &'static str {
    match subject {
        Subject::Deployment => "deployment",
        Subject::Restored => "restored",
        Subject::LastGood => "last good",
    }
}

/// What people are told, on one line.
fn told(text: &str) -> String {
    clean(&cut(text, TOLD_CHARS_MAX))
}

#[cfg(test)]
mod tests;
