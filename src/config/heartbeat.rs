//! `[heartbeat]`: a sign of life for somebody outside.

use std::time::Duration;

use super::read::Reader;
use crate::document::Table;
use crate::outcome::Address;

const EVERY_DEFAULT: Duration = Duration::from_secs(60);

/// A sign of life for a dead-man switch: it raises the alarm when the signs stop.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// What is asked.
    pub address: Address,
    /// How often; 1 s to 1 h.
    pub every: Duration,
}

impl Reader<'_> {
    /// Reads `[heartbeat]`, if it is there.
    pub(super) fn heartbeat(&mut self, root: &mut Table<'_>) -> Option<Heartbeat> {
        let mut table = root.table("heartbeat", &mut self.problems)?;
        let help = "the address that the dead-man switch gave you: `url = \"{{ secret.HEARTBEAT_URL }}\"`";
        let node = table.required("url", help, &mut self.problems);
        let text = node
            .as_ref()
            .and_then(|node| self.secrets.text(node, &mut self.problems));
        let address = text.zip(node).and_then(|(text, node)| match Address::parse(&text) {
            Ok(address) => {
                self.must_be_safe(&node, address.expose(), "the address, which is a secret,", true);
                Some(address)
            }
            Err(_) => {
                // The address is a secret, so it is not shown.
                let message = format!("{} is not a whole address", node.label());
                self.problems
                    .push_hidden(node.place(), message, "it starts with `https://` or `http://`");
                None
            }
        });
        let bounds = Duration::from_secs(1)..=Duration::from_secs(60 * 60);
        let every = self.duration(&mut table, "every", bounds, EVERY_DEFAULT);
        table.finish(
            &mut self.problems,
            &[("interval", "every"), ("period", "every"), ("address", "url")],
        );
        Some(Heartbeat {
            address: address?,
            every,
        })
    }
}
