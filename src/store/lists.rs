//! What people and scripts ask of the store.

use super::{
    AppView, DeliveryFilter, DeliveryView, EndpointView, EntryView, Error, MessageFilter, MessageView, Page, RunFilter,
    RunView, Store, sql,
};
use crate::domain::{DeliveryId, MessageId, RunId};

impl Store {
    /// Runs, newest first. Where little fits the filter, a page may end before it is full: see [`Page::looked`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_runs(&self, filter: RunFilter) -> Result<Page<RunView>, Error> {
        self.read(move |db| sql::lists::runs(db, &filter)).await
    }

    /// One run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunView>, Error> {
        let id = id.clone();
        self.read(move |db| sql::views::run(db, &id)).await
    }

    /// The runs that have not ended, oldest first, so many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs_under_way(&self, limit: usize) -> Result<Vec<RunView>, Error> {
        self.read(move |db| sql::views::under_way(db, limit)).await
    }

    /// A page of a run's story, oldest first, after the entry numbered `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn journal(&self, id: &RunId, after: i64, limit: usize) -> Result<Page<EntryView>, Error> {
        let id = id.clone();
        self.read(move |db| sql::views::journal(db, &id, after, limit)).await
    }

    /// Received deliveries, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_deliveries(&self, filter: DeliveryFilter) -> Result<Page<DeliveryView>, Error> {
        self.read(move |db| sql::lists::deliveries(db, &filter)).await
    }

    /// One received delivery, with its headers and body.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryView>, Error> {
        let id = id.clone();
        self.read(move |db| sql::views::delivery(db, &id)).await
    }

    /// Messages, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_messages(&self, filter: MessageFilter) -> Result<Page<MessageView>, Error> {
        self.read(move |db| sql::lists::messages(db, &filter)).await
    }

    /// One message, with its body and attempts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn message(&self, id: &MessageId) -> Result<Option<MessageView>, Error> {
        let id = id.clone();
        self.read(move |db| sql::views::message(db, &id)).await
    }

    /// Endpoints that something was queued for, with how they fare. Counts are of the newest 10,000 messages to each, and of
    /// the newest 10,000 that wait, and that were given up.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn endpoints(&self) -> Result<Vec<EndpointView>, Error> {
        self.read(sql::views::endpoints).await
    }

    /// Apps in environments that a run was about, by name, with their newest run; 1,000 at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn apps(&self) -> Result<Vec<AppView>, Error> {
        self.read(sql::views::apps).await
    }
}
