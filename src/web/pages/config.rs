//! What is configured: what is in force and where it comes from, and what the file on disk would change.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, render};
use crate::web::App;
use crate::web::api::config::{self, ConfigAnswer, FileState, FileView, ProblemView, SectionView};
use crate::web::extract::Asked;
use crate::web::problem::Problem;

/// Checks listed; `backstop explain` lists all.
const CHECKS_SHOWN: usize = 200;

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
    more_checks: usize,
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
    let more_checks = checks.len().saturating_sub(CHECKS_SHOWN);
    checks.truncate(CHECKS_SHOWN);
    render(&Page {
        frame,
        hash,
        file,
        warnings,
        sections,
        checks,
        more_checks,
        check: asked.check,
    })
}
