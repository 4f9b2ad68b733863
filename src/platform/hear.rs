//! What a verified delivery says, in our words.

use serde_json::Value as Json;

use super::file::{CommitFields, File, Shape};
use crate::domain::{Commit, Heard};

/// The longest text taken from a delivery, in characters; commit messages are longer, and are cut.
const TEXT_CHARS_MAX: usize = 4_000;
/// The longest id or name. A longer one is none.
const NAME_CHARS_MAX: usize = 200;

/// What a verified delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// Its id in the signed body: the same on every delivery of the same event.
    pub id: Option<String>,
    /// The event in the platform's own word.
    pub event_word: Option<String>,
    /// What happened, if it is something we follow; otherwise the delivery is only kept.
    pub heard: Option<Heard>,
}

impl File {
    /// Reads a delivery's body.
    pub fn hear(&self, body: &Json) -> Hearing {
        let shape = self.shapes.iter().find(|shape| shape.event.text(body).is_some());
        let Some(shape) = shape else {
            return Hearing {
                id: None,
                event_word: None,
                heard: None,
            };
        };
        let name = |text: Option<String>| text.filter(|text| text.chars().count() <= NAME_CHARS_MAX);
        Hearing {
            id: name(shape.id.text(body)),
            event_word: name(shape.event.text(body)),
            heard: heard(shape, body),
        }
    }
}

fn heard(shape: &Shape, body: &Json) -> Option<Heard> {
    let name = |text: Option<String>| text.filter(|text| text.chars().count() <= NAME_CHARS_MAX);
    let event = *shape.events.get(&shape.event.text(body)?)?;
    let deployment = name(shape.deployment.text(body))?;
    Some(Heard {
        event,
        deployment: deployment.as_str().into(),
        project: name(shape.project.text(body)).map(|id| id.as_str().into()),
        app: name(shape.app.text(body)),
        environment: name(shape.environment.text(body)),
        commit: shape.commit.read(body),
        url: shape.url.text(body).map(cut),
        triggered_by: name(shape.triggered_by.text(body)),
    })
}

impl CommitFields {
    pub(super) fn read(&self, json: &Json) -> Commit {
        Commit {
            sha: self.sha.text(json).map(cut),
            message: self.message.text(json).map(cut),
            author: self.author.text(json).map(cut),
            branch: self.branch.text(json).map(cut),
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text,
        Some((end, _)) => text[..end].to_owned(),
    }
}
