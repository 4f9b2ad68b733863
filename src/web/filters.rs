//! What lists are filtered by: read from an address, shown as a form that needs no script, and kept in the link to the next
//! page.

use std::time::Duration;

use utoipa::openapi::{Object, ObjectBuilder, Type};

use super::api::deliveries::DeliveriesAsked;
use super::api::messages::MessagesAsked;
use super::api::runs::RunsAsked;
use super::problem::Problem;
use crate::domain::{Timestamp, Verdict};
use crate::store::{DeliveryFilter, MessageFilter, MessagePlace, Page, RunFilter};

/// Characters of a filter.
const CHARS_MAX: usize = 300;
/// How far back a duration may reach: ten years.
const AGO_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Words to choose from, each with how a page shows it.
type Choices = &'static [(&'static str, &'static str)];

const VERDICTS: Choices = &[
    (Verdict::Healthy.as_str(), "healthy"),
    (Verdict::Degraded.as_str(), "degraded"),
    (Verdict::Unhealthy.as_str(), "unhealthy"),
    (Verdict::Inconclusive.as_str(), "inconclusive"),
];
/// What a run can have done.
pub(super) const ACTIONS: Choices = &[
    ("rolled back", "rolled back"),
    ("rollback failed", "rollback failed"),
    ("rollback unconfirmed", "rollback unconfirmed"),
    ("withheld", "withheld"),
    ("cancelled", "cancelled"),
    ("superseded", "superseded"),
    ("dismissed", "dismissed"),
    ("drilled", "drilled"),
    ("drill withheld", "drill withheld"),
    ("none", "none"),
];
const STATES: Choices = &[("delivered", "delivered"), ("queued", "waiting"), ("dead", "given up")];

/// What a run can be filtered by, for the API's document.
pub(super) fn verdicts() -> Object {
    one_of(VERDICTS)
}

/// What was done, likewise.
pub(super) fn actions() -> Object {
    one_of(ACTIONS)
}

/// How a message stands, likewise.
pub(super) fn states() -> Object {
    one_of(STATES)
}

fn one_of(choices: Choices) -> Object {
    // A form sends what was left empty, too.
    let words = choices.iter().map(|(word, _)| *word).chain([""]);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

/// A field of a filter.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Its name in the address.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// What was asked; empty where nothing was.
    pub(super) value: String,
    /// What there is to choose from; any text where there is nothing.
    pub(super) choices: Choices,
    pub(super) hint: &'static str,
}

impl Field {
    fn text(name: &'static str, label: &'static str, asked: &Option<String>) -> Self {
        Self {
            name,
            label,
            value: asked.as_deref().unwrap_or_default().trim().to_owned(),
            choices: &[],
            hint: "",
        }
    }

    fn choice(name: &'static str, label: &'static str, asked: &Option<String>, choices: Choices) -> Self {
        let field = Self::text(name, label, asked);
        Self { choices, ..field }
    }

    fn moment(name: &'static str, label: &'static str, asked: &Option<String>) -> Self {
        let field = Self::text(name, label, asked);
        let hint = "2h, or 2026-03-12";
        Self { hint, ..field }
    }
}

/// A filter as a page shows it.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    /// The page's address.
    pub(super) path: &'static str,
    /// What is listed, in the plural.
    pub(super) what: &'static str,
    pub(super) fields: Vec<Field>,
    /// What the next page is asked with.
    cursor: &'static str,
    is_first: bool,
}

/// How a list goes on.
#[derive(Clone, Debug)]
pub(super) struct Onward {
    /// The next page's address.
    pub(super) next: Option<String>,
    /// So many rows were looked through before the page was full.
    pub(super) looked: Option<u64>,
}

impl Filters {
    fn new(path: &'static str, what: &'static str, before: &Option<String>, fields: Vec<Field>) -> Self {
        Self {
            path,
            what,
            fields,
            cursor: "before",
            is_first: said(before).is_none(),
        }
    }

    /// The filter of the page of trust, which goes by name.
    pub(super) fn of_trust(app: &Option<String>, after: &Option<String>) -> Self {
        let fields = vec![Field::text("app", "App", app)];
        Self {
            cursor: "after",
            ..Self::new("/trust", "Apps", after, fields)
        }
    }

    /// It begins with the newest.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Something is left out.
    pub(super) fn is_filtered(&self) -> bool {
        self.fields.iter().any(|field| !field.value.is_empty())
    }

    /// Everything, from the newest on.
    pub(super) fn is_all(&self) -> bool {
        self.is_first && !self.is_filtered()
    }

    /// What leads back to everything is called.
    pub(super) fn back(&self) -> &'static str {
        match self.cursor {
            "after" => "All",
            _ => "All, from the newest",
        }
    }

    /// How the list goes on after this page of it.
    pub(super) fn onward<T>(&self, page: &Page<T>) -> Onward {
        Onward {
            next: page.next.as_deref().map(|place| self.address(place)),
            looked: page.looked,
        }
    }

    fn address(&self, place: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let asked = self.fields.iter().filter(|field| !field.value.is_empty());
        query.extend_pairs(asked.map(|field| (field.name, field.value.as_str())));
        query.append_pair(self.cursor, place);
        format!("{}?{}", self.path, query.finish())
    }
}

impl RunsAsked {
    /// As the store takes it.
    ///
    /// # Errors
    /// When something asked for cannot be.
    pub(super) fn filter(&self, limit: usize, now: Timestamp) -> Result<RunFilter, Problem> {
        Ok(RunFilter {
            app: word(&self.app)?,
            environment: word(&self.environment)?,
            verdict: chosen("verdict", &self.verdict, VERDICTS)?,
            action: chosen("action", &self.action, ACTIONS)?,
            since: moment("since", &self.since, now)?,
            until: moment("until", &self.until, now)?,
            before: word(&self.before)?,
            limit,
        })
    }

    pub(super) fn shown(&self) -> Filters {
        let fields = vec![
            Field::text("app", "App", &self.app),
            Field::text("environment", "Environment", &self.environment),
            Field::choice("verdict", "Verdict", &self.verdict, VERDICTS),
            Field::choice("action", "Done about it", &self.action, ACTIONS),
            Field::moment("since", "Since", &self.since),
            Field::moment("until", "Until", &self.until),
        ];
        Filters::new("/", "Runs", &self.before, fields)
    }
}

impl DeliveriesAsked {
    /// As the store takes it.
    ///
    /// # Errors
    /// When something asked for cannot be.
    pub(super) fn filter(&self, limit: usize, now: Timestamp) -> Result<DeliveryFilter, Problem> {
        Ok(DeliveryFilter {
            platform: word(&self.platform)?,
            app: word(&self.app)?,
            event: word(&self.event)?,
            since: moment("since", &self.since, now)?,
            until: moment("until", &self.until, now)?,
            before: word(&self.before)?,
            limit,
        })
    }

    pub(super) fn shown(&self) -> Filters {
        let fields = vec![
            Field::text("platform", "Platform", &self.platform),
            Field::text("app", "App", &self.app),
            Field::text("event", "Event", &self.event),
            Field::moment("since", "Since", &self.since),
            Field::moment("until", "Until", &self.until),
        ];
        Filters::new("/deliveries", "Deliveries", &self.before, fields)
    }
}

impl MessagesAsked {
    /// As the store takes it.
    ///
    /// # Errors
    /// When something asked for cannot be.
    pub(super) fn filter(&self, limit: usize, now: Timestamp) -> Result<MessageFilter, Problem> {
        let before = word(&self.before)?;
        let before = before.map(|before| {
            let wrong = || Problem::bad_request("`before` is the `next` of an earlier page");
            MessagePlace::of_text(&before).ok_or_else(wrong)
        });
        Ok(MessageFilter {
            run: word(&self.run)?,
            endpoint: word(&self.endpoint)?,
            event: word(&self.event)?,
            state: chosen("state", &self.state, STATES)?,
            since: moment("since", &self.since, now)?,
            until: moment("until", &self.until, now)?,
            before: before.transpose()?,
            limit,
        })
    }

    pub(super) fn shown(&self) -> Filters {
        let fields = vec![
            Field::text("endpoint", "Endpoint", &self.endpoint),
            Field::text("event", "Event", &self.event),
            Field::choice("state", "State", &self.state, STATES),
            Field::text("run", "Run", &self.run),
            Field::moment("since", "Since", &self.since),
            Field::moment("until", "Until", &self.until),
        ];
        Filters::new("/messages", "Messages", &self.before, fields)
    }
}

/// What was asked; a form sends fields that were left empty, too.
fn said(asked: &Option<String>) -> Option<&str> {
    asked.as_deref().map(str::trim).filter(|word| !word.is_empty())
}

fn word(asked: &Option<String>) -> Result<Option<String>, Problem> {
    match said(asked) {
        Some(word) if word.chars().count() > CHARS_MAX => Err(Problem::bad_request(format!(
            "a filter has at most {CHARS_MAX} characters"
        ))),
        word => Ok(word.map(str::to_owned)),
    }
}

fn chosen(name: &str, asked: &Option<String>, choices: Choices) -> Result<Option<String>, Problem> {
    let Some(word) = said(asked) else { return Ok(None) };
    if choices.iter().any(|(known, _)| *known == word) {
        return Ok(Some(word.to_owned()));
    }
    let known: Vec<String> = choices.iter().map(|(known, _)| format!("`{known}`")).collect();
    Err(Problem::bad_request(format!("`{name}` is one of {}", known.join(", "))))
}

/// How long ago, at most `max`; a lone zero is a duration to the parser, and has no unit.
pub(super) fn ago(text: &str, max: Duration) -> Option<Duration> {
    let ago = humantime::parse_duration(text).ok().filter(|_| text != "0");
    ago.filter(|ago| *ago <= max)
}

/// A moment, a day, or how long ago.
fn moment(name: &str, asked: &Option<String>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = said(asked) else { return Ok(None) };
    let found = ago(text, AGO_MAX)
        .map(|ago| now.minus(ago))
        .or_else(|| Timestamp::parse_rfc3339(text))
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")));
    match found {
        Some(at) => Ok(Some(at)),
        None => Err(Problem::bad_request(format!(
            "`{name}` is how long ago, such as `2h`, a day, such as `2026-03-12`, or a moment, such as `2026-03-12T14:00:00Z`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_773_325_867_000);

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_next_page_keeps_the_filter() {
        let page = |next: &str| Page::<()> {
            items: Vec::new(),
            next: some(next),
            looked: None,
        };
        let wanted = RunsAsked {
            app: some("a&b=c"),
            verdict: some("unhealthy"),
            since: some(" "),
            before: some("run_2"),
            ..RunsAsked::default()
        };
        let next = |asked: &RunsAsked| asked.shown().onward(&page("run_1")).next.unwrap();
        assert_eq!(next(&wanted), "/?app=a%26b%3Dc&verdict=unhealthy&before=run_1");
        assert_eq!(next(&RunsAsked::default()), "/?before=run_1");
        assert!(wanted.shown().is_filtered() && !wanted.shown().is_first());
        assert!(RunsAsked::default().shown().is_all());
    }

    #[test]
    fn what_is_left_empty_is_no_filter_and_what_cannot_be_is_refused() {
        let of = |field: &str, text: &str| -> Result<RunFilter, Problem> {
            let mut asked = RunsAsked::default();
            let place = match field {
                "app" => &mut asked.app,
                "verdict" => &mut asked.verdict,
                "action" => &mut asked.action,
                _ => &mut asked.since,
            };
            *place = some(text);
            asked.filter(50, NOW)
        };
        assert_eq!(of("app", "  ").unwrap().app, None);
        assert_eq!(of("app", " shop ").unwrap().app, some("shop"));
        assert_eq!(of("action", "rolled back").unwrap().action, some("rolled back"));
        let long = "x".repeat(301);
        for (field, text) in [
            ("app", long.as_str()),
            ("verdict", "helathy"),
            ("action", "rolled-back"),
            ("since", "yesterday"),
            ("since", "0"),
            ("since", "2026-13-01"),
        ] {
            assert!(of(field, text).is_err(), "{field} {text}");
        }
        for (text, ms) in [
            ("2h", NOW.as_millis() - 7_200_000),
            ("2026-03-12", 1_773_273_600_000),
            ("2026-03-12T14:31:07Z", 1_773_325_867_000),
        ] {
            assert_eq!(
                of("since", text).unwrap().since,
                Some(Timestamp::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_place_among_messages_is_read_back() {
        let place = MessagePlace {
            created_at: NOW,
            id: "whk_01k-2".to_owned(),
        };
        let asked = MessagesAsked {
            before: Some(place.to_string()),
            state: some("dead"),
            ..MessagesAsked::default()
        };
        assert_eq!(asked.filter(1, NOW).unwrap().before, Some(place));
        let wrong = MessagesAsked {
            before: some("whk_1"),
            ..MessagesAsked::default()
        };
        assert!(wrong.filter(1, NOW).is_err());
    }
}
