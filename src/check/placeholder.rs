//! Pages that stand in an app's place and say nothing of the app.

use http::HeaderName;
use regex::Regex;

use crate::step::Response;

/// How much of a body is searched for its title, in bytes.
const TITLE_WITHIN_BYTES: usize = 64 * 1024;

/// How a page that is not the app's is known; a platform file lists its platform's own. Every given condition must hold.
#[derive(Clone, Debug)]
pub struct Placeholder {
    /// What such a page means.
    pub means: Meaning,
    /// The status of the answer.
    pub status: Option<u16>,
    /// A header and a text that it contains, in any case.
    pub header: Option<(HeaderName, String)>,
    /// Found in the text of the page's `<title>`.
    pub title_matches: Option<Regex>,
}

/// What it means that another's page answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The app is not reached yet: nothing is routed there.
    NotServing,
    /// Our request was stopped on its way: a challenge or a firewall. It says nothing of the deployment.
    Challenge,
}

impl Placeholder {
    /// Whether `response` is such a page. A placeholder without conditions matches nothing.
    pub fn matches(&self, response: &Response) -> bool {
        let given = self.status.is_some() || self.header.is_some() || self.title_matches.is_some();
        given
            && self.status.is_none_or(|status| status == response.status)
            && self
                .header
                .as_ref()
                .is_none_or(|(name, text)| has_header(response, name.as_str(), text))
            && self
                .title_matches
                .as_ref()
                .is_none_or(|regex| title(response).is_some_and(|title| regex.is_match(&title)))
    }
}

/// Headers by which services before an app mark an answer as their own challenge or refusal. The second word must be in
/// the value; empty for any.
const CHALLENGES: [(&str, &str); 7] = [
    // Cloudflare: challenge pages.
    ("cf-mitigated", "challenge"),
    // Vercel: attack challenge mode and firewall.
    ("x-vercel-mitigated", ""),
    // AWS WAF: `challenge` or `captcha`.
    ("x-amzn-waf-action", ""),
    // Sucuri's firewall.
    ("x-sucuri-block", ""),
    // DataDome's challenge.
    ("x-datadome", "protected"),
    // Imperva.
    ("x-iinfo-block", ""),
    // HUMAN (PerimeterX).
    ("x-px-block", ""),
];

/// Whether a challenge or firewall page answered.
pub(super) fn is_challenge(response: &Response) -> bool {
    // Such pages are refusals; a service may set its header on answers that it lets pass.
    !(300..400).contains(&response.status) && CHALLENGES.iter().any(|(name, text)| has_header(response, name, text))
}

fn has_header(response: &Response, name: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut values = response.headers.get_all(name).iter();
    values.any(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .to_ascii_lowercase()
            .contains(&text)
    })
}

/// The text of the first `<title>`, trimmed.
fn title(response: &Response) -> Option<String> {
    let start = response.body.get(..TITLE_WITHIN_BYTES).unwrap_or(&response.body);
    let text = String::from_utf8_lossy(start);
    // ASCII case only, so that places in the one are places in the other.
    let lower = text.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let from = open + lower.get(open..)?.find('>')? + 1;
    let to = from + lower.get(from..)?.find("</title").unwrap_or(lower.len() - from);
    Some(text.get(from..to)?.trim().to_owned())
}
