//! Tracks an entry that, as far as can be seen, was not submitted: the page emptied it before, or it only looks
//! submitted. This file measures how long that lasts; the flow decides what to do.

use std::time::Duration;

use tokio::time::Instant;
use vega_domain::failure::{Failure, FailureReason};

use crate::page_snapshot::PageSnapshot;

/// After this time without the entry, the box is considered emptied.
const EMPTIED: Duration = Duration::from_secs(2);

/// The text for a full box that the page emptied.
pub(super) const EMPTIED_BY_THE_PAGE: &str =
    "the page emptied its box, and nobody can tell whether it had submitted what stood there";

/// The end of an attempt whose second factor is on the page and was not submitted.
pub(super) fn nothing_done(why: &str) -> Failure {
    let words = format!("what was typed stands there, and {why}");
    Failure::new(FailureReason::PageChanged, words)
}

/// How much of an entry the page emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptied {
    /// A part: no complete entry was there that could have been submitted, so no OTP or PIN is used up.
    Part,
    /// All of it: a page can submit a complete entry without an event that shows it.
    Full,
}

/// The memory of one attempt.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// The entry from the prompt was seen in its box.
    held: bool,
    emptied_since: Option<Instant>,
    unmoved_since: Option<Instant>,
}

impl Unsent {
    /// A second factor was typed from the prompt.
    pub(super) fn typed(&mut self) {
        *self = Self::default();
    }

    /// Notes that the entry is gone from the box, and no submit was seen. `unsent` says whether it can be unsubmitted
    /// at all.
    pub(super) fn emptied(&mut self, unsent: bool, seen: &PageSnapshot, now: Instant) -> Option<Emptied> {
        let is_empty = seen.form().is_some_and(|(_, empty)| empty);
        let was_full = seen.entry.is_some_and(|entry| entry.full);
        self.held |= !is_empty || was_full;
        let is_sent = !unsent || seen.entry.is_some_and(|entry| entry.sent);
        if !self.held || !is_empty || is_sent || seen.busy {
            self.emptied_since = None;
            return None;
        }
        let is_so = now - *self.emptied_since.get_or_insert(now) >= EMPTIED;
        is_so.then_some(if was_full { Emptied::Full } else { Emptied::Part })
    }

    /// How long a full form has not changed after the page called its server: the call may have been for something
    /// else.
    pub(super) fn unmoved(&mut self, seen: &PageSnapshot, now: Instant) -> Duration {
        let is_full = seen.form().is_some_and(|(_, empty)| !empty);
        let is_guess = seen
            .entry
            .is_some_and(|entry| entry.guessed && entry.full && !entry.back);
        if !is_full || !is_guess || seen.busy {
            self.unmoved_since = None;
            return Duration::ZERO;
        }
        now - *self.unmoved_since.get_or_insert(now)
    }
}
