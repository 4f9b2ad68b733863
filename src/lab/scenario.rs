//! Scenarios: rows of a file that say how a deployment behaves and what it is in truth.

use std::time::Duration;

use crate::document::{Document, Node, Problem, Problems, Source, Table};

const CORPUS: &str = include_str!("scenarios.toml");

/// What a deployment is, whatever it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Rolling it back is a false alarm.
    Healthy,
    /// Leaving it live is a miss.
    Broken,
}

/// How an answer looks that is not the app's good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Refused,
    BadGateway,
    Unavailable,
    Slow,
    Hanging,
    Console,
    OldVersion,
    /// An app-made 500.
    Broken,
    /// 200 with the wrong content.
    Wrong,
    /// Our own trouble.
    Unknown,
}

const LOOKS: &[(&str, Look)] = &[
    ("refused", Look::Refused),
    ("bad gateway", Look::BadGateway),
    ("unready", Look::BadGateway),
    ("unavailable", Look::Unavailable),
    ("slow", Look::Slow),
    ("hanging", Look::Hanging),
    ("console", Look::Console),
    ("old version", Look::OldVersion),
    ("broken", Look::Broken),
    ("wrong", Look::Wrong),
    ("unknown", Look::Unknown),
];

/// A time before the first good answer.
#[derive(Clone, Debug)]
pub(super) struct Cold {
    pub(super) look: Look,
    pub(super) median: Duration,
    pub(super) sigma: f64,
    pub(super) min: Duration,
    pub(super) max: Duration,
}

/// Bad spells of the network.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    pub(super) mean: Duration,
    pub(super) share: f64,
}

/// One spell at a known time.
#[derive(Clone, Debug)]
pub(super) struct Spell {
    pub(super) from: Duration,
    pub(super) length: Duration,
    pub(super) look: Look,
}

/// What is wrong with the deployment itself.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    pub(super) share: f64,
    pub(super) look: Look,
    pub(super) from: Duration,
    /// Only the first so many checks see it.
    pub(super) routes: Option<usize>,
}

/// How deployments of one kind behave.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What happens in it, for people.
    pub about: String,
    /// What the deployment is.
    pub truth: Truth,
    /// By when a broken one should be seen, from going live.
    pub deadline: Option<Duration>,
    /// It helped to choose the rule's constants, so it is no independent judge of them.
    pub chosen_by: bool,
    pub(super) noise: f64,
    pub(super) cold: Option<Cold>,
    pub(super) flap: Option<(Duration, Duration)>,
    pub(super) burst: Option<Burst>,
    pub(super) spell: Option<Spell>,
    pub(super) bad: Option<Bad>,
    pub(super) controls_down: bool,
}

/// The scenarios that are part of the program.
///
/// # Errors
/// What is wrong with their file; a test reads it.
pub fn corpus() -> Result<Vec<Scenario>, Vec<Problem>> {
    read(&Source::new("scenarios.toml", CORPUS))
}

fn read(source: &Source) -> Result<Vec<Scenario>, Vec<Problem>> {
    let mut problems = Problems::new();
    let Some(document) = Document::parse(source, &mut problems) else {
        return Err(problems.into_vec());
    };
    let mut root = document.table();
    let mut scenarios = Vec::new();
    for node in root.array("scenario", &mut problems).unwrap_or_default() {
        if let Some(table) = node.table(&mut problems) {
            scenarios.extend(scenario(table.labelled("[[scenario]]"), &mut problems));
        }
    }
    root.finish(&mut problems, &[]);
    if problems.has_errors() {
        Err(problems.into_vec())
    } else {
        Ok(scenarios)
    }
}

fn scenario(mut table: Table<'_>, problems: &mut Problems) -> Option<Scenario> {
    let name = table.string("name", problems)?.to_owned();
    let scenario = Scenario {
        about: table.string("about", problems).unwrap_or_default().to_owned(),
        truth: if table.string("truth", problems)? == "healthy" {
            Truth::Healthy
        } else {
            Truth::Broken
        },
        deadline: table.duration("deadline", problems),
        chosen_by: table.bool("chosen_by", problems).unwrap_or(false),
        noise: table.float("noise", problems).unwrap_or(0.0),
        cold: table.table("cold", problems).and_then(|cold| read_cold(cold, problems)),
        flap: table.table("flap", problems).and_then(|flap| read_flap(flap, problems)),
        burst: table
            .table("burst", problems)
            .and_then(|burst| read_burst(burst, problems)),
        spell: table
            .table("spell", problems)
            .and_then(|spell| read_spell(spell, problems)),
        bad: table.table("bad", problems).and_then(|bad| read_bad(bad, problems)),
        controls_down: table.string("controls", problems) == Some("down"),
        name,
    };
    table.finish(problems, &[]);
    Some(scenario)
}

fn look(node: Option<Node<'_>>, problems: &mut Problems) -> Option<Look> {
    let node = node?;
    let word = node.string(problems)?;
    let found = LOOKS.iter().find(|(known, _)| *known == word).map(|(_, look)| *look);
    if found.is_none() {
        problems.push(node.place(), format!("`{word}` is no look of an answer"));
    }
    found
}

fn read_cold(mut table: Table<'_>, problems: &mut Problems) -> Option<Cold> {
    let node = table.take("shape");
    let cold = Cold {
        look: look(node, problems)?,
        median: table.duration("median", problems)?,
        sigma: table.float("sigma", problems).unwrap_or(0.0),
        min: table.duration("min", problems).unwrap_or_default(),
        max: table.duration("max", problems)?,
    };
    table.finish(problems, &[]);
    Some(cold)
}

fn read_flap(mut table: Table<'_>, problems: &mut Problems) -> Option<(Duration, Duration)> {
    let flap = (table.duration("min", problems)?, table.duration("max", problems)?);
    table.finish(problems, &[]);
    Some(flap)
}

fn read_burst(mut table: Table<'_>, problems: &mut Problems) -> Option<Burst> {
    let burst = Burst {
        mean: table.duration("mean", problems)?,
        share: table.float("share", problems)?,
    };
    table.finish(problems, &[]);
    Some(burst)
}

fn read_spell(mut table: Table<'_>, problems: &mut Problems) -> Option<Spell> {
    let node = table.take("class");
    let spell = Spell {
        from: table.duration("from", problems)?,
        length: table.duration("for", problems)?,
        look: look(node, problems)?,
    };
    table.finish(problems, &[]);
    Some(spell)
}

fn read_bad(mut table: Table<'_>, problems: &mut Problems) -> Option<Bad> {
    let node = table.take("class");
    let routes = table.integer("routes", problems);
    let bad = Bad {
        share: table.float("share", problems)?,
        look: look(node, problems)?,
        from: table.duration("from", problems).unwrap_or_default(),
        routes: routes.and_then(|routes| usize::try_from(routes).ok()),
    };
    table.finish(problems, &[]);
    Some(bad)
}
