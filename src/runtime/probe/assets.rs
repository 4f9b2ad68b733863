//! The files that a page needs: `expect.assets`.

use futures_util::future::join_all;
use http::Method;
use http::header::{CONTENT_TYPE, TE};

use super::Probe;
use crate::domain::{Class, Observation, Reason};
use crate::http::Trust;
use crate::step::{self, Asset, Request, Response, Step, clean, cut};

/// Addresses of assets are shown up to so many characters.
const SHOWN_CHARS_MAX: usize = 120;

impl Probe<'_> {
    /// Loads what the page names, if that is expected and all else held; the observation then says what does not load.
    pub(super) async fn load_assets(
        &self,
        step: &Step,
        page: &Response,
        request: &Request,
        trust: Trust,
        seen: Observation,
    ) -> Observation {
        let wanted = step.expect.assets || step.warn.assets;
        if !wanted || !matches!(seen.class, Class::Pass | Class::Slow) {
            return seen;
        }
        let assets = step::assets(&String::from_utf8_lossy(&page.body), &page.url);
        let loads = assets.iter().map(|asset| self.load(asset, request, trust));
        let faults: Vec<String> = join_all(loads).await.into_iter().flatten().collect();
        let Some(first) = faults.first() else {
            return seen;
        };
        let more = match faults.len() {
            1 => String::new(),
            count => format!(", and {} more of {}", count - 1, assets.len()),
        };
        let detail = format!("{}: {first}{more}", step.label());
        if !step.expect.assets {
            return Observation {
                warned: true,
                detail: if seen.warned { seen.detail } else { detail },
                ..seen
            };
        }
        Observation {
            class: Class::Broken,
            reason: Reason::Asset,
            detail,
            ..seen
        }
    }

    /// What is wrong with an asset, if anything. It is asked for as the page was, without its body.
    async fn load(&self, asset: &Asset, page: &Request, trust: Trust) -> Option<String> {
        let headers = page
            .headers
            .iter()
            .filter(|(name, _)| *name != CONTENT_TYPE && *name != TE);
        let request = Request {
            headers: headers.cloned().collect(),
            follow_redirects: true,
            cookies: page.cookies.clone(),
            route: page.route.clone(),
            tls: page.tls.clone(),
            carries_credentials: page.carries_credentials,
            ..Request::new(Method::GET, asset.url.clone(), page.timeout)
        };
        let fault = match self.client.look(&request, trust, &self.jar).await {
            Ok(response) => {
                let media_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                asset.kind.fault(response.status, media_type.unwrap_or_default())?
            }
            Err(failure) => format!("does not load: {}", failure.detail),
        };
        Some(format!("{} {fault}", clean(&cut(asset.url.path(), SHOWN_CHARS_MAX))))
    }
}
