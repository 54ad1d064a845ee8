//! What is true of sign-ins, whatever Vega believes: who signs in now, which presses were made, which accounts are
//! closed and since when, what was refused, and to what the operator said yes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::failure::{Failure, FailureReason, RecoveryAction};
use vega_domain::ids::{AccountId, ApiName, AttemptId, MobileNumber};

/// One press of "Get OTP" that Vega made or put on record.
#[derive(Debug, Clone)]
pub(crate) struct Press {
    pub(crate) digits: String,
    pub(crate) at: DateTime<Utc>,
}

/// Which run of which process saw something.
pub(crate) type Run = (u32, u32);

/// A login that is closed.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) since: DateTime<Utc>,
    pub(crate) reason: FailureReason,
    pub(crate) seen_by: Run,
    /// Whether it is written anywhere, so that other processes know.
    pub(crate) on_disk: bool,
    /// After a human timeout the yes of before does not count.
    pub(crate) needs_yes: bool,
}

impl Closed {
    pub(crate) fn is_known_to(&self, run: Run) -> bool {
        self.on_disk || self.seen_by == run
    }

    pub(crate) fn is_stop(&self) -> bool {
        self.reason.recovery_action() == RecoveryAction::StopAccount
    }
}

/// An API whose last sign-in needs a yes of its own.
#[derive(Debug, Clone)]
pub(crate) struct UnresolvedOutcome {
    /// By the computer's clock, for it decides which day that was.
    pub(crate) stored: DateTime<Utc>,
    pub(crate) reason: FailureReason,
    /// Which sign-in left it: two in the same words are two.
    pub(crate) attempt: Option<AttemptId>,
}

#[derive(Default)]
pub(crate) struct GroundTruth {
    /// Browser sessions that are open, by process.
    pub(crate) sessions: Vec<(u32, AccountId)>,
    pub(crate) presses: Vec<Press>,
    pub(crate) closed: BTreeMap<String, Closed>,
    pub(crate) unresolved: BTreeMap<ApiName, UnresolvedOutcome>,
    /// APIs whose process died past the press, with the unresolved outcome.
    pub(crate) crashed: BTreeMap<ApiName, UnresolvedOutcome>,
    /// When the newest token of an API was stored or checked last.
    pub(crate) token_changed: BTreeMap<ApiName, DateTime<Utc>>,
    /// When the cooldown of a number was written.
    pub(crate) cooling: BTreeMap<String, DateTime<Utc>>,
    /// The sign-ins whose answer or token was taken by the database or the spool, by their `state`.
    pub(crate) safe: BTreeSet<String>,
    /// The sign-ins whose answer came home too late, which is on record.
    pub(crate) late: BTreeSet<String>,
    /// The sign-ins for which Vega pressed, by their `state`.
    pub(crate) pressed_for: BTreeSet<String>,
}

impl GroundTruth {
    /// The sign-in of an account failed like this.
    pub(crate) fn failed(&mut self, mobile: &MobileNumber, failure: &Failure, at: DateTime<Utc>, by: Run) {
        let needs_yes = failure.reason.recovery_action() == RecoveryAction::CoolDownThenAsk;
        if matches!(
            failure.reason.recovery_action(),
            RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk | RecoveryAction::StopAccount
        ) {
            let closed = Closed {
                since: at,
                reason: failure.reason,
                seen_by: by,
                on_disk: false,
                needs_yes,
            };
            self.closed.insert(mobile.digits().to_owned(), closed);
        }
    }

    /// That failure is on disk.
    pub(crate) fn is_written(&mut self, mobile: &MobileNumber, reason: FailureReason) {
        if let Some(closed) = self.closed.get_mut(mobile.digits())
            && closed.reason == reason
        {
            closed.on_disk = true;
        }
    }

    /// The wait that seemed to end without a code did not.
    pub(crate) fn is_in_time(&mut self, mobile: &MobileNumber, run: Run) {
        self.closed.retain(|digits, closed| {
            let is_it = digits == mobile.digits() && closed.seen_by == run && !closed.on_disk;
            !(is_it && closed.reason == FailureReason::RedirectTimeout)
        });
    }

    /// How many presses the number had within the last so long.
    pub(crate) fn presses_within(
        &self,
        mobile: &MobileNumber,
        length: TimeDelta,
        now: DateTime<Utc>,
    ) -> Vec<DateTime<Utc>> {
        let of_number = self
            .presses
            .iter()
            .filter(|press| press.digits == mobile.digits());
        of_number
            .map(|press| press.at)
            .filter(|at| *at <= now && now - *at < length)
            .collect()
    }

    pub(crate) fn pressed(&mut self, mobile: &MobileNumber, at: DateTime<Utc>) {
        self.presses.push(Press {
            digits: mobile.digits().to_owned(),
            at,
        });
    }

    /// The sign-in for this API has ended with a token, or otherwise with a known outcome.
    pub(crate) fn settled(&mut self, api: &ApiName) {
        self.unresolved.remove(api);
        self.crashed.remove(api);
    }
}
