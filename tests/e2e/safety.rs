//! Whom the binary calls, and by which way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backstop::pretend::{Behaviour, Generation, Release, Temps};
use tokio::net::TcpListener;

use crate::stage::{TOKEN, backstop};

/// A proxy is used where the config names one, and never because the environment does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environments_proxy_is_never_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let temps = Temps::start(Generation::G3, TOKEN).await.expect("temps");
    temps.deploy_silently(Release::new("aaaaaaa1", Behaviour::Healthy));
    let folder = tempfile::tempdir().expect("folder");
    let test = |more: &str| {
        let config = folder.path().join("checks.toml");
        std::fs::write(&config, format!("[check.health]\nget = \"/healthz\"\n{more}")).expect("config");
        let mut command = backstop();
        for name in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env(name, &proxy);
        }
        command
            .args(["test", "--url", &temps.app_url(), "--config"])
            .arg(config);
        command
    };
    let run = async |mut command: std::process::Command| {
        let output = tokio::task::spawn_blocking(move || command.output());
        output.await.expect("joined").expect("it runs")
    };
    let output = run(test("")).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the environment's proxy was asked");
    // The same proxy would have been seen.
    let output = run(test(&format!("proxy = \"{proxy}\"\n"))).await;
    assert!(!output.status.success(), "{output:?}");
    assert!(asked.load(Ordering::SeqCst) > 0);
}
