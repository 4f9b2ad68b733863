//! What the pretend platform knows, and how its generations show it.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::webhooks::{Sent, Webhook};
use super::{APP, ENVIRONMENT, ENVIRONMENT_NAME, PROJECT};
use crate::clock::Ids;
use crate::domain::Timestamp;
use crate::pretend::Release;

/// Which contract it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// What its public guide documents.
    Guide,
    /// January 2026: empty project names, no address; going back makes the same deployment current again.
    G1,
    /// February to July 2026: going back makes a new deployment.
    G2,
    /// From August 2026: what was replaced is `stopped`.
    G3,
}

impl Generation {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Guide, Self::G1, Self::G2, Self::G3];
}

/// What goes wrong with rollback calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackFault {
    /// Nothing.
    None,
    /// It answers as if it had gone back, and does nothing.
    DoesNothing,
    /// It goes back, and answers 500.
    LosesTheAnswer,
    /// It takes this long before it goes back.
    Takes(Duration),
}

/// A rollback call as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackCall {
    /// The deployment to go back to.
    pub target: String,
    /// The status it was answered with.
    pub status: u16,
}

/// One deployment.
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) status: String,
    pub(super) release: Release,
    pub(super) created_at: Timestamp,
    pub(super) live_at: Timestamp,
    pub(super) has_image: bool,
    pub(super) rolled_back_from: Option<u64>,
    /// What was current before it.
    pub(super) before: Option<u64>,
}

pub(super) struct State {
    pub(super) generation: Generation,
    pub(super) rows: Vec<Row>,
    pub(super) current: Option<u64>,
    /// Projects besides the one that deploys, by id and slug.
    pub(super) more_projects: Vec<(u64, String)>,
    pub(super) webhooks: Vec<Webhook>,
    /// What its webhooks sent, oldest first.
    pub(super) sent: Vec<Sent>,
    /// The permissions that the token lacks.
    pub(super) denied: Vec<String>,
    pub(super) webhook_changes: u64,
    pub(super) calls: Vec<RollbackCall>,
    pub(super) fault: RollbackFault,
    pub(super) app_url: String,
    /// Requests to the app with a `traceparent`: path and value.
    pub(super) traced: Vec<(String, String)>,
    /// Requests to the API with one.
    pub(super) api_traced: u64,
    pub(super) requests: u64,
    pub(super) deliveries: u64,
}

impl State {
    pub(super) fn new(generation: Generation) -> Self {
        Self {
            generation,
            rows: Vec::new(),
            current: None,
            more_projects: Vec::new(),
            webhooks: Vec::new(),
            sent: Vec::new(),
            denied: Vec::new(),
            webhook_changes: 0,
            calls: Vec::new(),
            fault: RollbackFault::None,
            app_url: String::new(),
            traced: Vec::new(),
            api_traced: 0,
            requests: 0,
            deliveries: 0,
        }
    }

    /// A new deployment that is not current yet.
    pub(super) fn create(&mut self, release: Release, rolled_back_from: Option<u64>, at: Timestamp) -> u64 {
        let id = 41 + self.rows.len() as u64;
        self.rows.push(Row {
            id,
            status: "running".to_owned(),
            release,
            created_at: at,
            live_at: at,
            has_image: true,
            rolled_back_from,
            before: None,
        });
        id
    }

    /// Routes traffic to `id`; what was current before is kept in the state that the generation leaves it in.
    pub(super) fn make_current(&mut self, id: u64, now: Timestamp) {
        let before = self.current.replace(id);
        let superseded = match self.generation {
            Generation::G1 | Generation::G2 => "completed",
            Generation::G3 | Generation::Guide => "stopped",
        };
        if let Some(row) = before
            .filter(|before| *before != id)
            .and_then(|before| self.row_mut(before))
        {
            row.status = superseded.to_owned();
        }
        if let Some(row) = self.row_mut(id) {
            row.status = "completed".to_owned();
            row.live_at = now;
            row.before = before;
        }
    }

    pub(super) fn row(&self, id: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    pub(super) fn row_mut(&mut self, id: u64) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.id == id)
    }

    /// An id as people and deliveries see it.
    pub(super) fn show(&self, id: u64) -> String {
        match self.generation {
            Generation::Guide => format!("dep_{id}"),
            Generation::G1 | Generation::G2 | Generation::G3 => id.to_string(),
        }
    }

    pub(super) fn find(&self, shown: &str) -> Option<u64> {
        self.rows.iter().map(|row| row.id).find(|id| self.show(*id) == shown)
    }

    /// An id in JSON: the guide has texts, the code has numbers.
    fn id(&self, id: u64) -> Json {
        match self.generation {
            Generation::Guide => self.show(id).into(),
            Generation::G1 | Generation::G2 | Generation::G3 => id.into(),
        }
    }

    /// The body of a delivery: `what` is `started`, `live` or `rolled_back`.
    pub(super) fn payload(&self, id: u64, what: &str, at: Timestamp) -> Json {
        let release = self.row(id).map(|row| row.release.clone());
        let (commit, message) = release.map_or_else(Default::default, |release| (release.commit, release.message));
        match self.generation {
            Generation::Guide => json!({
                "event": format!("deploy.{what}"), "timestamp": at.to_string(), "delivery_id": Ids::default().next("whk", at),
                "deployment_id": self.id(id), "app": APP, "environment": ENVIRONMENT_NAME, "url": self.app_url,
                "commit": {"sha": commit, "message": message, "author": "Ada", "branch": "main"},
                "triggered_by": "git_push",
            }),
            generation => {
                let named = generation != Generation::G1;
                let status = if what == "live" { "succeeded" } else { "created" };
                json!({
                    "id": Ids::default().next("evt", at), "event_type": format!("deployment_{status}"),
                    "timestamp": at.to_string(), "project_id": PROJECT,
                    "payload": {
                        "deployment_id": self.id(id), "project_id": PROJECT,
                        "project_name": if named { "Shop" } else { "" }, "environment": ENVIRONMENT_NAME,
                        "branch": named.then_some("main"), "commit_sha": commit,
                        "commit_message": named.then_some(message), "url": named.then_some(&self.app_url),
                        "status": status, "error_message": null, "started_at": null, "finished_at": at.to_string(),
                    },
                })
            }
        }
    }

    /// A deployment as the API shows it.
    pub(super) fn deployment(&self, row: &Row) -> Json {
        let rolled_back = row.rolled_back_from;
        json!({
            "id": self.id(row.id), "project_id": PROJECT, "environment_id": ENVIRONMENT,
            "environment": {"id": ENVIRONMENT, "name": "Production", "slug": ENVIRONMENT_NAME, "domains": [self.app_url]},
            "status": row.status, "url": self.app_url, "commit_hash": row.release.commit,
            "commit_message": row.release.message, "branch": "main", "tag": null,
            "created_at": row.created_at.as_millis(), "commit_author": "Ada",
            "is_current": self.current == Some(row.id),
            "metadata": rolled_back.map(|from| json!({"isRollback": true, "rolledBackFromId": self.id(from)})),
        })
    }

    /// The environment as the API shows it.
    pub(super) fn environment(&self) -> Json {
        json!({
            "id": ENVIRONMENT, "project_id": PROJECT, "name": "Production", "slug": ENVIRONMENT_NAME,
            "main_url": "shop-production", "current_deployment_id": self.current.map(|id| self.id(id)),
            "is_preview": false,
        })
    }
}
