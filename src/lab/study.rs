//! A study: every scenario, many deployments, by one policy or another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::peers::Peer;
use super::play::{End, Played, play};
use super::scenario::{Scenario, Truth};
use super::world::World;
use crate::domain::Share;
use crate::machine::Plan;

/// Deployments that one thread takes at once.
const CHUNK: usize = 500;

/// What one policy did in one scenario.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// What its deployments are.
    pub truth: Truth,
    /// By when a broken one should be seen.
    pub deadline_ms: Option<u64>,
    /// It helped to choose the constants.
    pub chosen_by: bool,
    /// Wrong decisions: healthy ones rolled back, or broken ones left live.
    pub wrong: Share,
    /// Those that could not be told.
    pub inconclusive: Share,
    /// Time to the decision, where it was right, in milliseconds: median and 95th percentile.
    pub decided_ms: Option<(u64, u64)>,
}

/// What one policy did in every scenario.
#[derive(Clone, Debug)]
pub struct Study {
    /// Whose policy.
    pub policy: String,
    /// The scenarios, in the corpus's order.
    pub rows: Vec<Row>,
}

/// Whose decisions are studied.
#[derive(Clone, Copy)]
pub enum Policy<'p> {
    /// The machine's, by this plan.
    Ours(&'p Plan),
    /// Somebody else's, with so many checks.
    Peer(&'p Peer, usize),
}

/// Lets `policy` judge `deployments` of each scenario, on `threads` threads. The result follows from `seed` alone.
pub fn study(
    name: &str,
    policy: Policy<'_>,
    scenarios: &[Scenario],
    deployments: usize,
    seed: u64,
    threads: usize,
) -> Study {
    let rows = scenarios.iter().map(|scenario| {
        let played = play_all(policy, scenario, deployments, seed, threads);
        row(scenario, &played)
    });
    Study {
        policy: name.to_owned(),
        rows: rows.collect(),
    }
}

fn play_all(policy: Policy<'_>, scenario: &Scenario, deployments: usize, seed: u64, threads: usize) -> Vec<Played> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::with_capacity(deployments));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if from >= deployments {
                        return;
                    }
                    let to = (from + CHUNK).min(deployments);
                    let played: Vec<Played> = (from..to)
                        .map(|number| play_one(policy, scenario, seed, number))
                        .collect();
                    all.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .extend(played);
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Deployment `number` of a scenario is the same for every policy.
fn play_one(policy: Policy<'_>, scenario: &Scenario, seed: u64, number: usize) -> Played {
    let own = scenario.name.bytes().fold(seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let own = own ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut world = World::draw(scenario, own);
    match policy {
        Policy::Ours(plan) => play(plan, &mut world, own.rotate_left(32)),
        Policy::Peer(peer, checks) => peer.play(&mut world, checks),
    }
}

fn row(scenario: &Scenario, played: &[Played]) -> Row {
    let is_right = |played: &&Played| match scenario.truth {
        Truth::Healthy => played.end == End::Healthy,
        Truth::Broken => played.end == End::RolledBack,
    };
    let is_wrong = |played: &&Played| match scenario.truth {
        Truth::Healthy => played.end == End::RolledBack,
        Truth::Broken => played.end != End::RolledBack,
    };
    let time = |played: &Played| match scenario.truth {
        Truth::Healthy => played.passed_ms.unwrap_or(played.after_ms),
        Truth::Broken => played.after_ms,
    };
    let mut times: Vec<u64> = played.iter().filter(is_right).map(time).collect();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied();
    let unsure = |played: &&Played| matches!(played.end, End::Inconclusive | End::Withheld);
    Row {
        scenario: scenario.name.clone(),
        truth: scenario.truth,
        deadline_ms: scenario.deadline.map(super::world::millis),
        chosen_by: scenario.chosen_by,
        wrong: Share::new(played.iter().filter(is_wrong).count(), played.len()),
        inconclusive: Share::new(played.iter().filter(unsure).count(), played.len()),
        decided_ms: at(50).zip(at(95)),
    }
}
