//! What was typed and, as far as can be seen, not submitted: the page emptied the box before, or only looks as if it had
//! submitted it. How long that lasts is measured here; what is done about it is the flow's.

use std::time::Duration;

use tokio::time::Instant;
use vega_domain::failure::{Failure, FailureReason};

use crate::page_snapshot::PageSnapshot;

/// What was typed is gone again for so long.
const EMPTIED: Duration = Duration::from_secs(2);

/// What is told of a full box that the page emptied.
pub(super) const EMPTIED_BY_THE_PAGE: &str =
    "the page emptied its box, and nobody can tell whether it had submitted what stood there";

/// The end of an attempt whose second factor stands on the page unsubmitted.
pub(super) fn nothing_done(why: &str) -> Failure {
    let words = format!("what was typed stands there, and {why}");
    Failure::new(FailureReason::PageChanged, words)
}

/// What the page emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptied {
    /// A part of it: nothing complete stood there that could have been submitted, so no OTP or PIN is used up.
    Part,
    /// All of it: a page can submit what is complete without an event that tells of it.
    Full,
}

/// The memory of one attempt.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// What was typed from the prompt was seen in its box.
    held: bool,
    emptied_since: Option<Instant>,
    unmoved_since: Option<Instant>,
}

impl Unsent {
    /// A second factor was typed from the prompt.
    pub(super) fn typed(&mut self) {
        *self = Self::default();
    }

    /// What stood in the box is gone, and nobody saw a submit. `unsent` says whether that may be so at all.
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

    /// How long a full form stands unmoved of which the page only called its server: the call may have been another one.
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
