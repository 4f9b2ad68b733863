//! What agents that share a store ask of it: leases, runs to take over, duties, calls to one another.

use super::{Error, RunRecord, Store, Taken, sql};
use crate::domain::{AgentId, RunId};

impl Store {
    /// Gives `agent` a lease of so long from now on, by the store's own time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn renew(&self, agent: &AgentId, lease_ms: u64) -> Result<(), Error> {
        let agent = agent.clone();
        self.write(move |db| sql::leases::renew(db, &agent, lease_ms)).await
    }

    /// Gives `agent` its first lease. Where only one agent can have the store open, all earlier ones are dead.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn enroll(&self, agent: &AgentId, lease_ms: u64) -> Result<(), Error> {
        let (agent, alone) = (agent.clone(), !self.engine.is_shared());
        self.write(move |db| {
            if alone {
                sql::leases::release_all(db)?;
            }
            sql::leases::renew(db, &agent, lease_ms)
        })
        .await
    }

    /// Ends the lease of `agent`, so that others take its runs at once.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn release(&self, agent: &AgentId) -> Result<(), Error> {
        let agent = agent.clone();
        self.write(move |db| sql::leases::release(db, &agent)).await
    }

    /// Takes over unfinished runs that no living agent owns, oldest first; their former owners' writes are refused from now on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_over(&self, agent: &AgentId, limit: usize) -> Result<Vec<Taken>, Error> {
        let agent = agent.clone();
        self.write(move |db| sql::leases::take_over(db, &agent, limit)).await
    }

    /// The unfinished runs of `agent`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs_of(&self, agent: &AgentId) -> Result<Vec<RunId>, Error> {
        let agent = agent.clone();
        self.read(move |db| sql::leases::runs_of(db, &agent)).await
    }

    /// Takes up one of `agent`'s own runs as it is stored, because what it holds in memory does not follow; `None` if it
    /// ended or is another agent's.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_again(&self, agent: &AgentId, run: &RunId) -> Result<Option<Taken>, Error> {
        let (agent, run) = (agent.clone(), run.clone());
        self.write(move |db| sql::leases::take_again(db, &agent, &run)).await
    }

    /// Takes an ended run to go on with it, as a person wants; a run under way as it is, if it is `agent`'s own. `None` if
    /// there is no such run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_ended(&self, agent: &AgentId, run: &RunId) -> Result<Option<RunRecord>, Error> {
        let (agent, run) = (agent.clone(), run.clone());
        self.write(move |db| sql::leases::take_ended(db, &agent, &run)).await
    }

    /// Takes, or keeps, what one agent does for all; whether it is `agent`'s for the next `for_ms`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_duty(&self, agent: &AgentId, name: &str, for_ms: u64) -> Result<bool, Error> {
        let (agent, name) = (agent.clone(), name.to_owned());
        self.write(move |db| sql::leases::take_duty(db, &agent, &name, for_ms))
            .await
    }

    /// Tells other agents that there is news. Nothing depends on it: who does not hear it finds the news by looking.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn call_others(&self) -> Result<(), Error> {
        if !self.engine.is_shared() {
            return Ok(());
        }
        self.write(|db| db.call()).await
    }

    /// Returns when another agent has called since the last time.
    pub async fn called(&self) {
        self.called.notified().await;
    }
}
