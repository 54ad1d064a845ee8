//! The counters that every story about the login page looks at, as one value to compare with.

use anyhow::{Context, Result};
use serde_json::Value;

/// What Upstox saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Presses of Get OTP, refused ones included.
    pub otp_presses: u64,
    /// Dialogs that were accepted.
    pub dialogs_opened: u64,
    /// PINs submitted, right or wrong.
    pub pin_entries: u64,
    /// Tokens given out.
    pub tokens_issued: u64,
    /// 1 as soon as there was an exchange; never more.
    pub max_exchanges_of_one_code: u64,
}

impl Counts {
    pub(crate) fn of(counters: &Value) -> Result<Self> {
        let count = |name: &str| {
            counters[name]
                .as_u64()
                .with_context(|| format!("no counter {name}"))
        };
        Ok(Self {
            otp_presses: count("otp_presses")?,
            dialogs_opened: count("dialogs_opened")?,
            pin_entries: count("pin_entries")?,
            tokens_issued: count("tokens_issued")?,
            max_exchanges_of_one_code: count("max_exchanges_of_one_code")?,
        })
    }

    /// A run that made so many tokens as it should: one press, and each token with its own dialog, PIN and code.
    pub fn of_a_good_run(tokens: u64) -> Self {
        Self {
            otp_presses: 1,
            dialogs_opened: tokens,
            pin_entries: tokens,
            tokens_issued: tokens,
            max_exchanges_of_one_code: 1,
        }
    }
}
