//! What no delivery told of, as the store keeps it.

use super::{Error, NewMessage, PAGE_MAX, Store, sql};
use crate::domain::{AppPlace, Deployment, DeploymentId, Fleet, Heard, PlatformName, Timestamp};

impl Store {
    /// The apps and environments that runs were about, or that were adopted, by name; so many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places(&self, limit: usize) -> Result<Vec<AppPlace>, Error> {
        self.read(move |db| sql::trust::places(db, None, limit)).await
    }

    /// The environments of the app with this name that runs were about, or that were adopted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places_of(&self, app: &str) -> Result<Vec<AppPlace>, Error> {
        let app = app.to_owned();
        self.read(move |db| sql::trust::places(db, Some(&app), PAGE_MAX)).await
    }

    /// Keeps what is live in a place that nothing was heard of as its baseline; whether nobody did before.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn adopt(&self, place: AppPlace, live: Option<Deployment>) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write(move |tx| sql::silence::adopt(tx, &place, live.as_ref(), now))
            .await
    }

    /// Whether a run was about `deployment`, or about a newer one in its place, or it is what was adopted there. One of
    /// which nobody says when it was made counts as known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn knows(&self, deployment: &Deployment) -> Result<bool, Error> {
        let deployment = deployment.clone();
        self.read(move |db| sql::runs::knows(db, &deployment)).await
    }

    /// Deployments of `platform` that became ready before `before` and that nothing was heard of since, oldest first.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn awaited(&self, platform: &PlatformName, before: Timestamp) -> Result<Vec<Heard>, Error> {
        let platform = platform.clone();
        self.write(move |tx| sql::silence::awaited(tx, &platform, before)).await
    }

    /// Ends waiting for a deployment, and queues what is told of that; whether nobody else had.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_waiting(
        &self,
        platform: &PlatformName,
        deployment: &DeploymentId,
        told: Vec<NewMessage>,
    ) -> Result<bool, Error> {
        let (platform, deployment) = (platform.clone(), deployment.clone());
        self.write(move |tx| sql::silence::end_waiting(tx, &platform, &deployment, &told))
            .await
    }

    /// The apps that have a known-good version, and when each of them was last found bad.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fleet(&self, now: Timestamp) -> Result<Fleet, Error> {
        self.read(move |db| sql::ledger::fleet_at_large(db, now)).await
    }
}
