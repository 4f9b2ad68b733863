//! Comparing: the version to go back to is looked at where it answers although it is not current.
//!
//! Only where the platform routes it; one that it does not route is no evidence. A look that tells nothing, or a good
//! one, leaves the verdict as it is.

use super::advance::Turn;
use super::attribute::{LAST_GOOD_LOOKS, reason};
use super::event::{Effect, EntryKind, Place, Subject};
use super::state::{LastGood, LookFor, PlaceLook};
use crate::domain::{Class, Deployment, Observation};

/// Checks compared; a few tell as much as all.
const PLACES_MAX: usize = 5;

impl Turn<'_> {
    /// Asks the failing checks of `target`, which answers at an address of its own.
    pub(super) fn compare(&mut self, target: &Deployment) {
        self.note(
            EntryKind::Guard,
            format!(
                "looking whether {}, which is known good, fails the same checks now",
                target.id
            ),
        );
        let is_check = |place: &&Place| matches!(place, Place::Check(_));
        let places: Vec<Place> = self
            .state
            .failing
            .iter()
            .filter(is_check)
            .take(PLACES_MAX)
            .copied()
            .collect();
        let looks = places.iter().map(|place| PlaceLook {
            place: *place,
            seq: None,
            failed: 0,
            reason: None,
        });
        self.state.last_good = Some(LastGood {
            target: target.id.clone(),
            deployment: Deployment {
                url: target.own_url.clone(),
                ..target.clone()
            },
            places: looks.collect(),
        });
        for place in places {
            self.look_at_last_good(place);
        }
        self.go_on_if_compared();
    }

    fn look_at_last_good(&mut self, place: Place) {
        let seq = self.next_seq();
        let looks = self.state.last_good.iter_mut().flat_map(|looked| &mut looked.places);
        for look in looks.filter(|look| look.place == place) {
            look.seq = Some(seq);
        }
        let subject = Subject::LastGood;
        self.effects.push(Effect::Probe { seq, place, subject });
    }

    /// Takes an answer of the last-good version; whether `seq` asked for one.
    pub(super) fn last_good_probed(&mut self, seq: u32, place: Place, seen: &Observation) -> bool {
        let wanted = self.state.judge.as_ref().and_then(|judge| reason(judge, place));
        let looks = self.state.last_good.iter_mut().flat_map(|looked| &mut looked.places);
        let Some(look) = looks
            .into_iter()
            .find(|look| look.seq == Some(seq) && look.place == place)
        else {
            return false;
        };
        look.seq = None;
        look.reason = Some(seen.reason);
        // What is merely not routed any more looks unready; only an answer that the app made tells.
        let fails_alike = seen.class == Class::Broken && Some(seen.reason) == wanted;
        look.failed = if fails_alike { look.failed + 1 } else { 0 };
        let again = fails_alike && look.failed < LAST_GOOD_LOOKS;
        self.note(
            EntryKind::Guard,
            format!("the last-good version, {}: {}", self.name_of(place), seen.detail),
        );
        if again {
            self.look_at_last_good(place);
        } else {
            self.go_on_if_compared();
        }
        true
    }

    fn go_on_if_compared(&mut self) {
        let over = self
            .state
            .last_good
            .as_ref()
            .is_some_and(|looked| looked.places.iter().all(|look| look.seq.is_none()));
        if over {
            self.ask(LookFor::Guard);
        }
    }
}
