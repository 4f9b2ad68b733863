//! What the courier and whoever tells something ask of the store.

use std::collections::BTreeSet;

use super::{
    Attempt, Due, EndpointStanding, Error, Faring, Message, NewMessage, Next, ReplayFilter, Replayed, Store, sql,
};
use crate::domain::{AgentId, EndpointName, MessageId, Timestamp};

impl Store {
    /// Takes messages to attempt now, the gravest first, then the oldest; none to an endpoint that is switched off, and none that
    /// an earlier one about the same goes before. What is taken is given to nobody else until its attempt is recorded, or
    /// `agent`'s lease ends.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_due(&self, agent: &AgentId, now: Timestamp, due: Due) -> Result<Vec<Message>, Error> {
        let agent = agent.clone();
        self.write(move |tx| sql::outbox::take_due(tx, &agent, now, &due)).await
    }

    /// Gives back what `agent` took, but for `kept`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn give_back(&self, agent: &AgentId, kept: BTreeSet<MessageId>) -> Result<(), Error> {
        let agent = agent.clone();
        self.write(move |tx| sql::outbox::give_back(tx, &agent, &kept)).await
    }

    /// When the next message will be due that is not due at `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.read(move |db| sql::outbox::next_due(db, now)).await
    }

    /// Queues messages that no run and no trouble says.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn queue(&self, messages: Vec<NewMessage>) -> Result<(), Error> {
        self.write(move |tx| messages.iter().try_for_each(|message| sql::outbox::queue(tx, message)))
            .await
    }

    /// Keeps an attempt and what follows from it. Returns how the endpoint fares.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record_attempt(&self, attempt: Attempt, next: Next) -> Result<Faring, Error> {
        self.write(move |tx| sql::outbox::record_attempt(tx, &attempt, &next))
            .await
    }

    /// Queues what others are told of an endpoint that fails; whether nobody had been told since it began to.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn endpoint_fails(&self, endpoint: EndpointName, told: Vec<NewMessage>) -> Result<bool, Error> {
        self.write(move |tx| sql::endpoints::tell(tx, &endpoint, &told)).await
    }

    /// Switches an endpoint off: what waits for it is kept. With `probed`, one message is tried from time to time, and the first
    /// that is delivered switches it on again. Whether it was on; then others are told.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn endpoint_off(
        &self,
        endpoint: EndpointName,
        reason: String,
        probed: bool,
        told: Vec<NewMessage>,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write(move |tx| sql::endpoints::off(tx, &endpoint, &reason, probed, &told, now))
            .await
    }

    /// Queues a message again, with the same id and bytes; whether there is such a message.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replay(&self, id: &MessageId, now: Timestamp) -> Result<bool, Error> {
        let id = id.clone();
        self.write(move |tx| sql::outbox::replay(tx, &id, now)).await
    }

    /// Queues messages again, with the same ids and bytes.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replay_all(&self, filter: ReplayFilter, now: Timestamp) -> Result<Replayed, Error> {
        self.write(move |tx| sql::outbox::replay_all(tx, &filter, now)).await
    }

    /// Switches an endpoint on, and forgets how it failed; whether there was anything to forget.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn endpoint_on(&self, endpoint: EndpointName) -> Result<bool, Error> {
        self.write(move |tx| sql::endpoints::forget(tx, &endpoint)).await
    }

    /// Endpoints that something waits for, or whose last attempt failed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn outbox_standing(&self) -> Result<Vec<EndpointStanding>, Error> {
        self.read(sql::endpoints::standing).await
    }

    // What is told of the agents' own standing.

    /// Queues messages that no run and no state follows from.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn tell(&self, told: Vec<NewMessage>) -> Result<(), Error> {
        let queue = move |tx: &dyn sql::Db| told.iter().try_for_each(|message| sql::outbox::queue(tx, message));
        self.write(queue).await
    }

    /// Keeps that rollbacks are not possible because of `about`, and queues what is told of it; whether that is new.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn begin_trouble(&self, about: &str, reason: &str, told: Vec<NewMessage>) -> Result<bool, Error> {
        let (about, reason, now) = (about.to_owned(), reason.to_owned(), self.clock.now());
        self.write(move |tx| sql::troubles::begin(tx, &about, &reason, &told, now))
            .await
    }

    /// Ends what was kept of `about`, and queues what is told of that; whether there was anything.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_trouble(&self, about: &str, told: Vec<NewMessage>) -> Result<bool, Error> {
        let about = about.to_owned();
        self.write(move |tx| sql::troubles::end(tx, &about, &told)).await
    }

    /// What keeps rollbacks from being possible now: about what, why, and since when.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn troubles(&self) -> Result<Vec<(String, String, Timestamp)>, Error> {
        self.read(sql::troubles::all).await
    }
}
