//! Whether a bad deployment could be rolled back now: looked at before one is there, and told of when it changes.
//!
//! What a rollback needs is tried at start and every 15 minutes: the platform's token and the controls; and every 20 seconds
//! the store and the fleet brake. What fails is tried again soon, and is told of as `protection.lost` once it has
//! failed for a while, so that a restart of the platform wakes nobody; `protection.restored` follows when it works again.
//! Both are rows of the store, so several agents, and one that starts anew, tell of each trouble once. Where no policy may
//! roll back there is nothing to lose.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::notices::Notices;
use super::perform::Performer;
use crate::clock::Clock;
use crate::domain::{AgentId, Notice, OutcomeEvent, PlatformName, Timestamp};
use crate::machine::Controls;
use crate::outcome;
use crate::store::{self, Store};

/// How often it is seen whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// What works is tried again after this.
const TRY_EVERY_MS: u64 = 15 * 60_000;
/// What failed is tried again after this.
const AGAIN_MS: u64 = 20_000;
/// What has failed for this long is told of.
const LASTS_MS: u64 = 40_000;
/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(30);
/// One agent tries for all.
const DUTY_MS: u64 = 60_000;

/// What a rollback needs, in the words that tell of it.
const CONTROLS: &str = "controls";
const FLEET_BRAKE: &str = "fleet brake";
const STORE: &str = "store";
/// The config, told of by whoever reads it.
pub(super) const CONFIG: &str = "config";

/// Tells of what makes rollbacks impossible, and of its end.
#[derive(Clone)]
pub(super) struct Protection {
    pub(super) store: Store,
    pub(super) notices: Notices,
    pub(super) clock: Clock,
}

impl Protection {
    /// Keeps and tells that rollbacks are impossible because of `about`, unless that is known.
    pub(super) async fn lost(&self, about: &str, reason: &str) -> Result<(), store::Error> {
        let told = self
            .notices
            .messages(&self.notice(OutcomeEvent::ProtectionLost, about, reason));
        if self.store.begin_trouble(about, reason, told).await? {
            tracing::error!(about, reason, "a bad deployment could not be rolled back now");
            self.notices.queued();
        }
        Ok(())
    }

    /// Keeps and tells that this is over, if it was known.
    pub(super) async fn restored(&self, about: &str, reason: &str) -> Result<(), store::Error> {
        let told = self
            .notices
            .messages(&self.notice(OutcomeEvent::ProtectionRestored, about, reason));
        if self.store.end_trouble(about, told).await? {
            tracing::info!(about, reason, "bad deployments can be rolled back again");
            self.notices.queued();
        }
        Ok(())
    }

    fn notice(&self, event: OutcomeEvent, about: &str, reason: &str) -> Notice {
        Notice {
            event,
            at: self.clock.now(),
            about: about.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Tries what a rollback needs.
pub(super) struct Sentinel {
    pub(super) agent: AgentId,
    pub(super) performer: Performer,
    pub(super) protection: Protection,
    pub(super) stop: CancellationToken,
}

/// How one thing that a rollback needs fares.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tried {
    due: Option<Timestamp>,
    failing_since: Option<Timestamp>,
}

/// What a try showed.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Works,
    /// It may pass: told of if it lasts.
    Fails(String),
    /// It will not pass by itself: told of at once.
    Refused(String),
}

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Lost(String),
    Restored,
}

impl Tried {
    fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Takes what a try showed. That something works is news too: it may have been told of before this agent started.
    fn judge(&mut self, found: Found, now: Timestamp) -> Option<News> {
        let (wait_ms, news) = match found {
            Found::Works => {
                self.failing_since = None;
                (TRY_EVERY_MS, Some(News::Restored))
            }
            Found::Fails(why) => {
                let since = *self.failing_since.get_or_insert(now);
                let lasts = now.ms_since(since) >= LASTS_MS;
                (AGAIN_MS, lasts.then_some(News::Lost(why)))
            }
            Found::Refused(why) => (AGAIN_MS, Some(News::Lost(why))),
        };
        self.due = Some(now.plus_ms(wait_ms));
        news
    }
}

impl Sentinel {
    /// Tries until stopped.
    pub(super) async fn run(self) {
        let (mut tried, mut watch) = (BTreeMap::new(), StoreWatch::default());
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.look(&mut tried, &mut watch) => {}
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self, tried: &mut BTreeMap<String, Tried>, watch: &mut StoreWatch) {
        let may_roll_back = self.performer.config.load().may_roll_back();
        watch.look(&self.performer, &self.protection, may_roll_back).await;
        if !may_roll_back {
            return;
        }
        let store = &self.performer.store;
        match store.take_duty(&self.agent, "protection", DUTY_MS).await {
            Ok(true) => self.try_all(tried).await,
            // Whoever has it tells; what was seen before is old by the time it is ours again.
            Ok(false) => tried.clear(),
            Err(error) => tracing::warn!(error = %error, "whose turn it is to look could not be read; later again"),
        }
    }

    async fn try_all(&self, tried: &mut BTreeMap<String, Tried>) {
        let mut abouts: Vec<String> = [CONTROLS, FLEET_BRAKE, STORE, CONFIG].map(str::to_owned).to_vec();
        let names: Vec<PlatformName> = self.performer.platforms.load().keys().cloned().collect();
        for name in &names {
            let about = format!("platform {name}");
            if is_due(tried, &about, self.performer.clock.now()) {
                let found = self.try_token(name).await;
                self.judge(tried, &about, "it answers and takes the token", found).await;
            }
            abouts.push(about);
        }
        if is_due(tried, CONTROLS, self.performer.clock.now()) {
            let found = self.try_controls().await;
            self.judge(tried, CONTROLS, "most of them answer", found).await;
        }
        let found = self.try_brake().await;
        self.judge(tried, FLEET_BRAKE, "few enough apps fail together", found)
            .await;
        self.forget_others(&abouts).await;
    }

    async fn judge(&self, tried: &mut BTreeMap<String, Tried>, about: &str, works: &str, found: Found) {
        let now = self.performer.clock.now();
        let news = tried.entry(about.to_owned()).or_default().judge(found, now);
        let told = match news {
            None => return,
            Some(News::Lost(why)) => self.protection.lost(about, &why).await,
            Some(News::Restored) => self.protection.restored(about, works).await,
        };
        if let Err(error) = told {
            tracing::warn!(about, error = %error, "whether rollbacks are possible could not be told; later again");
            tried.remove(about);
        }
    }

    async fn try_token(&self, name: &PlatformName) -> Found {
        let Ok(platform) = self.performer.platform(name) else {
            return Found::Works;
        };
        match timeout(TRY_MAX, platform.try_token()).await {
            Ok(Ok(())) => Found::Works,
            Ok(Err(error)) if error.is_denial() => Found::Refused(format!("it refuses the token: {error}")),
            Ok(Err(error)) => Found::Fails(error.to_string()),
            Err(_) => Found::Fails(format!("no answer in {} s", TRY_MAX.as_secs())),
        }
    }

    async fn try_controls(&self) -> Found {
        let config = self.performer.config.load_full();
        match self.performer.controls(&config).await {
            Controls::Down => Found::Fails("most of them do not answer: this agent may be offline".to_owned()),
            Controls::Up | Controls::Unasked => Found::Works,
        }
    }

    async fn try_brake(&self) -> Found {
        let config = self.performer.config.load_full();
        let Some(brake) = config.base_settings.rollback.fleet_brake else {
            return Found::Works;
        };
        let now = self.performer.clock.now();
        match self.performer.store.fleet(now).await {
            Ok(fleet) => {
                let failing = brake.within(&fleet.failing_at, now);
                if brake.is_on(failing, fleet.enrolled) {
                    Found::Refused(format!("{failing} of {} apps fail together", fleet.enrolled))
                } else {
                    Found::Works
                }
            }
            Err(error) => Found::Fails(error.to_string()),
        }
    }

    /// What was told of something that is not in the config any more is over.
    async fn forget_others(&self, abouts: &[String]) {
        let Ok(troubles) = self.performer.store.troubles().await else {
            return;
        };
        for (about, _, _) in troubles.iter().filter(|(about, _, _)| !abouts.contains(about)) {
            if let Err(error) = self
                .protection
                .restored(about, "it is not in the config any more")
                .await
            {
                tracing::warn!(about, error = %error, "whether rollbacks are possible could not be told; later again");
            }
        }
    }
}

fn is_due(tried: &BTreeMap<String, Tried>, about: &str, now: Timestamp) -> bool {
    tried.get(about).is_none_or(|tried| tried.is_due(now))
}

/// How the store fares. Its trouble is told of through the store where that still takes a message, else without it.
#[derive(Debug, Default)]
struct StoreWatch {
    failing_since: Option<Timestamp>,
    told: Option<Told>,
    /// It was seen to work since this agent started.
    worked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    InStore,
    Directly,
}

impl StoreWatch {
    async fn look(&mut self, performer: &Performer, protection: &Protection, may_roll_back: bool) {
        let wrote = timeout(TRY_MAX, performer.store.writable()).await;
        let wrote = wrote.map_or_else(
            |_| Err(format!("it took more than {} s to write", TRY_MAX.as_secs())),
            |written| written.map_err(|error| error.to_string()),
        );
        match wrote {
            Ok(()) => self.works(protection).await,
            Err(why) => self.fails(performer, protection, may_roll_back, &why).await,
        }
    }

    async fn works(&mut self, protection: &Protection) {
        self.failing_since = None;
        if self.told.is_none() && self.worked {
            return;
        }
        let written = async {
            if self.told == Some(Told::Directly) {
                let reason = "it could not be written; that was told without it";
                protection.store.begin_trouble(STORE, reason, Vec::new()).await?;
            }
            protection.restored(STORE, "it can be written again").await
        };
        match written.await {
            Ok(()) => (self.told, self.worked) = (None, true),
            Err(error) => tracing::warn!(error = %error, "that the store works again could not be told; later again"),
        }
    }

    async fn fails(&mut self, performer: &Performer, protection: &Protection, may_roll_back: bool, why: &str) {
        let now = performer.clock.now();
        let since = *self.failing_since.get_or_insert(now);
        if !may_roll_back || self.told.is_some() || now.ms_since(since) < LASTS_MS {
            return;
        }
        let told = timeout(TRY_MAX, protection.lost(STORE, why)).await;
        self.told = Some(Told::InStore);
        if !matches!(told, Ok(Ok(()))) {
            self.told = Some(Told::Directly);
            tracing::error!(why, "the store cannot be written: told of without it");
            tell_directly(performer, protection, why).await;
        }
    }
}

/// One attempt at each endpoint: what cannot be kept cannot be tried again.
async fn tell_directly(performer: &Performer, protection: &Protection, why: &str) {
    let notice = protection.notice(OutcomeEvent::ProtectionLost, STORE, why);
    let config = performer.config.load_full();
    let attempts = protection.notices.messages(&notice).into_iter().filter_map(|message| {
        let endpoint = config
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name == message.endpoint)?;
        let wall = performer.clock.wall();
        Some(async move {
            let made = outcome::attempt(
                &performer.client,
                endpoint,
                &message.id,
                &message.body,
                &message.content_type,
                wall,
            );
            let made = made.await;
            tracing::info!(endpoint = %endpoint.name, status = made.status, error = made.error, "told directly");
        })
    });
    futures_util::future::join_all(attempts).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

    fn fails() -> Found {
        Found::Fails("503".to_owned())
    }

    /// Tries whenever it is due; what is told, and after how many milliseconds.
    fn told(answers: impl IntoIterator<Item = Found>) -> Vec<(u64, News)> {
        let (mut tried, mut now, mut told) = (Tried::default(), START, Vec::new());
        for found in answers {
            assert!(tried.is_due(now));
            let news = tried.judge(found, now);
            told.extend(news.map(|news| (now.ms_since(START), news)));
            now = tried.due.unwrap();
        }
        told
    }

    #[test]
    fn what_fails_is_told_of_when_it_lasts_and_a_refusal_at_once() {
        let lost = |why: &str| News::Lost(why.to_owned());
        assert_eq!(told([fails(), fails(), fails()]), [(40_000, lost("503"))]);
        assert_eq!(told([fails(), fails(), Found::Works]), [(40_000, News::Restored)]);
        assert_eq!(told([Found::Refused("401".to_owned())]), [(0, lost("401"))]);
        let again = told([fails(), Found::Works, fails(), fails(), fails()]);
        assert_eq!(
            again,
            [(20_000, News::Restored), (20_000 + 900_000 + 40_000, lost("503"))]
        );
    }

    #[test]
    fn what_works_is_tried_every_15_minutes() {
        let mut tried = Tried::default();
        tried.judge(Found::Works, START);
        assert!(!tried.is_due(START.plus_ms(899_999)));
        assert!(tried.is_due(START.plus_ms(900_000)));
    }
}
