//! The truth for every promise: what really arrived and what was really given out. Only ever counted up.

use std::collections::BTreeMap;

use serde::Serialize;

/// All counters, as `GET /_sim/counters` shows them.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counters {
    /// Presses of Get OTP and Resend, refused ones included.
    pub(crate) otp_presses: u64,
    pub(crate) otp_presses_by_mobile: BTreeMap<String, u64>,
    /// Presses refused by the OTP limit.
    pub(crate) otp_refused: u64,
    pub(crate) wrong_otp: u64,
    pub(crate) wrong_pin: u64,
    /// PINs submitted, right or wrong.
    pub(crate) pin_entries: u64,
    /// Redirects given to a browser.
    pub(crate) logins_completed: u64,
    pub(crate) codes_issued: u64,
    /// Boxes ticked, by whatever hand.
    pub(crate) challenges_ticked: u64,
    pub(crate) challenges_ticked_by_human: u64,
    /// Calls that reached the token endpoint, also those a scenario then broke.
    pub(crate) exchanges: u64,
    pub(crate) exchanges_by_code: BTreeMap<String, u64>,
    pub(crate) max_exchanges_of_one_code: u64,
    pub(crate) tokens_issued: u64,
    pub(crate) tokens_by_app: BTreeMap<String, u64>,
    pub(crate) profile_calls: u64,
    pub(crate) max_profile_calls_in_flight: u64,
    pub(crate) last_price_calls: u64,
    pub(crate) logouts: u64,
    /// Sockets of feeds that were opened.
    pub(crate) feeds_opened: u64,
    pub(crate) feeds_opened_by_app: BTreeMap<String, u64>,
    /// Calls and sockets of feeds that were refused.
    pub(crate) feeds_refused: u64,
    /// Sockets that were closed because their token died.
    pub(crate) feeds_ended_by_token: u64,
    pub(crate) max_feeds_open: u64,
    pub(crate) max_parallel_sign_ins: u64,
    /// Dialogs that were accepted.
    pub(crate) dialogs_opened: u64,
    pub(crate) browser_sessions_seen: u64,
    #[serde(skip)]
    profile_calls_in_flight: u64,
}

impl Counters {
    pub(crate) fn otp_pressed(&mut self, mobile: &str) {
        self.otp_presses += 1;
        *self.otp_presses_by_mobile.entry(mobile.to_owned()).or_default() += 1;
    }

    /// The simulated human leaves its name; a tool or a person with a mouse does not.
    pub(crate) fn challenge_ticked(&mut self, by: &str) {
        self.challenges_ticked += 1;
        self.challenges_ticked_by_human += u64::from(by == "human");
    }

    pub(crate) fn exchange_called(&mut self, code: Option<&str>) {
        self.exchanges += 1;
        if let Some(code) = code {
            let of_this_code = self.exchanges_by_code.entry(code.to_owned()).or_default();
            *of_this_code += 1;
            self.max_exchanges_of_one_code = self.max_exchanges_of_one_code.max(*of_this_code);
        }
    }

    pub(crate) fn token_issued(&mut self, app: &str) {
        self.tokens_issued += 1;
        *self.tokens_by_app.entry(app.to_owned()).or_default() += 1;
    }

    pub(crate) fn profile_called(&mut self) {
        self.profile_calls += 1;
        self.profile_calls_in_flight += 1;
        self.max_profile_calls_in_flight = self.max_profile_calls_in_flight.max(self.profile_calls_in_flight);
    }

    pub(crate) fn profile_answered(&mut self) {
        self.profile_calls_in_flight = self.profile_calls_in_flight.saturating_sub(1);
    }

    pub(crate) fn feed_opened(&mut self, app: &str, open: usize) {
        self.feeds_opened += 1;
        *self.feeds_opened_by_app.entry(app.to_owned()).or_default() += 1;
        self.max_feeds_open = self.max_feeds_open.max(open as u64);
    }

    pub(crate) fn sign_ins_open(&mut self, open: usize) {
        self.max_parallel_sign_ins = self.max_parallel_sign_ins.max(open as u64);
    }

    /// Back to zero; calls that are in flight stay known.
    pub(crate) fn reset(&mut self) {
        *self = Counters {
            profile_calls_in_flight: self.profile_calls_in_flight,
            ..Counters::default()
        };
    }
}
