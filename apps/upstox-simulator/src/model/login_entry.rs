//! What happens to a mobile number, an OTP, a PIN or a consent typed into a login page.
//! Refusals carry the numbers and texts of the broker's login backend where those are known.

use chrono::{DateTime, Utc};

use super::{
    accounts::Entry,
    login::{Login, NextScreen, Stage},
    phone::LimitReached,
    world::World,
};
use crate::totp;

/// The login backend says no; the page shows the message as a toast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidMobile,
    OtpLimit,
    /// The same, and the page says nothing.
    OtpLimitInSilence,
    SessionExpired,
    ChallengeUnsolved,
    OtpExpired,
    WrongOtp {
        attempts_left: u32,
    },
    WrongPin {
        attempts_left: u32,
    },
    /// The page gives up its form and shows the locked screen.
    Locked,
    ConsentDenied,
}

impl Refusal {
    /// The number in the error object. 1017016, 1017069 and 1017076 are the broker's; the rest are made up.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Refusal::InvalidMobile => 1_017_016,
            Refusal::OtpLimit | Refusal::OtpLimitInSilence => 1_017_069,
            Refusal::SessionExpired | Refusal::OtpExpired => 1_017_076,
            Refusal::ChallengeUnsolved => 1_017_101,
            Refusal::WrongOtp { .. } => 1_017_102,
            Refusal::WrongPin { .. } => 1_017_103,
            Refusal::Locked => 1_017_104,
            Refusal::ConsentDenied => 1_017_105,
        }
    }

    /// The text in the error object and the toast.
    pub(crate) fn message(&self) -> String {
        match self {
            Refusal::InvalidMobile => {
                "You have entered a invalid mobile number please enter the correct mobile number".to_owned()
            }
            Refusal::OtpLimit => "You have exceeded the maximum number of times you can generate an OTP. \
                                  Kindly, try again after 10 mins."
                .to_owned(),
            Refusal::OtpLimitInSilence => String::new(),
            Refusal::SessionExpired | Refusal::OtpExpired => {
                "Your session to validate otp has expired, please try again.".to_owned()
            }
            Refusal::ChallengeUnsolved => "Please verify that you are human.".to_owned(),
            Refusal::WrongOtp { attempts_left } => {
                format!("Incorrect OTP or TOTP. You have {attempts_left} attempts left.")
            }
            Refusal::WrongPin { attempts_left } => {
                format!("Incorrect PIN. You have {attempts_left} attempts left.")
            }
            Refusal::Locked => {
                "Your account is blocked after too many failed attempts. Reset your PIN to unblock it."
                    .to_owned()
            }
            Refusal::ConsentDenied => "You have denied access to the app.".to_owned(),
        }
    }
}

/// A right PIN: where it leads and the login cookie the browser gets.
#[derive(Debug)]
pub(crate) struct PinAccepted {
    pub(crate) next: NextScreen,
    pub(crate) login_cookie: String,
}

impl World {
    /// The login behind a transaction, if this browser opened it.
    pub(crate) fn login(&self, transaction: &str, browser: Option<&str>) -> Result<&Login, Refusal> {
        self.logins
            .get(transaction)
            .filter(|login| browser == Some(login.browser.as_str()) && login.stage != Stage::Done)
            .ok_or(Refusal::SessionExpired)
    }

    /// A press of Get OTP (or Resend, which passes the number of the OTP screen again).
    pub(crate) fn enter_mobile(
        &mut self,
        transaction: &str,
        mobile: &str,
        now: DateTime<Utc>,
    ) -> Result<NextScreen, Refusal> {
        self.counters.otp_pressed(mobile);
        let Some(login) = self.logins.get_mut(transaction) else {
            return Err(Refusal::SessionExpired);
        };
        if !login.challenge_solved {
            return Err(Refusal::ChallengeUnsolved);
        }
        let account = self
            .accounts
            .iter()
            .position(|account| account.seed.mobile == mobile);
        let account = account.ok_or(Refusal::InvalidMobile)?;
        if self.accounts[account].is_locked() {
            return Err(Refusal::Locked);
        }
        if self.phone.send(mobile, now) == Err(LimitReached) {
            self.counters.otp_refused += 1;
            return Err(if self.phone.limit.silent {
                Refusal::OtpLimitInSilence
            } else {
                Refusal::OtpLimit
            });
        }
        login.stage = Stage::Otp { account };
        Ok(NextScreen::Otp {
            masked_mobile: self.masked_mobile(account),
        })
    }

    /// An OTP or TOTP on the second screen.
    pub(crate) fn enter_otp(
        &mut self,
        transaction: &str,
        otp: &str,
        now: DateTime<Utc>,
    ) -> Result<NextScreen, Refusal> {
        let Some(login) = self.logins.get_mut(transaction) else {
            return Err(Refusal::SessionExpired);
        };
        let Stage::Otp { account } = login.stage else {
            return Err(Refusal::SessionExpired);
        };
        let holder = &mut self.accounts[account];
        if holder.is_locked() {
            return Err(Refusal::Locked);
        }
        let sent = self
            .phone
            .last(&holder.seed.mobile)
            .filter(|sent| sent.otp == otp);
        let totp = holder
            .seed
            .totp_secret
            .as_deref()
            .is_some_and(|secret| totp::accepts(secret, otp, now));
        match sent {
            _ if totp => {}
            Some(sent) if self.phone.has_expired(sent, now) => return Err(Refusal::OtpExpired),
            Some(_) => {}
            None => {
                self.counters.wrong_otp += 1;
                return Err(match holder.standing.refuse(Entry::Otp) {
                    0 => Refusal::Locked,
                    attempts_left => Refusal::WrongOtp { attempts_left },
                });
            }
        }
        holder.standing.accept(Entry::Otp);
        login.stage = Stage::Pin { account };
        Ok(NextScreen::Pin)
    }

    /// A PIN on the third screen.
    pub(crate) fn enter_pin(
        &mut self,
        transaction: &str,
        pin: &str,
        now: DateTime<Utc>,
    ) -> Result<PinAccepted, Refusal> {
        let stage = self.logins.get(transaction).map(|login| login.stage);
        let Some(Stage::Pin { account }) = stage else {
            return Err(Refusal::SessionExpired);
        };
        self.counters.pin_entries += 1;
        let holder = &mut self.accounts[account];
        if holder.is_locked() {
            return Err(Refusal::Locked);
        }
        if holder.seed.pin != pin {
            self.counters.wrong_pin += 1;
            return Err(match holder.standing.refuse(Entry::Pin) {
                0 => Refusal::Locked,
                attempts_left => Refusal::WrongPin { attempts_left },
            });
        }
        holder.standing.accept(Entry::Pin);
        let next = self.after_pin(transaction, account, now);
        Ok(PinAccepted {
            next,
            login_cookie: self.sessions.log_in(account, now),
        })
    }

    /// Allow or deny on the consent screen. A denial leads nowhere: the broker documents no redirect for it.
    pub(crate) fn enter_consent(
        &mut self,
        transaction: &str,
        allowed: Consent,
        now: DateTime<Utc>,
    ) -> Result<NextScreen, Refusal> {
        let stage = self.logins.get(transaction).map(|login| login.stage);
        let Some(Stage::Consent { account }) = stage else {
            return Err(Refusal::SessionExpired);
        };
        match allowed {
            Consent::Allow => Ok(self.finish(transaction, account, now)),
            Consent::Deny => Err(Refusal::ConsentDenied),
        }
    }

    /// The back arrow: the mobile screen again, whatever the login cookie would have spared.
    pub(crate) fn go_back(&mut self, transaction: &str) -> NextScreen {
        if let Some(login) = self.logins.get_mut(transaction) {
            login.stage = Stage::Mobile;
        }
        NextScreen::Mobile
    }
}

/// The answer to the consent screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consent {
    Allow,
    Deny,
}
