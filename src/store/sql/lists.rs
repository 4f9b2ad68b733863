//! Lists, newest first, by filter and in pages.

use super::super::{
    DeliveryFilter, DeliveryView, Error, MessageFilter, MessagePlace, MessageView, Page, RunFilter, RunView,
};
use super::views::{DELIVERY, MESSAGE, RUN, bounded, delivery_view, message_view, page, run_view};
use super::walk::{Found, Place, Walk, split};
use super::{Cell, Db};
use crate::clock::Ids;
use crate::domain::Timestamp;

/// Runs and messages looked through for one page: their indexes hold what is asked.
pub(crate) const LOOKED_MAX: usize = 10_000;
/// Deliveries looked through for one page: these are read themselves.
pub(crate) const DELIVERIES_LOOKED_MAX: usize = 2_000;

/// The app that a delivery is about.
const DELIVERY_APP: &str = "coalesce(app, (SELECT r.app FROM runs r WHERE r.id = run))";

pub(crate) fn runs(db: &dyn Db, filter: &RunFilter) -> Result<Page<RunView>, Error> {
    let (along, asked) = split([
        ("app", filter.app.as_deref()),
        ("action", filter.action.as_deref()),
        ("verdict", filter.verdict.as_deref()),
        ("environment", filter.environment.as_deref()),
    ]);
    let walk = Walk {
        table: "runs",
        columns: RUN,
        key: &["id"],
        below: below("run", filter.before.as_deref(), filter.until),
        down_to: down_to("run", filter.since),
        along,
        only: None,
        asked,
        looked_max: LOOKED_MAX,
    };
    let limit = bounded(filter.limit);
    let found = walk.find(db, limit + 1, run_view)?;
    Ok(paged(found, limit, walk.looked_max, |run| run.id.clone(), id_of))
}

pub(crate) fn deliveries(db: &dyn Db, filter: &DeliveryFilter) -> Result<Page<DeliveryView>, Error> {
    let asked = [
        ("platform", filter.platform.as_deref()),
        ("event_word", filter.event.as_deref()),
        (DELIVERY_APP, filter.app.as_deref()),
    ];
    let walk = Walk {
        table: "deliveries",
        columns: DELIVERY,
        key: &["id"],
        below: below("dlv", filter.before.as_deref(), filter.until),
        down_to: down_to("dlv", filter.since),
        along: None,
        only: None,
        asked: asked
            .into_iter()
            .filter_map(|(what, word)| Some((what, word?)))
            .collect(),
        looked_max: DELIVERIES_LOOKED_MAX,
    };
    let limit = bounded(filter.limit);
    let found = walk.find(db, limit + 1, delivery_view)?;
    let id = |delivery: &DeliveryView| delivery.id.clone();
    Ok(paged(found, limit, walk.looked_max, id, id_of))
}

/// By the moment they were decided and then by id: their ids carry their run's age, not their own.
pub(crate) fn messages(db: &dyn Db, filter: &MessageFilter) -> Result<Page<MessageView>, Error> {
    let (left, common) = match filter.state.as_deref() {
        Some("delivered") => (None, Some("delivered")),
        other => (other, None),
    };
    let (along, mut asked) = split([
        ("run", filter.run.as_deref()),
        ("endpoint", filter.endpoint.as_deref()),
        ("state", left),
    ]);
    asked.extend(common.map(|state| ("state", state)));
    asked.extend(filter.event.as_deref().map(|event| ("event", event)));
    let at = |moment: Timestamp| vec![Cell::Int(moment.as_millis()), Cell::Text(String::new())];
    let before = filter.before.as_ref();
    let before = before.map(|before| vec![Cell::Int(before.created_at.as_millis()), Cell::Text(before.id.clone())]);
    let walk = Walk {
        table: "messages",
        columns: MESSAGE,
        key: &["created_at", "id"],
        below: lower(before, filter.until.map(at)),
        down_to: filter.since.map(at),
        along,
        only: (along.is_some_and(|(column, _)| column == "state")).then_some("state <> 'delivered'"),
        asked,
        looked_max: LOOKED_MAX,
    };
    let limit = bounded(filter.limit);
    let found = walk.find(db, limit + 1, message_view)?;
    let place = |place: &[Cell]| match place {
        [Cell::Int(at), Cell::Text(id)] => {
            let (created_at, id) = (Timestamp::from_millis(*at), id.clone());
            MessagePlace { created_at, id }.to_string()
        }
        _ => String::new(),
    };
    Ok(paged(found, limit, walk.looked_max, MessageView::place, place))
}

/// A page of what was found; where the walk stopped before the page was full, the next one begins there.
fn paged<T>(
    found: Found<T>,
    limit: usize,
    looked_max: usize,
    id: impl Fn(&T) -> String,
    place: impl Fn(&[Cell]) -> String,
) -> Page<T> {
    let mut page = page(found.items, limit, id);
    if page.next.is_none()
        && let Some(floor) = &found.floor
    {
        page.next = Some(place(floor));
        page.looked = Some(looked_max as u64);
    }
    page
}

fn id_of(place: &[Cell]) -> String {
    match place {
        [Cell::Text(id)] => id.clone(),
        _ => String::new(),
    }
}

/// Below the last page's last row, and below the first id of `until`. Ids sort by age.
fn below(prefix: &str, before: Option<&str>, until: Option<Timestamp>) -> Option<Place> {
    let text = |id: String| vec![Cell::Text(id)];
    let until = until.map(|until| text(Ids::least(prefix, until)));
    lower(before.map(|before| text(before.to_owned())), until)
}

fn down_to(prefix: &str, since: Option<Timestamp>) -> Option<Place> {
    since.map(|since| vec![Cell::Text(Ids::least(prefix, since))])
}

/// The lower of two places: one bound goes along an index, a second would be asked of each row on the way.
fn lower(one: Option<Place>, other: Option<Place>) -> Option<Place> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
