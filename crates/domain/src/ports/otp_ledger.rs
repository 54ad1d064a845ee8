//! Port: the ledger of OTP requests. It decides whether "Get OTP" may be pressed, and counts the presses of a human.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::clock_reading::ClockReading;
use crate::ids::{AttemptId, MobileNumber};
use crate::sign_in::OtpBudget;

/// Whether "Get OTP" may be pressed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtpGrant {
    /// The press is on record: press now.
    Granted,
    /// This attempt has a press on record already. A second one is not Vega's to make.
    PressedBefore,
    /// The budget is used up until then; nothing but the refusal was recorded.
    BudgetUsedUp {
        /// When the next press is possible.
        until: DateTime<Utc>,
    },
}

/// Presses of "Get OTP", per attempt and per mobile number.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait OtpLedger: Send + Sync {
    /// Decides over one "Get OTP" press, of Vega's or, on the own-browser route, of the human's, and records it, in one
    /// commit made before the press. MUST grant at most one press per attempt and at most `budget` per mobile number,
    /// also across restarts and whatever the account is called (`presses_are_recorded_counted_and_never_doubled`,
    /// `the_ledger_survives_a_restart`). A press that seems to lie in the future MUST NOT hold the budget for longer
    /// than the window from now on (`setting_the_clock_neither_opens_the_ledger_nor_holds_it`).
    async fn request_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        budget: OtpBudget,
        now: &ClockReading,
    ) -> Result<OtpGrant, StoreError>;

    /// Records a "Get OTP" press that was made in the window and not by Vega, whatever the budget says; afterwards it
    /// counts as every other. MUST change nothing when the attempt has a press on record: the ledger knows one per
    /// attempt, so a further press by hand does not count (`a_press_in_the_window_counts_once_and_is_never_refused`).
    async fn note_otp(
        &self,
        attempt: AttemptId,
        mobile: &MobileNumber,
        now: &ClockReading,
    ) -> Result<(), StoreError>;

    /// When "Get OTP" was pressed for each of these numbers, in their order: the newest so many of each, newest last.
    async fn otp_presses(
        &self,
        mobiles: &[MobileNumber],
        newest: u32,
    ) -> Result<Vec<Vec<ClockReading>>, StoreError>;
}
