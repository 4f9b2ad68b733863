//! `backstop send --recipe`: whatever it signs, `backstop verify` and a running agent accept, and nothing that was changed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use backstop::pretend::Generation;
use backstop::signature::built_in_recipes;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::commands::{must, out};
use crate::stage::{SECRET, Setup, Stage, backstop};

/// The recipes that only show the secret: nothing holds their body together.
const SHOWN: [&str; 3] = ["gitlab-token", "secret-header", "secret-path"];
/// The one whose secret is no header, but a part of the address.
const IN_PATH: &str = "secret-path";

fn names() -> Vec<String> {
    let names = built_in_recipes().into_iter().map(|recipe| recipe.name.into_owned());
    names.collect()
}

/// Runs a command beside the runtime that serves what it calls.
async fn run(args: Vec<String>) -> Output {
    let run = move || backstop().args(args).env("BACKSTOP_SECRET", SECRET).output();
    tokio::task::spawn_blocking(run)
        .await
        .expect("joined")
        .expect("it runs")
}

/// A receiver that takes everything, and what it got.
async fn receiver() -> (String, mpsc::Receiver<(HeaderMap, Bytes)>) {
    let (got, gets) = mpsc::channel(8);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        got.send((headers, body)).await.expect("somebody looks");
        StatusCode::NO_CONTENT
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    (format!("http://{address}/hooks?of=shop"), gets)
}

/// What `verify` says of this delivery: its exit code and its words.
async fn verify(name: &str, url: &str, headers: &HeaderMap, file: &Path, body: &[u8]) -> (Option<i32>, String) {
    std::fs::write(file, body).expect("a file");
    let mut args: Vec<String> = ["verify", "--recipe", name, "--url", url, "--body"]
        .map(str::to_owned)
        .to_vec();
    args.push(file.display().to_string());
    for (header, value) in headers {
        args.extend(["-H".to_owned(), format!("{header}: {}", value.to_str().expect("text"))]);
    }
    let output = run(args).await;
    (output.status.code(), out(&output))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_accepts_what_send_signs_by_every_recipe_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("body.json");
    let (url, mut gets) = receiver().await;
    for name in names().iter().filter(|name| *name != IN_PATH) {
        let args = ["send", "deploy.live", "--to", &url, "--recipe", name, "--app", "till"];
        let sent = run(args.map(str::to_owned).to_vec()).await;
        assert!(sent.status.success(), "{name}: {}", out(&sent));
        assert!(out(&sent).contains("answered 204"), "{name}: {}", out(&sent));
        let (headers, body) = gets.recv().await.expect("it came");
        let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&json["event"], &json["app"]), (&"deploy.live".into(), &"till".into()));
        let held = format!("by the secret in BACKSTOP_SECRET and the recipe `{name}`");
        let (code, said) = verify(name, &url, &headers, &file, &body).await;
        assert!(code == Some(0) && said.contains(&held), "{name}: {said}");
        let other = [&body[..], b" "].concat();
        let (code, said) = verify(name, &url, &headers, &file, &other).await;
        let is_shown = SHOWN.contains(&name.as_str());
        assert_eq!(code, Some(if is_shown { 0 } else { 1 }), "{name}: {said}");
        if !is_shown {
            assert!(said.starts_with("refused: "), "{name}: {said}");
        }
    }
}

/// A platform for each recipe, of the recipe's name.
fn platforms(folder: &Path, names: &[String]) -> String {
    let temps = include_str!("../../src/platform/files/temps.toml");
    let (before, after) = temps
        .split_once("[[signature]]\nrecipe = \"temps-guide\"")
        .expect("its second recipe");
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).expect("a file");
    let mut more = format!("[secrets]\nCRAFTED = {{ file = \"{}\" }}\n", secret.display());
    for name in names {
        let ours = before.replacen("recipe = \"temps\"", &format!("recipe = \"{name}\""), 1);
        assert!(ours.contains(&format!("recipe = \"{name}\"")));
        let kind = folder.join(format!("{name}.toml"));
        std::fs::write(&kind, format!("{ours}{after}")).expect("a file");
        write!(
            more,
            "[platform.of-{name}]\nkind = \"{}\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"none\"\nsecret = \"{{{{ secret.CRAFTED }}}}\"\n",
            kind.display()
        )
        .expect("text");
    }
    more
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_accepts_what_send_signs_by_every_recipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = names();
    let setup = Setup {
        more: platforms(folder.path(), &names),
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    for (number, name) in names.iter().enumerate() {
        let mut url = format!("{}/webhooks/of-{name}", stage.agent.url);
        if name == IN_PATH {
            url.push_str(&format!("/{SECRET}"));
        }
        let args = ["send", "build.completed", "--to", &url, "--recipe", name];
        must(&stage, &args, "answered 202").await;
        // By another's signature it is refused.
        let next = &names[(number + 1) % names.len()];
        let wrong = if next.contains("temps") { "github" } else { next };
        let same_headers = |a: &str, b: &str| {
            let alike = ["standard-webhooks", "render", "gitlab"];
            alike.contains(&a) && alike.contains(&b)
        };
        if name != IN_PATH && !same_headers(name, wrong) {
            let args = ["send", "build.completed", "--to", &url, "--recipe", wrong];
            let refused = crate::commands::run_fails(&stage, &args).await;
            assert!(refused.contains("answered 401"), "{name} by {wrong}: {refused}");
        }
    }
}
