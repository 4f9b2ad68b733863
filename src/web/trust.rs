//! Trust: what auto-rollback would have done, how often that was right, and whether an app is ready for it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::api::{Answer, Done, change, unreadable};
use super::extract::{Asked, Form, Segment};
use super::filters::{Filters, Onward};
use super::pages::apps::{after, place_of};
use super::pages::weeks::{self, Picture};
use super::pages::{Frame, render, room};
use super::problem::Problem;
use crate::domain::{Label, RunId};
use crate::store;
use crate::trust::{Alarm, Trust, trust};

/// Alarms shown of one app.
const ALARMS_SHOWN: usize = 8;
/// Apps looked at for one page, and at most for one of the API: each has up to 500 runs to look back on.
const APPS_SHOWN: usize = 6;
const APPS_MAX: usize = 50;
/// Apps in environments that there can be.
const PLACES_MAX: usize = 1_000;
/// Bytes of a page for its apps, and of one app's part of it besides what others wrote and the picture.
const ROOM: usize = 46_000;
const APP_BYTES: usize = 3_000;
const ALARM_BYTES: usize = 420;

/// Which apps, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct TrustAsked {
    /// Of this app.
    app: Option<String>,
    /// The last page's `next`.
    after: Option<String>,
    /// Apps in environments at most.
    #[param(minimum = 1, maximum = 50, default = 6)]
    limit: Option<usize>,
}

/// One app in one environment.
#[derive(Serialize, ToSchema)]
pub(super) struct AppTrust {
    platform: String,
    app: String,
    environment: String,
    #[serde(flatten)]
    trust: Trust,
    /// Where it stands in the list.
    #[serde(skip)]
    place: String,
}

impl AppTrust {
    /// False alarms in percent, and the interval's upper end.
    fn percent(&self) -> String {
        let share = self.trust.false_alarms;
        format!(
            "{:.1} % (95 %: at most {:.1} %)",
            share.value() * 100.0,
            share.high * 100.0
        )
    }
}

/// One of them as the page shows it.
struct Shown {
    of: AppTrust,
    picture: Picture,
    /// The runs behind the alarms that are not listed.
    alarms_left_out: usize,
    /// Where all of its alarms are listed.
    all_alarms: String,
}

/// A person's word on an alarm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelAsked {
    /// Whether the deployment was bad, as the run said.
    label: Label,
}

#[derive(Template)]
#[template(path = "trust.html")]
struct Page {
    apps: Vec<Shown>,
    frame: Frame,
    filters: Filters,
    onward: Onward,
}

/// A page of the apps by name, each with what its runs show.
async fn listed(app: &App, asked: &TrustAsked, limit: usize) -> Result<store::Page<AppTrust>, store::Error> {
    let now = app.clock.now();
    let name = asked.app.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let places = match name {
        Some(name) => app.store.places_of(name).await?,
        None => app.store.places(PLACES_MAX).await?,
    };
    let begin = after(&places, |place| place_of(&place.key), asked.after.as_deref());
    let end = places.len().min(begin + limit);
    let mut items = Vec::new();
    for place in places.get(begin..end).unwrap_or_default() {
        let runs = app.store.judged_runs(&place.key).await?;
        let has_target = app.store.has_known_good(&place.key).await?;
        items.push(AppTrust {
            platform: place.key.platform.to_string(),
            trust: trust(&place.app, &runs, has_target, now),
            app: place.app.clone(),
            environment: place.environment.clone(),
            place: place_of(&place.key),
        });
    }
    let next = items
        .last()
        .map(|last| last.place.clone())
        .filter(|_| end < places.len());
    Ok(store::Page {
        items,
        next,
        looked: None,
    })
}

/// Of each app in each environment: what auto-rollback did or would have done, and whether that was right.
#[utoipa::path(get, path = "/api/v1/trust", operation_id = "list_trust", tag = "trust", params(TrustAsked),
    responses((status = 200, description = "A page of apps, by name", body = store::Page<AppTrust>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<TrustAsked>,
) -> Answer<store::Page<AppTrust>> {
    let limit = asked.limit.unwrap_or(APPS_SHOWN);
    if !(1..=APPS_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is from 1 to {APPS_MAX}")));
    }
    let page = listed(&app, &asked, limit).await;
    page.map(Json).map_err(|error| unreadable(&error))
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<TrustAsked>,
) -> Result<Response, Problem> {
    let filters = Filters::of_trust(&asked.app, &asked.after);
    let page = listed(&app, &asked, APPS_SHOWN).await;
    let page = page.map_err(|error| unreadable(&error))?;
    let page = store::Page {
        items: page.items.into_iter().map(Shown::of).collect(),
        next: page.next,
        looked: None,
    };
    let page = room::fit(page, ROOM, Shown::weigh, |app| app.of.place.clone());
    render(&Page {
        frame,
        onward: filters.onward(&page),
        filters,
        apps: page.items,
    })
}

impl Shown {
    fn of(mut of: AppTrust) -> Self {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("app", of.app.as_str()),
            ("environment", &of.environment),
            ("verdict", "unhealthy"),
        ]);
        let all_alarms = format!("/?{}", query.finish());
        let alarms_left_out = of.trust.alarms.len().saturating_sub(ALARMS_SHOWN);
        of.trust.alarms.truncate(ALARMS_SHOWN);
        for alarm in &mut of.trust.alarms {
            room::clip(&mut alarm.deployment);
        }
        room::clip(&mut of.app);
        room::clip(&mut of.environment);
        room::clip_to(&mut of.trust.sentence, 1_000);
        Self {
            picture: weeks::picture(&of.trust.weeks),
            alarms_left_out,
            all_alarms,
            of,
        }
    }

    /// The bytes it takes, without its picture.
    fn weigh(&self) -> usize {
        let alarm = |alarm: &Alarm| {
            let texts = [
                &alarm.run,
                &alarm.run,
                &alarm.deployment,
                &alarm.action,
                alarm.happened_in_words,
            ];
            ALARM_BYTES + room::bytes(texts)
        };
        let alarms: usize = self.of.trust.alarms.iter().map(alarm).sum();
        let names = [
            self.of.app.as_str(),
            &self.of.environment,
            &self.of.trust.sentence,
            &self.all_alarms,
        ];
        APP_BYTES + alarms + room::bytes(names)
    }
}

/// Keeps a person's word on whether a run was right to find its deployment bad.
#[utoipa::path(post, path = "/api/v1/runs/{id}/label", operation_id = "label_run", tag = "trust",
    params(("id" = String, Path, description = "The run")), request_body = LabelAsked,
    responses((status = 200, description = "It is kept", body = Done)))]
pub(super) async fn label(State(app): State<Arc<App>>, Segment(id): Segment, body: Body) -> Answer<Done> {
    let asked: LabelAsked = change(body, r#"send `{"label": "right"}` or `{"label": "wrong"}`"#).await?;
    keep(&app, &RunId::new(id), asked.label).await?;
    Ok(Json(Done { status: "labelled" }))
}

/// The same from the page's buttons.
pub(super) async fn label_by_form(State(app): State<Arc<App>>, body: Body) -> Result<Redirect, Problem> {
    let form = Form::read(body).await?;
    let unread = || Problem::bad_request("use the buttons of the page");
    let run = form.get("run").ok_or_else(unread)?;
    let label = form.get("label").and_then(Label::of_word).ok_or_else(unread)?;
    keep(&app, &RunId::new(run), label).await?;
    Ok(Redirect::to("/trust"))
}

/// Keeps a person's word on a run.
///
/// # Errors
/// When there is no such run that found its deployment bad.
pub(super) async fn keep(app: &App, run: &RunId, label: Label) -> Result<(), Problem> {
    match app.store.label(run, label).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::not_found("there is no such run that found its deployment bad")),
        Err(error) => Err(unreadable(&error)),
    }
}
