//! What only shows when all checks are known: names that are not unique, and what is legal but likely not meant.

mod reach;
mod seen;
mod unused;

use std::collections::BTreeMap;

use super::assemble::FileChecks;
use super::checks::{CHECKS_MAX, RawCheck};
use super::platforms::PlatformConfig;
use super::read::Reader;
use super::scope::{Origin, Scope};
use super::server::Server;
use super::settings::{Policy, Settings};
use super::when::When;
use crate::document::{Document, Source, Table};
use crate::domain::{CheckName, Mode, PlatformName};
use crate::outcome::Endpoint;
use crate::step::{Step, is_in_the_clear};
use url::Url;

impl Reader<'_> {
    /// `mode = "approve"` needs somebody who can approve, and an address where they can.
    pub(super) fn approvals(
        &mut self,
        root: &Table<'_>,
        settings: &Settings,
        policies: &[Policy],
        server: &Server,
        endpoints: &[Endpoint],
    ) {
        let modes = policies
            .iter()
            .map(|policy| policy.settings.mode)
            .chain([settings.mode]);
        if !modes.into_iter().any(|mode| mode == Mode::Approve) {
            return;
        }
        let place = if root.has("mode") {
            root.key_place("mode")
        } else {
            root.place()
        };
        if server.public_url.is_none() {
            let help =
                "add `public_url = \"https://backstop.example.com\"` to [server]: the link in the message leads there";
            self.problems
                .push_missing(place.clone(), "`mode = \"approve\"` needs `public_url`", help);
        }
        if !endpoints.iter().any(|endpoint| endpoint.approve) {
            let help = "add `approve = true` to the [outcome.X] whose readers may approve; only it gets the link";
            self.problems
                .push_missing(place, "`mode = \"approve\"`, and nobody is asked", help);
        }
    }

    /// A webhook of our own needs an address that it delivers to.
    pub(super) fn subscribers(
        &mut self,
        root: &Table<'_>,
        platforms: &BTreeMap<PlatformName, PlatformConfig>,
        server: &Server,
    ) {
        let subscribes = |(_, platform): &(&PlatformName, &PlatformConfig)| platform.subscribe;
        let Some((name, _)) = platforms
            .iter()
            .find(subscribes)
            .filter(|_| server.public_url.is_none())
        else {
            return;
        };
        let table = root.child("platform").and_then(|all| all.child(name.as_str()));
        let place = table.map_or_else(|| root.place(), |table| table.key_place("subscribe"));
        let help = "add `public_url = \"https://backstop.example.com\"` to [server]: the platform delivers there";
        self.problems
            .push_missing(place, "`subscribe = true` needs `public_url`", help);
    }

    pub(super) fn unique_names<'c, 'a: 'c>(&mut self, checks: impl Iterator<Item = &'c RawCheck<'a>>) {
        let mut seen: BTreeMap<&str, &RawCheck<'a>> = BTreeMap::new();
        for (number, check) in checks.enumerate() {
            if number == CHECKS_MAX {
                self.problems
                    .push(check.place.clone(), format!("there are more than {CHECKS_MAX} checks"));
                return;
            }
            if let Some(first) = seen.get(check.name.as_str()) {
                let message = format!("check \"{}\" is also at {}", check.name, first.place.line_label());
                let help = "names are unique over all files: results and history are kept by them";
                self.problems.push_help(check.place.clone(), message, help);
            } else {
                seen.insert(&check.name, check);
            }
        }
    }

    /// Warns of a check that needs one which may not run where it does.
    pub(super) fn narrower_needs(
        &mut self,
        file: &FileChecks<'_>,
        check: &RawCheck<'_>,
        needed: &[CheckName],
        files: &[FileChecks<'_>],
    ) {
        let find = |name: &CheckName| {
            let in_file = |file| Some((file, find_raw(file, name)?));
            files.iter().find_map(in_file)
        };
        for (home, other) in needed.iter().filter_map(find) {
            let covers = |other: &When, own: &When| other.is_any() || other == own;
            if !covers(&home.scope.when, &file.scope.when) || !covers(&other.when, &check.when) {
                let message = format!(
                    "check \"{}\" needs \"{}\", whose `when` is another",
                    check.name, other.name
                );
                let help = "where only one of them runs, the run is inconclusive: give both the same `when`";
                self.problems.warn(check.place.clone(), message, help);
            }
        }
    }

    /// Warns of credentials that may never be sent: nobody says whose address they go to.
    pub(super) fn credentials(&mut self, scope: &Scope, check: &RawCheck<'_>, policies: &[Policy]) {
        let carrying = check.script.all().filter(|step| carries_credentials(step));
        let targets: Vec<&str> = carrying.map(|step| step.send.target.source()).collect();
        for target in targets {
            let origin = Origin::of(target);
            let doubtful = self.origin_is_doubtful(scope, check, policies, origin);
            if doubtful || self.is_told_in_the_clear(scope, check, policies, target) {
                return;
            }
        }
    }

    /// Warns of credentials that plain http would show on the way; whether it did.
    fn is_told_in_the_clear(&mut self, scope: &Scope, check: &RawCheck<'_>, policies: &[Policy], target: &str) -> bool {
        let mut addresses: Vec<Url> = match Origin::of(target) {
            Origin::Configured => Url::parse(target).into_iter().collect(),
            Origin::Templated => Vec::new(),
            Origin::Base => match &check.base {
                Some(base) => vec![base.clone()],
                None => {
                    let of_envs = scope.envs.iter().filter_map(|env| env.base.as_ref());
                    let of_policies = policies.iter().filter_map(|policy| policy.settings.base.as_ref());
                    scope.base.iter().chain(of_envs).chain(of_policies).cloned().collect()
                }
            },
        };
        addresses.retain(|address| is_in_the_clear(address, &self.plain_http));
        let Some(host) = addresses.first().and_then(Url::host_str) else {
            return false;
        };
        let message = format!("check \"{}\" carries credentials to {host} in the clear", check.name);
        let help = format!(
            "use https; where nobody can listen on the way, `plain_http = [\"{host}\"]` in [network]; until then it is not sent"
        );
        self.problems.warn(check.place.clone(), message, help);
        true
    }

    /// Warns if nobody says whose `origin` is; whether it did.
    fn origin_is_doubtful(&mut self, scope: &Scope, check: &RawCheck<'_>, policies: &[Policy], origin: Origin) -> bool {
        let configured = match origin {
            Origin::Configured => true,
            Origin::Templated => false,
            Origin::Base => {
                let named = check.when.names_apps_exactly() || scope.when.names_apps_exactly();
                let by_policy = |policy: &Policy| policy.settings.base.is_some() || policy.when.names_apps_exactly();
                let based =
                    check.base.is_some() || scope.base.is_some() || scope.envs.iter().any(|env| env.base.is_some());
                named || based || policies.iter().any(by_policy)
            }
        };
        if !configured {
            let message = format!(
                "check \"{}\" carries credentials, and nothing says whose address gets them",
                check.name
            );
            let help = match origin {
                Origin::Templated => "write the host without placeholders; until then it is not sent",
                _ => "set `base`, or name the app exactly: `when.app = \"shop\"`; until then it is not sent",
            };
            self.problems.warn(check.place.clone(), message, help);
        }
        !configured
    }

    /// Warns of what only shows over all files: checks that are too few or for too many, and what nothing uses. Not where
    /// something is wrong, since what looks unused may be what was misspelt.
    pub(super) fn doubts<'a>(&mut self, whole: &Whole<'_, 'a>, files: &[FileChecks<'a>]) {
        if self.problems.has_errors() {
            return;
        }
        if files.iter().all(|file| file.checks.is_empty()) {
            let source = Source::new(whole.main.source().path.clone(), "");
            let help = "add one: `[check.home]` with `get = \"/\"`; a run without checks is inconclusive";
            self.problems.warn(source.start(), "there are no checks", help);
        } else {
            self.alone(whole, files);
            self.for_everybody(whole, files);
            self.identity(whole, files);
            self.only_home(whole, files);
        }
        self.unused(whole, files);
    }
}

/// What of the whole config is known besides the files' checks.
pub(super) struct Whole<'w, 'a> {
    pub(super) main: &'w Table<'a>,
    pub(super) included: &'a [Document<'a>],
    pub(super) settings: &'w Settings,
    pub(super) policies: &'w [Policy],
    pub(super) platforms: &'w BTreeMap<PlatformName, PlatformConfig>,
}

fn find_raw<'f, 'a>(file: &'f FileChecks<'a>, name: &CheckName) -> Option<&'f RawCheck<'a>> {
    file.checks.iter().find(|check| check.name == name.as_str())
}

/// Whether a step sends a secret or a value of another check, which is taken for one.
fn carries_credentials(step: &Step) -> bool {
    let is_secret = |slot: &String| {
        let space = slot.split_once('.').map(|(space, _)| space);
        !matches!(space, None | Some("deploy" | "vars" | "run"))
    };
    step.send.has_credentials() || step.slots().iter().any(is_secret)
}
