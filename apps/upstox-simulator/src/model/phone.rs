//! The customer's phone and the desk that sends OTPs to it, with the broker's limit on presses of Get OTP.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::random;

/// One text message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) mobile: String,
    pub(crate) otp: String,
    pub(crate) at: DateTime<Utc>,
}

/// How many OTPs a mobile number may ask for, and how long one of them lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OtpLimit {
    pub(crate) limit: usize,
    pub(crate) window_seconds: i64,
    pub(crate) otp_lifetime_seconds: i64,
    /// A refused press is answered without a word.
    pub(crate) silent: bool,
}

impl Default for OtpLimit {
    fn default() -> OtpLimit {
        OtpLimit {
            limit: 5,
            window_seconds: 600,
            otp_lifetime_seconds: 300,
            silent: false,
        }
    }
}

/// The messages sent so far, in order, and the limit on further ones.
#[derive(Debug, Default)]
pub(crate) struct Phone {
    pub(crate) limit: OtpLimit,
    messages: Vec<Message>,
}

/// The press came too soon after others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LimitReached;

impl Phone {
    /// Sends an OTP unless the limit is reached. A refused press does not lengthen the wait.
    pub(crate) fn send(&mut self, mobile: &str, now: DateTime<Utc>) -> Result<(), LimitReached> {
        let since = now - TimeDelta::seconds(self.limit.window_seconds);
        let recent = self
            .messages
            .iter()
            .filter(|sent| sent.mobile == mobile && sent.at > since)
            .count();
        if recent >= self.limit.limit {
            return Err(LimitReached);
        }
        self.messages.push(Message {
            mobile: mobile.to_owned(),
            otp: random::six_digits(),
            at: now,
        });
        Ok(())
    }

    /// The OTP that counts for a mobile number: the last one sent.
    pub(crate) fn last(&self, mobile: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|sent| sent.mobile == mobile)
    }

    /// Whether a message is too old to be typed.
    pub(crate) fn has_expired(&self, message: &Message, now: DateTime<Utc>) -> bool {
        now >= message.at + TimeDelta::seconds(self.limit.otp_lifetime_seconds)
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }
}
