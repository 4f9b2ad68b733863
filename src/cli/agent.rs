//! Asking a running agent over its API.

use anyhow::{Context, bail};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::args::AgentArgs;
use crate::domain::Glob;
use crate::http::{Client, Network, Trust};
use crate::step::{Request, Response};

/// The most an agent's answer may be.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// A running agent, as the command line reaches it.
pub(super) struct Remote {
    client: Client,
    url: Url,
    token: Option<String>,
}

impl Remote {
    /// The agent that `args` name.
    pub(super) fn new(args: &AgentArgs) -> anyhow::Result<Self> {
        // Whoever types an address with `http://` has decided.
        let host = args.agent.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let network = Network {
            plain_http: vec![Glob::new(host)],
            ..Network::default()
        };
        let client = Client::new(network).context("setting up HTTP")?;
        let token = std::env::var(&args.token_env).ok().filter(|token| !token.is_empty());
        Ok(Self {
            client,
            url: args.agent.clone(),
            token,
        })
    }

    /// Reads `path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    /// Asks for a change.
    pub(super) async fn change(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.ask(method, path, body).await
    }

    /// The status of `path`, whatever it is.
    pub(super) async fn status(&self, path: &str) -> anyhow::Result<u16> {
        Ok(self.send(Method::GET, path, None).await?.status)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let response = self.send(method, path, body).await?;
        let answer: Value = match response.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&response.body).with_context(|| {
                format!(
                    "{} answered {} with something that is not JSON",
                    self.url, response.status
                )
            })?,
        };
        if (200..300).contains(&response.status) {
            return Ok(answer);
        }
        let said = answer
            .get("detail")
            .or_else(|| answer.get("title"))
            .and_then(Value::as_str)
            .unwrap_or("no reason given");
        let hint = if response.status == 401 {
            "; set BACKSTOP_ADMIN_TOKEN to the agent's admin token"
        } else {
            ""
        };
        bail!("the agent answered {}: {said}{hint}", response.status)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Response> {
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .context("the admin token has characters that a header cannot carry")?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        if body.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let url = self.url.join(path);
        let url = url.with_context(|| format!("{path} is no path on {}", self.url))?;
        let request = Request {
            headers,
            body: body.map(|body| body.to_string().into_bytes()),
            body_bytes_max: ANSWER_BYTES_MAX,
            carries_credentials: self.token.is_some(),
            ..Request::new(method, url, TIMEOUT)
        };
        let sent = self.client.send(&request, Trust::Configured).await;
        sent.map_err(|failure| {
            anyhow::anyhow!(
                "{} cannot be asked: {}; is the agent running there?",
                self.url,
                failure.detail
            )
        })
    }
}
