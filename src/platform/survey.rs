//! Everywhere that a platform may have something live, whether or not a delivery ever spoke of it.

use serde_json::Value as Json;

use super::file::{List, Setup};
use super::{Error, Platform, Urgency};
use crate::domain::AppPlace;
use crate::step::Values;

/// Pages of one list that are read.
const PAGES_MAX: u32 = 50;
/// Places that are told.
const PLACES_MAX: usize = 10_000;

/// An app in one environment, as the platform lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// Which.
    pub place: AppPlace,
    /// Whether it is a preview environment.
    pub preview: bool,
}

impl Platform {
    /// Whether the token may read; nothing if the platform file does not say how to try it.
    ///
    /// # Errors
    /// When the platform cannot be asked.
    pub async fn try_token(&self) -> Result<(), Error> {
        let Some(setup) = &self.file.setup else { return Ok(()) };
        self.page(&setup.projects, &self.values(), 1).await.map(drop)
    }

    /// Every environment of every project, up to 10,000; none if the platform file does not say how to list them.
    ///
    /// # Errors
    /// When the platform cannot be asked.
    pub async fn survey(&self) -> Result<Vec<Surveyed>, Error> {
        let mut found = Vec::new();
        let Some(setup) = &self.file.setup else {
            return Ok(found);
        };
        if setup.environments.is_none() {
            return Ok(found);
        }
        for project in self.list(&setup.projects, &self.values()).await? {
            found.extend(self.environments(setup, &project).await?);
            if found.len() >= PLACES_MAX {
                tracing::warn!(platform = %self.name, "more than {PLACES_MAX} environments: the rest is not looked at");
                found.truncate(PLACES_MAX);
                break;
            }
        }
        Ok(found)
    }

    async fn environments(&self, setup: &Setup, project: &Json) -> Result<Vec<Surveyed>, Error> {
        let (Some(environments), Some(id)) = (&setup.environments, setup.project_id.text(project)) else {
            return Ok(Vec::new());
        };
        let app = setup.project_name.text(project).unwrap_or_else(|| id.clone());
        let mut values = self.values();
        values.insert("project", id.as_str(), false);
        let listed = self.list(&environments.list, &values).await?;
        let read = listed.iter().filter_map(|environment| {
            let environment_id = environments.id.text(environment)?;
            let name = environments.name.text(environment);
            Some(Surveyed {
                preview: environments.preview.find(environment) == Some(&Json::Bool(true)),
                place: AppPlace {
                    key: crate::domain::AppKey {
                        platform: self.name.clone(),
                        project: id.as_str().into(),
                        environment: environment_id.as_str().into(),
                    },
                    app: app.clone(),
                    environment: name.unwrap_or(environment_id),
                },
            })
        });
        Ok(read.collect())
    }

    /// A whole list. Where its request names a `{{ page }}`, it is read page by page until one is empty or says the same
    /// as the one before.
    pub(super) async fn list(&self, list: &List, values: &Values) -> Result<Vec<Json>, Error> {
        let in_pages = list.step.slots().iter().any(|slot| slot == "page");
        let mut items = self.page(list, values, 1).await?;
        let (full, mut last) = (items.len(), items.first().cloned());
        for number in 2..=PAGES_MAX {
            if !in_pages || full == 0 || !items.len().is_multiple_of(full) {
                break;
            }
            let page = self.page(list, values, number).await?;
            if page.is_empty() || page.first() == last.as_ref() {
                break;
            }
            last = page.first().cloned();
            items.extend(page);
        }
        Ok(items)
    }

    async fn page(&self, list: &List, values: &Values, number: u32) -> Result<Vec<Json>, Error> {
        let mut values = values.clone();
        values.insert("page", number.to_string(), false);
        let (json, _) = self.ask(Urgency::Background, &list.step, &values).await?;
        Ok(list.items.array(&json).unwrap_or_default())
    }
}
