//! What is configured: what is in force and where it comes from, and what the file on disk would change.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, render, room};
use crate::web::App;
use crate::web::api::config::{self, ChangeView, ConfigAnswer, FileState, FileView, ProblemView, SectionView};
use crate::web::extract::Asked;
use crate::web::problem::Problem;

/// Bytes for the values, for the names of the checks, for what the file would change, and for what is wrong with it.
const VALUES_ROOM: usize = 30_000;
const CHECKS_ROOM: usize = 9_000;
const CHANGES_ROOM: usize = 8_000;
const PROBLEMS_ROOM: usize = 4_000;
/// Bytes of a row besides what is in it.
const ROW_BYTES: usize = 110;
/// Characters of a value.
const VALUE_CHARS_MAX: usize = 300;

/// Which check, in full.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct CheckAsked {
    check: Option<String>,
}

#[derive(Template)]
#[template(path = "config.html")]
struct Page {
    frame: Frame,
    hash: String,
    file: Option<FileView>,
    warnings: Vec<ProblemView>,
    sections: Vec<SectionView>,
    checks: Vec<String>,
    /// So many checks, and values, are not shown.
    more_checks: usize,
    more_values: usize,
    /// Only this check is shown.
    check: Option<String>,
}

/// The config, or one check of it.
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<CheckAsked>,
) -> Result<Response, Problem> {
    let ConfigAnswer {
        hash,
        mut sections,
        warnings,
        file,
    } = config::look(&app).await?;
    let mut checks: Vec<String> = sections.iter().filter_map(|s| s.check().map(str::to_owned)).collect();
    match &asked.check {
        None => sections.retain(|section| section.check().is_none()),
        Some(name) => {
            sections.retain(|section| section.check() == Some(name));
            if sections.is_empty() {
                return Err(Problem::not_found("the config has no such check"));
            }
        }
    }
    let known = checks.len();
    let weigh = |name: &String| ROW_BYTES + 4 * name.len();
    checks.truncate(room::fitting(&checks, CHECKS_ROOM, weigh));
    render(&Page {
        frame,
        hash,
        file: file.map(fitting),
        warnings: problems(warnings),
        more_checks: known - checks.len(),
        more_values: fit(&mut sections),
        sections,
        checks,
        check: asked.check,
    })
}

/// Cuts the values to what fits; so many are left out.
fn fit(sections: &mut [SectionView]) -> usize {
    let (mut left, mut left_out) = (VALUES_ROOM, 0);
    for section in sections {
        for value in &mut section.values {
            room::clip_to(&mut value.value, VALUE_CHARS_MAX);
        }
        let before = section.values.len();
        let mut used = 4 * ROW_BYTES + section.name.len();
        section.values.retain(|value| {
            let from = value.from.as_deref().unwrap_or_default();
            used += ROW_BYTES + room::bytes([value.key.as_str(), &value.value, from]);
            used <= left
        });
        left_out += before - section.values.len();
        left = left.saturating_sub(used);
    }
    left_out
}

/// The file, with as much of what is said of it as fits.
fn fitting(mut file: FileView) -> FileView {
    for change in &mut file.changes {
        room::clip(&mut change.key);
        room::clip_any(&mut change.from);
        room::clip_any(&mut change.to);
    }
    let weigh = |change: &ChangeView| {
        let values = [change.from.as_deref(), change.to.as_deref()];
        ROW_BYTES + room::bytes(values.into_iter().flatten().chain([change.key.as_str()]))
    };
    file.changes.truncate(room::fitting(&file.changes, CHANGES_ROOM, weigh));
    FileView {
        problems: problems(file.problems),
        ..file
    }
}

fn problems(mut found: Vec<ProblemView>) -> Vec<ProblemView> {
    for problem in &mut found {
        room::clip_to(&mut problem.message, VALUE_CHARS_MAX);
        if let Some(help) = &mut problem.help {
            room::clip_to(help, VALUE_CHARS_MAX);
        }
    }
    let weigh = |problem: &ProblemView| {
        let help = problem.help.as_deref().unwrap_or_default();
        ROW_BYTES + room::bytes([problem.at.as_str(), &problem.message, help])
    };
    found.truncate(room::fitting(&found, PROBLEMS_ROOM, weigh));
    found
}
