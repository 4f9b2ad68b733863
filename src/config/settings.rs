//! What may be set per policy: mode, base address, warm-up, budget, watch and guards.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::freeze::{Freeze, FreezeError};
use super::read::Reader;
use super::when::{When, read_when};
use crate::document::{Node, Table};
use crate::domain::{FleetBrake, Mode, Timestamp};
use crate::step::{Step, read_step};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Keys that name a request; each check, control and warm-up has exactly one.
pub(super) const REQUEST_KEYS: &[&str] = &[
    "get", "head", "post", "put", "patch", "delete", "options", "method", "url", "tcp", "grpc",
];

/// Keys that belong to one request: a policy whose warm-up asks another address has its own.
const STEP_KEYS: &[&str] = &[
    "get",
    "head",
    "post",
    "put",
    "patch",
    "delete",
    "options",
    "method",
    "url",
    "tcp",
    "grpc",
    "service",
    "query",
    "headers",
    "cookies",
    "bearer",
    "basic",
    "oauth2",
    "json",
    "form",
    "multipart",
    "text",
    "file",
    "graphql",
    "timeout",
    "follow",
    "connect",
    "ip",
    "proxy",
    "http",
    "tls",
    "max_body",
    "charset",
    "expect",
    "warn",
    "capture",
];

/// Where the request of `table` goes: the value of its method's key.
pub(super) fn request_target<'a>(table: &Table<'a>) -> Option<Node<'a>> {
    let keys = REQUEST_KEYS.iter().filter(|key| **key != "method");
    keys.filter_map(|key| table.peek(key)).next()
}

/// How a run warms up, judges and may act.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What may be done about an unhealthy deployment.
    pub mode: Mode,
    /// The configured base address, if there is one; else the platform's API tells it.
    pub base: Option<Url>,
    /// The gate before which nothing counts.
    pub warmup: WarmUp,
    /// The budget of each check.
    pub retry: Retry,
    /// For how long after a pass a late failure still counts.
    pub watch: Duration,
    /// What withholds a rollback.
    pub rollback: Rollback,
}

/// The warm-up gate of a run.
#[derive(Clone, Debug)]
pub struct WarmUp {
    /// What is asked.
    pub step: Step,
    /// For how long at most.
    pub limit: Limit,
}

/// For how long a warm-up may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// 300 s without history, later learned from the app.
    Auto,
    /// This long.
    Fixed(Duration),
}

/// The budget of each check, once it has answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Between probes of one check, before jitter; 250 ms to 5 min.
    pub every: Duration,
    /// Separate failures that empty a full budget; 2 to 1000.
    pub failures: u32,
    /// Passes in a row that are a pass; 1 to 1000.
    pub passes: u32,
}

/// What withholds a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Rollbacks per hour, app and environment; 0 means never.
    pub max_per_hour: u32,
    /// Between two rollbacks of one app and environment.
    pub cooldown: Duration,
    /// Of going live; later only alerts.
    pub act_within: Duration,
    /// Parts of commit messages that forbid a rollback.
    pub irreversible: Vec<String>,
    /// Times of the week in which nothing is rolled back.
    pub freeze: Vec<Freeze>,
    /// When so many apps fail together that nothing is rolled back; none where that is switched off.
    pub fleet_brake: Option<FleetBrake>,
}

impl Rollback {
    /// The freeze that `wall` falls into, as it is written.
    pub fn freeze_at(&self, wall: Timestamp) -> Option<&str> {
        self.freeze
            .iter()
            .find(|freeze| freeze.holds_at(wall))
            .map(Freeze::as_str)
    }
}

/// Settings for some deployments; what it leaves out was filled from the top level, except for `base`.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For which.
    pub when: When,
    /// The settings.
    pub settings: Arc<Settings>,
}

impl Reader<'_> {
    /// Reads the settings in `table`; what it lacks comes from `fallback`, a table and the settings it was read as.
    ///
    /// `built_in` is the warm-up of those who configure none. `None` only if a warm-up step could not be read, which
    /// was reported.
    pub(super) fn settings(
        &mut self,
        table: &mut Table<'_>,
        fallback: Option<(&Table<'_>, &Settings)>,
        built_in: &Table<'_>,
    ) -> Option<Settings> {
        let mode = self.mode(table, fallback.map_or(Mode::AlertOnly, |(_, settings)| settings.mode));
        let base = self.base(table);
        let retry = self.retry(table, fallback.map(|(_, settings)| settings.retry));
        let watch = self.watch(table, fallback.map(|(_, settings)| settings.watch));
        let rollback = self.rollback(table, fallback.map(|(_, settings)| &settings.rollback));
        let warmup = self.warmup(table, fallback, built_in);
        Some(Settings {
            mode,
            base,
            warmup: warmup?,
            retry,
            watch,
            rollback,
        })
    }

    /// Reads `[[policy]]`.
    pub(super) fn policies(&mut self, root: &mut Table<'_>, top: &Settings, built_in: &Table<'_>) -> Vec<Policy> {
        let items = root.array("policy", &mut self.problems).unwrap_or_default();
        let mut policies = Vec::new();
        for item in items {
            let Some(table) = item.table(&mut self.problems) else {
                continue;
            };
            let mut table = table.labelled("this policy");
            let when = read_when(&mut table, &mut self.problems);
            if when.is_any() {
                self.problems.warn(
                    table.place(),
                    "this policy has no `when`: it is for everything, and no policy after it is ever used",
                    "say whom it is for: `when = { app = \"shop-*\", env = \"production\" }`",
                );
            }
            let settings = self.settings(&mut table, Some((root, top)), built_in);
            table.finish(
                &mut self.problems,
                &[("app", "when.app"), ("env", "when.env"), ("environment", "when.env")],
            );
            policies.extend(settings.map(|settings| Policy {
                when,
                settings: Arc::new(settings),
            }));
        }
        policies
    }

    fn mode(&mut self, table: &mut Table<'_>, default: Mode) -> Mode {
        let modes = [Mode::AlertOnly, Mode::Approve, Mode::AutoRollback].map(|mode| (mode.as_str(), mode));
        self.choice(table, "mode", &modes, default)
    }

    fn retry(&mut self, table: &mut Table<'_>, fallback: Option<Retry>) -> Retry {
        let default = fallback.unwrap_or(Retry {
            every: 2 * SECOND,
            failures: 6,
            passes: 12,
        });
        let Some(mut retry) = table.table("retry", &mut self.problems) else {
            return default;
        };
        let read = Retry {
            every: self.duration(
                &mut retry,
                "every",
                Duration::from_millis(250)..=5 * MINUTE,
                default.every,
            ),
            // One failure must never be enough.
            failures: self.count(&mut retry, "failures", 2..=1000, default.failures),
            passes: self.count(&mut retry, "passes", 1..=1000, default.passes),
        };
        let aliases = [
            ("interval", "every"),
            ("delay", "every"),
            ("attempts", "failures"),
            ("count", "failures"),
            ("max", "failures"),
            ("threshold", "failures"),
            ("successes", "passes"),
            (
                "for",
                "the time to warm up is `for` in `[warmup]`, the time to watch is `for` in `[watch]`",
            ),
        ];
        retry.finish(&mut self.problems, &aliases);
        read
    }

    fn watch(&mut self, table: &mut Table<'_>, fallback: Option<Duration>) -> Duration {
        let default = fallback.unwrap_or(5 * MINUTE);
        let Some(mut watch) = table.table("watch", &mut self.problems) else {
            return default;
        };
        let read = self.duration(&mut watch, "for", Duration::ZERO..=24 * HOUR, default);
        watch.finish(&mut self.problems, &[("duration", "for"), ("time", "for")]);
        read
    }

    fn warmup(
        &mut self,
        table: &mut Table<'_>,
        fallback: Option<(&Table<'_>, &Settings)>,
        built_in: &Table<'_>,
    ) -> Option<WarmUp> {
        let own = table.table("warmup", &mut self.problems);
        if let (None, Some((_, settings))) = (&own, fallback) {
            return Some(settings.warmup.clone());
        }
        let mut warmup = own.unwrap_or_else(|| built_in.clone());
        if let Some(top) = fallback.and_then(|(top, _)| top.child("warmup")) {
            let own_request = REQUEST_KEYS.iter().any(|key| warmup.has(key));
            warmup = warmup.over(&top, if own_request { STEP_KEYS } else { &[] });
        }
        if !REQUEST_KEYS.iter().any(|key| warmup.has(key)) {
            warmup = warmup.over(built_in, &[]);
        }
        let limit = match warmup.take("for") {
            Some(node) if node.as_str() == Some("auto") => Limit::Auto,
            Some(node) => self.limit(&node),
            None => Limit::Auto,
        };
        let step = self.lone_step(&mut warmup);
        let aliases = [
            ("every", "the pace is `every` in `[retry]`"),
            ("interval", "the pace is `every` in `[retry]`"),
            (
                "successes",
                "the gate opens at the first good answer; `passes` in `[retry]` are counted after it",
            ),
            ("timeout_total", "for"),
            ("path", "get"),
            ("status", "expect.status"),
        ];
        warmup.finish(&mut self.problems, &aliases);
        Some(WarmUp { step: step?, limit })
    }

    /// A step that stands alone and is asked again anyway: a warm-up or a control.
    pub(super) fn lone_step(&mut self, table: &mut Table<'_>) -> Option<Step> {
        if table.has("retry") {
            let message = format!("`retry` cannot stand in {}", table.label());
            self.problems
                .push_help(table.key_place("retry"), message, "it is asked again anyway; remove it");
        }
        if table.peek("ip").is_some_and(|node| node.as_str() == Some("both")) {
            let message = format!("`ip` in {} must be one of `\"v4\"` and `\"v6\"`", table.label());
            self.problems
                .push_help(table.key_place("ip"), message, "both at once are two checks");
        }
        self.one_step(table)
    }

    /// The step that stands in `table`.
    pub(super) fn one_step(&mut self, table: &mut Table<'_>) -> Option<Step> {
        let usual = REQUEST_KEYS
            .iter()
            .find(|key| !matches!(**key, "url" | "method") && table.has(key));
        if let Some(usual) = usual.filter(|_| !table.has("method"))
            && table.take("url").is_some()
        {
            let message = format!("`url` and `{usual}` cannot both be in {}", table.label());
            let help = "`get` and its like have their address themselves; `url` stands beside `method`";
            self.problems.push_help(table.key_place("url"), message, help);
        }
        read_step(table, &self.files, &mut self.problems)
    }

    fn limit(&mut self, node: &Node<'_>) -> Limit {
        let fixed = self.duration_of(node, SECOND..=HOUR);
        fixed.map_or(Limit::Auto, Limit::Fixed)
    }

    fn rollback(&mut self, table: &mut Table<'_>, fallback: Option<&Rollback>) -> Rollback {
        let default = fallback.cloned().unwrap_or(Rollback {
            max_per_hour: 2,
            cooldown: 10 * MINUTE,
            act_within: 30 * MINUTE,
            irreversible: vec!["[no-rollback]".to_owned()],
            freeze: Vec::new(),
            fleet_brake: Some(super::fleet::DEFAULT),
        });
        let Some(mut rollback) = table.table("rollback", &mut self.problems) else {
            return default;
        };
        let read = Rollback {
            max_per_hour: self.count(&mut rollback, "max_per_hour", 0..=60, default.max_per_hour),
            cooldown: self.duration(
                &mut rollback,
                "cooldown",
                Duration::ZERO..=7 * 24 * HOUR,
                default.cooldown,
            ),
            act_within: self.duration(&mut rollback, "act_within", SECOND..=7 * 24 * HOUR, default.act_within),
            irreversible: self.irreversible(&mut rollback).unwrap_or(default.irreversible),
            freeze: self.freeze(&mut rollback).unwrap_or(default.freeze),
            fleet_brake: self.fleet_brake(&mut rollback, default.fleet_brake),
        };
        rollback.finish(
            &mut self.problems,
            &[("limit", "max_per_hour"), ("within", "act_within")],
        );
        read
    }

    fn irreversible(&mut self, rollback: &mut Table<'_>) -> Option<Vec<String>> {
        let node = rollback.take("irreversible")?;
        let texts = node.strings(&mut self.problems)?;
        let mut marks = Vec::new();
        for (item, text) in texts {
            if text.trim().is_empty() {
                let message = format!("{} is empty: it would forbid every rollback", item.label());
                self.problems.push(item.place(), message);
            } else {
                marks.push(text.to_owned());
            }
        }
        Some(marks)
    }

    fn freeze(&mut self, rollback: &mut Table<'_>) -> Option<Vec<Freeze>> {
        let node = rollback.take("freeze")?;
        let texts = node.strings(&mut self.problems)?;
        let mut freezes = Vec::new();
        for (item, text) in texts {
            match Freeze::parse(text) {
                Ok(freeze) => freezes.push(freeze),
                Err(error) => {
                    let help = match error {
                        FreezeError::Zone(_) => "end with a zone of the IANA database: `UTC`, `Europe/Berlin`",
                        _ => "write `\"Sat 00:00-Mon 06:00 Europe/Berlin\"`, or `\"22:00-06:00 UTC\"` for every day",
                    };
                    self.problems.push_help(item.place(), error.to_string(), help);
                }
            }
        }
        Some(freezes)
    }
}
