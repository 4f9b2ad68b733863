//! Runs the corpus, and compares what each check came to with what its case says.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::authority::Authority;
use super::corpus::{self, Bad, Case};
use super::run::{Outcome, Row, Run};
use super::servers::Setup;

/// Runs at once; they mostly wait.
const AT_ONCE: usize = 10;
/// Exit code of a config that is refused.
const REFUSED: i32 = 2;

/// What a run should come to.
struct Expected {
    /// What fails, with its reason and words of its detail.
    culprit: Option<(String, Row)>,
    /// Results of other checks that are not `pass`.
    results: BTreeMap<String, String>,
    /// Every check that runs, if the case says so.
    names: Option<Vec<String>>,
    hits: BTreeMap<String, usize>,
    /// Words of the error, if the config is refused.
    refused: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_case_passes_with_its_good_server_and_fails_with_each_bad_one() {
    let with_pending = std::env::var_os("CONFORMANCE_PENDING").is_some();
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let authority = Arc::new(Authority::new());
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    let (mut cases, mut pending) = (0, 0);
    for (file, case) in all() {
        let label = format!("{file}: {}", case.name);
        if !label.contains(&only) {
            continue;
        }
        pending += usize::from(case.pending);
        if case.pending && !with_pending {
            continue;
        }
        cases += 1;
        for (which, run, expected) in runs_of(&case) {
            let (authority, turns) = (Arc::clone(&authority), Arc::clone(&turns));
            let label = format!("{label}, {which}");
            runs.spawn(async move {
                let _turn = turns.acquire().await.expect("never closed");
                let outcome = run.perform(&authority).await;
                let faults = faults(&outcome, &expected);
                (!faults.is_empty()).then(|| format!("{label}\n    {}\n{}", faults.join("\n    "), outcome.story()))
            });
        }
    }
    let count = runs.len();
    let mut wrong: Vec<String> = runs.join_all().await.into_iter().flatten().collect();
    wrong.sort();
    // Past the capture of output, because it must be seen.
    let summary = format!("{cases} cases in {count} runs; {pending} cases are pending\n");
    std::io::stderr().write_all(summary.as_bytes()).expect("a terminal");
    assert!(
        wrong.is_empty(),
        "{} of {count} runs\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases > 0 || !only.is_empty(), "no case ran");
}

fn all() -> impl Iterator<Item = (String, Case)> {
    let files = corpus::read().into_iter();
    files.flat_map(|(file, cases)| cases.into_iter().map(move |case| (file.clone(), case)))
}

/// The good run of a case, and one for each bad server.
fn runs_of(case: &Case) -> Vec<(String, Run, Expected)> {
    let good = Run {
        checks: case.checks.clone(),
        files: case.files.clone(),
        env: case.env.clone(),
        args: case.args.clone(),
        setup: Setup {
            kind: case.server_kind,
            tls: case.tls.clone(),
            health: case.health.clone(),
        },
        https: case.server_kind.is_tls(),
        answers: case.good.clone(),
        other: case.other.clone(),
        ..Run::default()
    };
    let expected = Expected {
        culprit: None,
        results: case.good_results.clone(),
        names: case.check_names.clone(),
        hits: case.good_hits.clone(),
        refused: case.refused.clone(),
    };
    let mut runs = vec![("good".to_owned(), good.clone(), expected)];
    for (number, bad) in case.bad.iter().enumerate() {
        runs.push((
            format!("bad {}", number + 1),
            bad_run(&good, bad),
            bad_expected(case, bad),
        ));
    }
    runs
}

fn bad_run(good: &Run, bad: &Bad) -> Run {
    let good = good.clone();
    Run {
        env: bad.env.clone().unwrap_or(good.env),
        args: bad.args.clone().unwrap_or(good.args),
        setup: Setup {
            kind: bad.server_kind.unwrap_or(good.setup.kind),
            tls: bad.tls.clone().unwrap_or(good.setup.tls),
            health: bad.health.clone().unwrap_or(good.setup.health),
        },
        answers: bad.server.clone().unwrap_or(good.answers),
        other: bad.other.clone().unwrap_or(good.other),
        ..good
    }
}

fn bad_expected(case: &Case, bad: &Bad) -> Expected {
    let row = Row {
        result: bad.result.clone(),
        reason: bad.reason.clone(),
        detail: bad.says.clone(),
    };
    Expected {
        // Without a name it is the one check that there is.
        culprit: Some((bad.check.clone().unwrap_or_default(), row)),
        results: bad.also.clone(),
        names: case.check_names.clone().filter(|_| bad.args.is_none()),
        hits: bad.hits.clone(),
        refused: None,
    }
}

/// What is not as expected, in words.
fn faults(outcome: &Outcome, expected: &Expected) -> Vec<String> {
    if let Some(words) = &expected.refused {
        let refused = outcome.code == Some(REFUSED) && outcome.stderr.contains(words);
        return if refused {
            Vec::new()
        } else {
            vec![format!("expected to be refused with {words:?}")]
        };
    }
    let mut faults = Vec::new();
    if outcome.rows.is_empty() {
        faults.push("no check ran".to_owned());
    }
    let only = outcome.rows.keys().next().filter(|_| outcome.rows.len() == 1);
    let culprit = expected.culprit.as_ref().map(|(name, row)| match only {
        Some(only) if name.is_empty() => (only.clone(), row),
        _ => (name.clone(), row),
    });
    if let Some((name, row)) = &culprit {
        match outcome.rows.get(name) {
            Some(found) if found.result == row.result && found.reason == row.reason => {
                if !found.detail.contains(&row.detail) {
                    faults.push(format!("`{name}` does not say {:?}", row.detail));
                }
            }
            _ => faults.push(format!("`{name}` is not {} for {}", row.result, row.reason)),
        }
    }
    for (name, row) in &outcome.rows {
        if culprit.as_ref().is_some_and(|(culprit, _)| culprit == name) {
            continue;
        }
        let result = expected.results.get(name).map_or("pass", String::as_str);
        if row.result != result {
            faults.push(format!("`{name}` is {}, expected {result}", row.result));
        }
    }
    let unknown = expected.results.keys().filter(|name| !outcome.rows.contains_key(*name));
    faults.extend(unknown.map(|name| format!("there is no check `{name}`")));
    if let Some(names) = &expected.names {
        let mut names = names.clone();
        names.sort();
        if !outcome.rows.keys().eq(names.iter()) {
            faults.push(format!("the checks are not {names:?}"));
        }
    }
    for (on, count) in &expected.hits {
        let hits = outcome.hits(on);
        if hits != *count {
            faults.push(format!("{on} was asked {hits} times, expected {count}"));
        }
    }
    faults
}

#[test]
fn a_corpus_that_proves_nothing_is_refused() {
    let with = |lines: &str| format!("[[case]]\nname = \"x\"\nchecks = \"\"\n{lines}");
    let bad = "bad = [{ server = [], reason = \"status\", says = \"404\" }]";
    let table = [
        (String::new(), "it has no cases"),
        (with(""), "it has no bad server"),
        (with("goood = []"), "unknown field `goood`"),
        (with(&bad.replace("says", "said")), "unknown field `said`"),
        (with(&bad.replace("server = [], ", "")), "a bad server is the good one"),
        (with(&bad.replace("404", "")), "words are expected"),
        (with("good = [{ on = \"/\" }]\nrefused = \"no\""), "meets no server"),
        (
            with(&format!("{bad}\ngood = [{{ on = \"/\" }}]")),
            "a method and a path",
        ),
        (
            with(&format!("{bad}\ngood = [{{ on = \"GET /\", body = \"\", bytes = 1 }}]")),
            "one body",
        ),
        (
            with(&format!("{bad}\ngood = [{{ on = \"GET /\", delay = \"1\" }}]")),
            "is a time",
        ),
        (format!("{}\n{}", with(bad), with(bad)), "two cases are called \"x\""),
    ];
    for (text, why) in &table {
        let error = corpus::parse(text).expect_err(text);
        assert!(error.contains(why), "{text}\n{error}");
    }
    assert!(corpus::parse(&with(bad)).is_ok());
}
