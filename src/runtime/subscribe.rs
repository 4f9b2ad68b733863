//! Whether each platform delivers to us: seen to at start and with each new config; and where the config says so, made so,
//! also for projects that come later.

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::perform::Performer;
use crate::config::Config;
use crate::domain::PlatformName;
use crate::platform::{Done, Platform, Subscribed, Wanted};

/// Sees to the webhooks of one platform.
pub(super) struct Subscriber {
    pub(super) platform: PlatformName,
    pub(super) performer: Performer,
    pub(super) stop: CancellationToken,
}

impl Subscriber {
    /// Looks, and where the config says so makes what is missing as often as the platform's list is read.
    pub(super) async fn run(self) {
        let looked = async {
            let config = self.performer.config.load_full();
            let Ok(platform) = self.performer.platform(&self.platform) else {
                return;
            };
            let subscribes = config
                .platforms
                .get(&self.platform)
                .is_some_and(|platform| platform.subscribe);
            if subscribes && config.server.public_url.is_some() {
                keep_subscribed(&self.performer.config, &self.platform, &platform).await;
            } else {
                self.look(&config, &platform).await;
            }
        };
        self.stop.run_until_cancelled(looked).await;
        self.stop.cancelled().await;
    }

    async fn look(&self, config: &Config, platform: &Platform) {
        let public_url = config.server.public_url.as_ref();
        let receiver = public_url.and_then(|url| receiver(url, &self.platform));
        for finding in platform.check_setup(receiver.as_ref()).await {
            match finding.ok {
                true => tracing::info!(platform = %self.platform, "{}", finding.text),
                false => tracing::warn!(platform = %self.platform, "{}", finding.text),
            }
        }
    }
}

/// Makes our webhooks, and those of new projects as often as the platform's list is read. A project is spoken of when
/// something was done or its standing changed.
async fn keep_subscribed(config: &ArcSwap<Config>, name: &PlatformName, platform: &Platform) {
    let mut standing: BTreeMap<Option<String>, bool> = BTreeMap::new();
    loop {
        let now = config.load_full();
        let (Some(configured), Some(public_url)) = (now.platforms.get(name), &now.server.public_url) else {
            return;
        };
        let found = subscribe(&now, name, platform, public_url, false).await;
        standing.retain(|project, _| found.iter().any(|one| one.project == *project));
        for one in found {
            let (done, good, project) = (one.done.as_str(), one.is_good(), one.project.as_deref());
            let before = standing.insert(one.project.clone(), good);
            match good {
                true if one.done == Done::Nothing && before == Some(true) => {}
                true => tracing::info!(platform = %name, project, webhook = done, "{}", one.text),
                false if before == Some(false) => {}
                false => tracing::warn!(platform = %name, project, webhook = done, "{}", one.text),
            }
        }
        tokio::time::sleep(configured.reconcile_every).await;
    }
}

/// Sees to the webhooks of one platform once, by `config`; with `dry_run` it only says what it would do.
pub async fn subscribe(
    config: &Config,
    name: &PlatformName,
    platform: &Platform,
    public_url: &Url,
    dry_run: bool,
) -> Vec<Subscribed> {
    let (Some(receiver), Some(configured)) = (receiver(public_url, name), config.platforms.get(name)) else {
        return Vec::new();
    };
    let wanted = Wanted {
        receiver: &receiver,
        covers: &|app| config.covers(name, app),
        secret: &|app| configured.secrets.for_app(app),
        dry_run,
    };
    platform.subscribe(&wanted).await
}

/// Where the deliveries of the platform `name` arrive.
fn receiver(public_url: &Url, name: &PlatformName) -> Option<Url> {
    public_url.join(&format!("webhooks/{name}")).ok()
}
