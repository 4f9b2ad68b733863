//! Hearing from other agents at once, by LISTEN and NOTIFY. What is missed is found by looking, so nothing depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::Config;
use postgres::fallible_iterator::FallibleIterator as _;
use tokio::sync::Notify;

use super::connection::connect;

/// The channel that agents call on.
pub(in crate::store) const CHANNEL: &str = "backstop";
/// How often the thread looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A server that has gone is dialled again after this.
const AGAIN: Duration = Duration::from_secs(2);

/// A thread that listens.
pub(in crate::store) struct Listener {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Listener {
    pub(super) fn start(config: Config, changed: Arc<Notify>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("store-listener".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    listen(&config, &changed, &stopped);
                    if !stopped.load(Ordering::Relaxed) {
                        std::thread::sleep(AGAIN);
                    }
                }
            })?;
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

/// Listens until the connection breaks or it is to stop.
fn listen(config: &Config, changed: &Notify, stop: &AtomicBool) {
    let Ok(mut client) = connect(config, "") else { return };
    if client.batch_execute(&format!("LISTEN {CHANNEL}")).is_err() {
        return;
    }
    // What was called while nobody listened.
    changed.notify_one();
    while !stop.load(Ordering::Relaxed) {
        let heard = client.notifications().timeout_iter(LOOK_EVERY).next();
        match heard {
            Ok(Some(_)) => changed.notify_one(),
            Ok(None) if client.is_closed() => return,
            Ok(None) => {}
            Err(_) => return,
        }
    }
}
