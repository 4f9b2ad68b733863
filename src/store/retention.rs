//! The store is bounded, by age and by size: what has ended goes, oldest first, a little at a time.

use std::collections::{BTreeMap, VecDeque};

use super::sql::retention::{self, Ended, Key, Kind};
use super::{Error, Store};
use crate::domain::{Retention, Timestamp};

/// How many of a kind are looked at at once.
const PAGE: usize = 100;
/// How often the size is asked for at most. What a database says is free differs a little from what was removed.
const ROUNDS_MAX: u32 = 8;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Runs, deliveries and messages that were too old.
    pub too_old: u64,
    /// Runs, deliveries and messages that were too much.
    pub too_much: u64,
    /// Bytes over the size that is wanted, when nothing is left that may go: what is under way, queued or remembered.
    pub over_bytes: u64,
}

impl Store {
    /// Removes what has ended and is older than `retention` keeps it, then the oldest of what is left as long as there is more than
    /// it allows; and deduplication keys after 48 hours. Runs under way, messages that are queued, deliveries that wait and
    /// the ledger stay.
    ///
    /// Each transaction removes a few hundred rows, so that others are written in between.
    ///
    /// # Errors
    /// When the store cannot be read or written; what is gone by then is gone.
    pub async fn purge(&self, now: Timestamp, retention: Retention) -> Result<Purged, Error> {
        self.forget_keys(now).await?;
        let old = now.minus(retention.keep);
        let too_old = self.sweep(old.as_millis(), u64::MAX).await?;
        self.write(move |tx| retention::remove_the_rest(tx, now, old)).await?;
        let mut purged = Purged {
            too_old,
            ..Purged::default()
        };
        for _ in 0..ROUNDS_MAX {
            let over = self.bytes().await?.saturating_sub(retention.bytes_max);
            let gone = if over > 0 { self.sweep(i64::MAX, over).await? } else { 0 };
            purged.too_much += gone;
            purged.over_bytes = over;
            if gone == 0 {
                break;
            }
        }
        Ok(purged)
    }

    /// What the store holds, in bytes. SQLite says so; of PostgreSQL it is estimated from the rows, because the space of
    /// removed ones is free only some time later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn bytes(&self) -> Result<u64, Error> {
        self.read(|db| db.bytes()).await
    }

    async fn forget_keys(&self, now: Timestamp) -> Result<(), Error> {
        let mut after: Key = (String::new(), Vec::new());
        loop {
            let from = after.clone();
            let page = self.read(move |db| retention::keys_after(db, &from, now)).await?;
            let Some((to, is_any_old)) = page else {
                return Ok(());
            };
            if is_any_old {
                let end = to.clone();
                self.write(move |tx| retention::remove_keys(tx, &after, &end, now))
                    .await?;
            }
            after = to;
        }
    }

    /// Removes what ended before `before`, oldest first, until `bytes` of it are gone; how many.
    async fn sweep(&self, before: i64, bytes: u64) -> Result<u64, Error> {
        let mut queues: BTreeMap<Kind, Queue> = Kind::ALL.map(|kind| (kind, Queue::default())).into();
        let (mut removed, mut freed) = (0, 0_u64);
        loop {
            let mut batch = Vec::new();
            while batch.len() < PAGE && freed < bytes {
                let Some(next) = self.next(&mut queues).await? else {
                    break;
                };
                if next.at >= before {
                    break;
                }
                if next.is_done {
                    freed = freed.saturating_add(next.bytes);
                    batch.push(next);
                }
            }
            if batch.is_empty() {
                return Ok(removed);
            }
            removed += batch.len() as u64;
            while !batch.is_empty() {
                let items = batch.clone();
                let gone = self.write(move |tx| retention::remove(tx, &items)).await?;
                batch.drain(..gone);
            }
        }
    }

    /// Takes the oldest of all kinds.
    async fn next(&self, queues: &mut BTreeMap<Kind, Queue>) -> Result<Option<Ended>, Error> {
        for (kind, queue) in queues.iter_mut() {
            if queue.found.is_empty() && !queue.is_at_end {
                let (kind, last) = (*kind, queue.last.clone());
                let question = move |db: &dyn super::Db| retention::oldest(db, kind, last.as_ref(), PAGE);
                let page = self.read(question).await?;
                queue.is_at_end = page.len() < PAGE;
                queue.last = page.last().cloned();
                queue.found = page.into();
            }
        }
        let first = queues.values_mut().filter(|queue| !queue.found.is_empty());
        let oldest = first.min_by_key(|queue| queue.found.front().map(|ended| ended.at));
        Ok(oldest.and_then(|queue| queue.found.pop_front()))
    }
}

/// The oldest of one kind that are left.
#[derive(Default)]
struct Queue {
    found: VecDeque<Ended>,
    last: Option<Ended>,
    is_at_end: bool,
}
