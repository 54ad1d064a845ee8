//! The words of a sign-in: screens, prompts, notices and the OTP budget rule.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::RedirectUri;
use crate::clock_reading::ClockReading;
use crate::failure::FailureReason;
use crate::ids::{AccountId, ApiName};
use crate::invalid_value::InvalidValue;
use crate::secret::AuthorizeLink;

/// How far a sign-in attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// It waits for its code, or has one that was delivered and not sent.
    Opened,
    /// Its code is sealed, and is about to be sent or was.
    CodeSealed,
    /// The answer of the token endpoint is sealed.
    Answered,
    /// Its token is stored.
    Stored,
    /// It ended without a token.
    Closed,
}

impl AttemptState {
    const ALL: [Self; 5] = [
        Self::Opened,
        Self::CodeSealed,
        Self::Answered,
        Self::Stored,
        Self::Closed,
    ];

    /// The word in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::CodeSealed => "code_sealed",
            Self::Answered => "answered",
            Self::Stored => "stored",
            Self::Closed => "closed",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| InvalidValue::new("attempt state", format!("{word:?} is not known")))
    }

    /// Whether a token may still come of it.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Stored | Self::Closed)
    }
}

/// What the login page shows, as Vega recognises it.
/// Source: element ids seen in public scripts from 2023 to 2026; Upstox does not promise them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Asks for the mobile number; the only screen on which Vega acts by itself.
    Mobile,
    /// Asks for the OTP (or TOTP).
    Otp,
    /// Asks for the PIN.
    Pin,
    /// Asks whether the app may have access.
    Consent,
    /// Shows a box that only a human may tick.
    Challenge,
    /// Loading, or nothing that Vega knows.
    Unknown,
}

impl Screen {
    /// The word in JSON, events and evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Otp => "otp",
            Self::Pin => "pin",
            Self::Consent => "consent",
            Self::Challenge => "challenge",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which second factor is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptKind {
    /// The code that Upstox sent to the phone, or the TOTP that the human reads off.
    Otp,
    /// The account's PIN.
    Pin,
}

impl PromptKind {
    /// How people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "OTP",
            Self::Pin => "PIN",
        }
    }
}

/// A question to the human, as an alternative to typing in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// OTP or PIN.
    pub kind: PromptKind,
    /// The account whose second factor is wanted.
    pub account: AccountId,
    /// The API that is signed in for.
    pub api: ApiName,
    /// When Vega stops waiting.
    pub deadline: DateTime<Utc>,
    /// How long that is from now, for a terminal that counts down.
    pub time_left: Duration,
}

/// Something that only the human can do, in the browser window. `Notice::task` says what in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowTask {
    /// The account that signs in.
    pub account: AccountId,
    /// The API that is signed in for.
    pub api: ApiName,
    /// What was noticed.
    pub notice: Notice,
    /// When Vega stops waiting.
    pub deadline: DateTime<Utc>,
    /// How long that is from now, for a terminal that counts down.
    pub time_left: Duration,
}

/// A sign-in that the human makes in a browser of their own.
#[derive(Debug, Clone)]
pub struct SignInLink {
    /// Who signs in.
    pub account: AccountId,
    /// The API that is signed in for.
    pub api: ApiName,
    /// Where the sign-in begins.
    pub link: AuthorizeLink,
    /// Where it ends: Upstox sends the browser there.
    pub redirect_uri: RedirectUri,
    /// How the code comes back.
    pub way_back: WayBack,
    /// When Vega stops waiting.
    pub deadline: DateTime<Utc>,
}

/// How a code comes back from a browser of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayBack {
    /// Vega listens at the redirect URI: a browser on this machine brings the code by itself.
    Callback,
    /// The operator pastes the address at which the browser ended.
    PasteOnly {
        /// Why nobody listens.
        why: String,
    },
}

/// Something the human should know while a sign-in waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A challenge must be solved in the window, by the human.
    Challenge,
    /// The page asks for consent; the human confirms it in the window.
    Consent,
    /// The page is not recognised; the human can finish the sign-in in the window.
    PageChanged,
    /// "Get OTP" was pressed and the page did not move on yet.
    OtpSlow,
    /// A redirect arrived that does not belong to this attempt; it was refused.
    ForeignRedirect,
    /// "Get OTP" was pressed once for this attempt already; a further press is the human's to make.
    OtpPressedBefore,
    /// The mobile screen waits, but not for anything that Vega may do.
    MobileWaits,
    /// Vega's own typing or click did not work; the human does it in the window.
    DoItInTheWindow,
    /// What was pasted is not the address at which a sign-in ends.
    NotTheRedirect,
    /// The link could not be opened in a browser; the human opens it.
    LinkNotOpened,
    /// The desktop's browser may not read the file that would lead it to the link; the human opens the link.
    BrowserConfined,
    /// The page refused what was submitted. Vega submits nothing more; the human may correct it in the window.
    Refused {
        /// What was refused, or Upstox's own trouble with it.
        because: FailureReason,
    },
    /// Upstox is out of reach and no OTP was asked for, so the sign-in begins anew.
    TriesAgain {
        /// Why.
        because: FailureReason,
        /// After this pause.
        after: Duration,
    },
}

impl Notice {
    /// What the human has to do in the window now, if this asks for an act.
    pub fn task(self) -> Option<&'static str> {
        match self {
            Self::Challenge => Some("solve the challenge in the browser window"),
            Self::Consent => Some("confirm the consent in the browser window"),
            Self::PageChanged => Some("finish the sign-in in the browser window"),
            Self::OtpPressedBefore | Self::DoItInTheWindow | Self::Refused { .. } => {
                Some("go on in the browser window")
            }
            Self::MobileWaits => Some("check the number and press Get OTP in the browser window"),
            Self::OtpSlow
            | Self::ForeignRedirect
            | Self::NotTheRedirect
            | Self::LinkNotOpened
            | Self::BrowserConfined
            | Self::TriesAgain { .. } => None,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge => f.write_str("Upstox shows a challenge: solve it in the browser window."),
            Self::Consent => f.write_str("Upstox asks for consent: confirm it in the browser window."),
            Self::PageChanged => {
                f.write_str("This page is not known to Vega: please finish the sign-in in the browser window.")
            }
            Self::OtpSlow => f.write_str(
                "Get OTP was pressed 10 seconds ago and the page has not moved on; Upstox may be throttling.",
            ),
            Self::ForeignRedirect => {
                f.write_str("A redirect with a missing, wrong or old state arrived and was refused; still waiting.")
            }
            Self::OtpPressedBefore => f.write_str(
                "The page asks for the mobile number again. Vega presses Get OTP once only: go on in the browser window.",
            ),
            Self::MobileWaits => f.write_str(
                "The page waits at the mobile number: please check it and press Get OTP in the browser window.",
            ),
            Self::DoItInTheWindow => {
                f.write_str("Typing or clicking did not work: please go on in the browser window.")
            }
            Self::NotTheRedirect => f.write_str(
                "That is not the address at which the sign-in ends. Copy the whole address from the browser, with code and state, when it has left Upstox's pages.",
            ),
            Self::LinkNotOpened => {
                f.write_str("No browser could be started from here: please open the link yourself.")
            }
            Self::BrowserConfined => f.write_str(
                "The browser of this desktop is a snap, which may not read the file that would lead it to the link: please open the link yourself.",
            ),
            Self::Refused { because: FailureReason::BrokerDown } => f.write_str(
                "Upstox reports trouble of its own. Vega submits nothing more in this sign-in: you can try again in the browser window.",
            ),
            Self::Refused { because } => write!(
                f,
                "{}. Vega submits nothing more in this sign-in: if you are sure, correct it in the browser window; else close the window. Five wrong entries lock the account.",
                because.summary()
            ),
            Self::TriesAgain { because, after } => write!(
                f,
                "{}, and no OTP was asked for: Vega tries again in {} seconds.",
                because.summary(),
                after.as_secs()
            ),
        }
    }
}

/// How many "Get OTP" presses one mobile number may have in any window of time.
/// Upstox refuses more than about five in ten minutes (seen in public run logs); Vega stays below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtpBudget {
    /// Presses allowed in one window.
    pub presses: u32,
    /// Length of the window.
    pub window: Duration,
}

/// The budget at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtpAllowance {
    /// This many presses are left, at least one.
    Left(u32),
    /// None is left until then.
    UsedUp {
        /// When the oldest press leaves the window.
        until: DateTime<Utc>,
    },
}

impl OtpBudget {
    /// What is left at `now`, given the newest presses on record, at least as many as the budget allows. Their age counts,
    /// not the wall clock: whoever sets it neither opens the budget early nor holds it longer than the window.
    pub fn allowance(&self, presses: &[ClockReading], now: &ClockReading) -> OtpAllowance {
        let mut ages: Vec<Duration> = presses
            .iter()
            .map(|press| press.age(now))
            .filter(|age| *age < self.window)
            .collect();
        ages.sort_unstable();
        let used = u32::try_from(ages.len()).unwrap_or(u32::MAX);
        if used < self.presses {
            return OtpAllowance::Left(self.presses - used);
        }
        // The press whose leaving brings the count below the budget: the oldest of the newest so many.
        let decisive = usize::try_from(self.presses).unwrap_or(usize::MAX);
        let age = decisive.checked_sub(1).and_then(|index| ages.get(index)).copied();
        let wait = self.window.saturating_sub(age.unwrap_or_default());
        let until = TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| now.at.checked_add_signed(wait));
        OtpAllowance::UsedUp {
            until: until.unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::clock_reading::SinceBoot;

    const BUDGET: OtpBudget = OtpBudget {
        presses: 4,
        window: Duration::from_mins(11),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
    }

    /// By the wall clock, which is `ahead` of the truth.
    fn moment(seconds: u32, ahead: i64) -> ClockReading {
        ClockReading {
            at: at(i64::from(seconds) + ahead),
            since_boot: Some(SinceBoot {
                boot: "this".into(),
                elapsed: Duration::from_secs(seconds.into()),
            }),
        }
    }

    #[rstest]
    #[case::fresh(&[], 0, OtpAllowance::Left(4))]
    #[case::one_used(&[0], 10, OtpAllowance::Left(3))]
    #[case::used_up(&[0, 10, 20, 30], 40, OtpAllowance::UsedUp { until: at(660) })]
    #[case::last_second(&[0, 10, 20, 30], 659, OtpAllowance::UsedUp { until: at(660) })]
    #[case::oldest_left(&[0, 10, 20, 30], 660, OtpAllowance::Left(1))]
    #[case::beyond_budget(&[0, 10, 20, 30, 40], 50, OtpAllowance::UsedUp { until: at(670) })]
    #[case::clock_set_back(&[1000, 1001, 1002, 1003], 0, OtpAllowance::UsedUp { until: at(660) })]
    fn the_budget_counts_presses_in_the_window(
        #[case] presses: &[i64],
        #[case] now: i64,
        #[case] allowance: OtpAllowance,
    ) {
        let presses: Vec<_> = presses
            .iter()
            .map(|seconds| ClockReading::by_wall_clock(at(*seconds)))
            .collect();
        assert_eq!(
            BUDGET.allowance(&presses, &ClockReading::by_wall_clock(at(now))),
            allowance
        );
    }

    #[rstest]
    #[case::set_forward(7_200)]
    #[case::set_back(-7_200)]
    fn setting_the_clock_neither_opens_the_budget_nor_holds_it(#[case] ahead: i64) {
        let presses = [0, 10, 20, 30].map(|seconds| moment(seconds, 0));
        assert_eq!(
            BUDGET.allowance(&presses, &moment(659, ahead)),
            OtpAllowance::UsedUp {
                until: at(660 + ahead)
            }
        );
        assert_eq!(
            BUDGET.allowance(&presses, &moment(660, ahead)),
            OtpAllowance::Left(1)
        );
    }

    #[test]
    fn a_budget_of_none_allows_none() {
        let none = OtpBudget {
            presses: 0,
            window: Duration::from_mins(11),
        };
        assert_eq!(
            none.allowance(&[], &ClockReading::by_wall_clock(at(0))),
            OtpAllowance::UsedUp { until: at(660) }
        );
    }

    proptest! {
        /// Pressing only when allowed never puts more than the budget into any window, however the wall clock is set
        /// before each press.
        #[test]
        fn no_window_ever_holds_more_than_the_budget(
            gaps in proptest::collection::vec((0_u32..400, -90_000_i64..90_000), 1..60),
        ) {
            let mut now = 0;
            let mut pressed: Vec<(u32, ClockReading)> = Vec::new();
            for (gap, ahead) in gaps {
                now += gap;
                let known: Vec<ClockReading> = pressed.iter().map(|(_, press)| press.clone()).collect();
                if matches!(BUDGET.allowance(&known, &moment(now, ahead)), OtpAllowance::Left(_)) {
                    pressed.push((now, moment(now, ahead)));
                }
            }
            for (index, (first, _)) in pressed.iter().enumerate() {
                let in_window = pressed[index..].iter().filter(|(press, _)| press - first < 660).count();
                prop_assert!(in_window <= 4);
            }
        }
    }
}
