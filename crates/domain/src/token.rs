//! What is stored about a token, and the status and servability derived from it. Status is never stored.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::{Account, Api};
use crate::expiry::LAST_SECONDS;
use crate::failure::{Failure, FailureReason};
use crate::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, UserId};
use crate::secret::{AccessToken, ExtendedToken};
use crate::token_kind::TokenKind;

/// What a token is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenStatus {
    /// Verified, and nothing speaks against it.
    Valid,
    /// Dead by time.
    Expired,
    /// Upstox said 401, or the operator revoked it.
    Invalid,
    /// There is none.
    Missing,
    /// Never verified, or the last check failed for a cause that says nothing about the token.
    /// Never leads to a sign-in.
    Unknown,
}

impl TokenStatus {
    /// The word in JSON, SQL and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// Whether only a human at the second factor can help.
    pub fn needs_sign_in(self) -> bool {
        match self {
            Self::Expired | Self::Invalid | Self::Missing => true,
            Self::Valid | Self::Unknown => false,
        }
    }
}

impl fmt::Display for TokenStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one profile check said about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// Upstox answered with the profile of the token's owner.
    Valid,
    /// Upstox said that the token is dead. A later good answer takes that back.
    Invalid,
    /// The operator took the token back. Nothing takes that back.
    Revoked,
    /// The check could not be made; the reason says why.
    Unknown(FailureReason),
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("valid"),
            Self::Invalid => f.write_str("invalid"),
            Self::Revoked => f.write_str("revoked"),
            Self::Unknown(reason) => write!(f, "unknown ({reason})"),
        }
    }
}

/// The newest profile check of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCheck {
    /// When the answer came.
    pub at: DateTime<Utc>,
    /// What it said.
    pub result: CheckResult,
}

/// The newest token of one API as it is stored.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// Whose token; that of an account's analytics token is `ApiName::of_analytics`.
    pub api: ApiName,
    /// The account that signed in for it.
    pub account: AccountId,
    /// The app it was made for; the token itself does not name it. `ClientId::of_no_app` for an analytics token.
    pub client_id: ClientId,
    /// The person it belongs to, as Upstox answered.
    pub user_id: UserId,
    /// Grows by one with each new token of the API.
    pub generation: Generation,
    /// The token.
    pub access_token: AccessToken,
    /// When the exchange was sent, or when the operator gave the token to Vega.
    pub issued_at: DateTime<Utc>,
    /// The first 03:30 IST after that, or the token's own `exp` where that is earlier; of an analytics token its own `exp`, or a year.
    pub valid_until: DateTime<Utc>,
    /// When Upstox first confirmed it.
    pub verified_at: Option<DateTime<Utc>>,
    /// When Upstox called it dead, if it did not take that back, or when the operator revoked it.
    pub rejected_at: Option<DateTime<Utc>>,
    /// The newest check, whatever it said.
    pub last_check: Option<LastCheck>,
}

impl StoredToken {
    /// Whether it was made for this app and for the person of this account, as they are configured now.
    pub fn fits(&self, account: &Account, api: &Api) -> bool {
        self.api == api.name && self.client_id == api.client_id && self.is_of_person(account)
    }

    /// Whether it is the analytics token of this account and of its person, as they are configured now.
    pub fn is_analytics_of(&self, account: &Account) -> bool {
        self.api == ApiName::of_analytics(&account.id) && self.is_of_person(account)
    }

    fn is_of_person(&self, account: &Account) -> bool {
        account.user_id.as_ref().is_none_or(|user| *user == self.user_id)
    }

    /// What it opens.
    pub fn kind(&self) -> TokenKind {
        TokenKind::kept_under(&self.api)
    }

    /// The status at `now`.
    pub fn status(&self, now: DateTime<Utc>) -> TokenStatus {
        if now >= self.valid_until {
            TokenStatus::Expired
        } else if self.rejected_at.is_some() {
            TokenStatus::Invalid
        } else if self.verified_at.is_none()
            || self
                .last_check
                .is_some_and(|check| matches!(check.result, CheckResult::Unknown(_)))
        {
            TokenStatus::Unknown
        } else {
            TokenStatus::Valid
        }
    }

    /// Whether a program may have it at `now`: verified once, not rejected, not somebody else's, more than a minute left.
    /// A later check that merely failed takes no proven token away.
    pub fn is_servable(&self, now: DateTime<Utc>) -> bool {
        self.verified_at.is_some() && !self.is_refused() && now < self.served_until()
    }

    /// When its last minute begins, in which no program gets it.
    pub fn served_until(&self) -> DateTime<Utc> {
        self.valid_until - LAST_SECONDS
    }

    /// Whether Upstox spoke against it: called it dead, or somebody else's.
    pub fn is_refused(&self) -> bool {
        let is_a_strangers = self
            .last_check
            .is_some_and(|check| check.result == CheckResult::Unknown(FailureReason::WrongUser));
        self.rejected_at.is_some() || is_a_strangers
    }

    /// Whether the operator took it back: whatever Upstox says of it, it is over.
    pub fn is_revoked(&self) -> bool {
        self.last_check
            .is_some_and(|check| check.result == CheckResult::Revoked)
    }

    /// Whether it may be alive at `now`, so that it is worth asking Upstox: not dead by time, and not revoked. That Upstox
    /// called it dead once is no reason: one refusal may have been a mistake.
    pub fn may_live(&self, now: DateTime<Utc>) -> bool {
        now < self.valid_until && !self.is_revoked()
    }

    /// Whether it was made so short a while ago that Upstox may not know it everywhere yet.
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        (TimeDelta::zero()..=FRESH).contains(&(now - self.issued_at))
    }

    /// Whether a check tells more than that what was known is still so.
    pub fn is_changed_by(&self, check: LastCheck) -> bool {
        let mut after = self.clone();
        after.apply(check);
        let known = |token: &Self| {
            let result = token.last_check.map(|check| check.result);
            (result, token.verified_at.is_some(), token.rejected_at.is_some())
        };
        known(self) != known(&after)
    }

    /// Takes a check into account, as the database does.
    pub fn apply(&mut self, check: LastCheck) {
        if self.is_revoked() {
            return;
        }
        match check.result {
            CheckResult::Valid => {
                self.verified_at = self.verified_at.or(Some(check.at));
                self.rejected_at = None;
            }
            CheckResult::Invalid | CheckResult::Revoked => {
                self.rejected_at = self.rejected_at.or(Some(check.at));
            }
            CheckResult::Unknown(_) => {}
        }
        self.last_check = Some(check);
    }
}

/// How long a new token may be refused for no other cause than that it is new.
/// Source: seen at other providers after an issue; Upstox promises nothing.
const FRESH: TimeDelta = TimeDelta::seconds(60);

/// What a token says of itself, where it is a JWT. Upstox calls it opaque, so each may be missing, and none is proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenClaims {
    /// Its `sub`: whose it is.
    pub user_id: Option<UserId>,
    /// Its `iat`: when it was made.
    pub made_at: Option<DateTime<Utc>>,
    /// Its `exp`: when it ends.
    pub ends_at: Option<DateTime<Utc>>,
}

impl TokenClaims {
    /// Whether it was made to live for longer than a day's token can; `None` where it does not say.
    pub fn outlives_a_day(&self) -> Option<bool> {
        Some(self.ends_at? - self.made_at? > TimeDelta::days(1))
    }
}

/// A token on its way into the database, with the attempt that it ends.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The token and what is known of it.
    pub token: StoredToken,
    /// Sealed beside it, never served by default.
    pub extended_token: Option<ExtendedToken>,
    /// The attempt that brought it; closed in the same commit.
    pub attempt: AttemptId,
}

/// What an operator sees of one API: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiStatus {
    /// The API.
    pub api: ApiName,
    /// Its account.
    pub account: AccountId,
    /// Derived from what is stored.
    pub status: TokenStatus,
    /// Whether programs get the token now.
    pub servable: bool,
    /// Of the newest token, if there is one.
    pub generation: Option<Generation>,
    /// When the newest token dies or died.
    pub valid_until: Option<DateTime<Utc>>,
    /// When Upstox first confirmed it.
    pub verified_at: Option<DateTime<Utc>>,
    /// The newest check.
    pub last_check: Option<LastCheck>,
    /// Why the last sign-in for it failed, if no token was stored since.
    pub last_failure: Option<Failure>,
    /// The sign-in attempt that ended last when it had failed so.
    pub last_attempt: Option<AttemptId>,
}

impl ApiStatus {
    /// Why the newest check did not settle what the token is worth, if it did not.
    pub fn check_failure(&self) -> Option<Failure> {
        match self.last_check?.result {
            CheckResult::Unknown(reason) => Some(Failure::new(reason, "")),
            CheckResult::Valid | CheckResult::Invalid | CheckResult::Revoked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DIES: i64 = 1_790_000_000;

    fn at(offset: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(DIES + offset, 0).unwrap()
    }

    fn token(verified: bool, rejected: bool, last: Option<CheckResult>) -> StoredToken {
        StoredToken {
            api: ApiName::new("PRIMARY").unwrap(),
            account: AccountId::new("default").unwrap(),
            client_id: ClientId::new("key").unwrap(),
            user_id: UserId::new("AB1234").unwrap(),
            generation: Generation::FIRST,
            access_token: AccessToken::new("t"),
            issued_at: at(-40_000),
            valid_until: at(0),
            verified_at: verified.then(|| at(-39_999)),
            rejected_at: rejected.then(|| at(-100)),
            last_check: last.map(|result| LastCheck { at: at(-50), result }),
        }
    }

    const UNREACHABLE: CheckResult = CheckResult::Unknown(FailureReason::Network);

    /// The time of a check is no news, and nothing is of a token that the operator took back.
    #[rstest]
    #[case::still_valid(true, false, Some(CheckResult::Valid), CheckResult::Valid, false)]
    #[case::proven(false, false, Some(UNREACHABLE), CheckResult::Valid, true)]
    #[case::first_check(true, false, None, CheckResult::Valid, true)]
    #[case::dead(true, false, Some(CheckResult::Valid), CheckResult::Invalid, true)]
    #[case::still_dead(true, true, Some(CheckResult::Invalid), CheckResult::Invalid, false)]
    #[case::refusal_taken_back(true, true, Some(CheckResult::Invalid), CheckResult::Valid, true)]
    #[case::refused_in_between(true, true, Some(UNREACHABLE), CheckResult::Valid, true)]
    #[case::outage(true, false, Some(CheckResult::Valid), UNREACHABLE, true)]
    #[case::same_outage(true, false, Some(UNREACHABLE), UNREACHABLE, false)]
    #[case::other_outage(
        true,
        false,
        Some(UNREACHABLE),
        CheckResult::Unknown(FailureReason::StaticIp),
        true
    )]
    #[case::revoked(true, true, Some(CheckResult::Revoked), CheckResult::Valid, false)]
    fn a_check_tells_something_new(
        #[case] verified: bool,
        #[case] rejected: bool,
        #[case] last: Option<CheckResult>,
        #[case] result: CheckResult,
        #[case] is_new: bool,
    ) {
        let check = LastCheck { at: at(-10), result };
        assert_eq!(token(verified, rejected, last).is_changed_by(check), is_new);
    }

    #[rstest]
    #[case::fresh(true, false, Some(CheckResult::Valid), -3600, TokenStatus::Valid, true)]
    #[case::never_verified(false, false, None, -3600, TokenStatus::Unknown, false)]
    #[case::check_failed_before_proof(false, false, Some(UNREACHABLE), -3600, TokenStatus::Unknown, false)]
    #[case::outage_after_proof(true, false, Some(UNREACHABLE), -3600, TokenStatus::Unknown, true)]
    #[case::profile_of_a_stranger(
        true,
        false,
        Some(CheckResult::Unknown(FailureReason::WrongUser)),
        -3600,
        TokenStatus::Unknown,
        false
    )]
    #[case::rejected(true, true, Some(CheckResult::Invalid), -3600, TokenStatus::Invalid, false)]
    #[case::rejected_then_outage(true, true, Some(UNREACHABLE), -3600, TokenStatus::Invalid, false)]
    #[case::more_than_a_minute(true, false, Some(CheckResult::Valid), -61, TokenStatus::Valid, true)]
    #[case::last_minute(true, false, Some(CheckResult::Valid), -60, TokenStatus::Valid, false)]
    #[case::last_second(true, false, Some(CheckResult::Valid), -1, TokenStatus::Valid, false)]
    #[case::at_expiry(true, false, Some(CheckResult::Valid), 0, TokenStatus::Expired, false)]
    #[case::rejected_and_expired(true, true, Some(CheckResult::Invalid), 0, TokenStatus::Expired, false)]
    fn status_and_servability(
        #[case] verified: bool,
        #[case] rejected: bool,
        #[case] last: Option<CheckResult>,
        #[case] now: i64,
        #[case] status: TokenStatus,
        #[case] servable: bool,
    ) {
        let token = token(verified, rejected, last);
        assert_eq!(token.status(at(now)), status);
        assert_eq!(token.is_servable(at(now)), servable);
    }

    #[test]
    fn unknown_and_valid_never_lead_to_a_sign_in() {
        assert!(!TokenStatus::Unknown.needs_sign_in());
        assert!(!TokenStatus::Valid.needs_sign_in());
        assert!(TokenStatus::Expired.needs_sign_in());
        assert!(TokenStatus::Invalid.needs_sign_in());
        assert!(TokenStatus::Missing.needs_sign_in());
    }

    #[test]
    fn a_failed_check_changes_only_the_last_check() {
        let mut token = token(true, false, Some(CheckResult::Valid));
        let before = token.verified_at;
        token.apply(LastCheck {
            at: at(-10),
            result: UNREACHABLE,
        });
        assert_eq!((token.verified_at, token.rejected_at), (before, None));
        assert!(token.is_servable(at(-3600)));
        token.apply(LastCheck {
            at: at(-5),
            result: CheckResult::Invalid,
        });
        assert!(!token.is_servable(at(-3600)));
        assert_eq!(token.rejected_at, Some(at(0) - TimeDelta::seconds(5)));
    }

    fn check(seconds: i64, result: CheckResult) -> LastCheck {
        LastCheck {
            at: at(seconds),
            result,
        }
    }

    #[test]
    fn a_good_answer_takes_a_refusal_back_and_no_revocation() {
        for verified in [true, false] {
            let mut token = token(verified, false, None);
            token.apply(check(-300, CheckResult::Invalid));
            token.apply(check(-200, UNREACHABLE));
            assert_eq!(
                token.status(at(-200)),
                TokenStatus::Invalid,
                "an outage takes nothing back"
            );
            token.apply(check(-190, CheckResult::Valid));
            assert_eq!(token.status(at(-190)), TokenStatus::Valid);
            assert!(token.is_servable(at(-190)) && token.may_live(at(-190)));

            token.apply(check(-180, CheckResult::Revoked));
            for later in [CheckResult::Valid, UNREACHABLE, CheckResult::Invalid] {
                token.apply(check(-170, later));
                assert_eq!(token.status(at(-170)), TokenStatus::Invalid, "{later:?}");
                assert!(
                    !token.is_servable(at(-170)) && !token.may_live(at(-170)),
                    "{later:?}"
                );
                assert_eq!(token.rejected_at, Some(at(-180)));
            }
        }
    }

    #[test]
    fn what_was_refused_may_live_until_its_time_is_over() {
        let mut token = token(true, true, Some(CheckResult::Invalid));
        assert!(token.may_live(at(-1)) && !token.may_live(at(0)));
        token.rejected_at = None;
        assert!(token.may_live(at(-1)) && !token.may_live(at(0)));
    }

    #[rstest]
    #[case::set_back(-1, false)]
    #[case::at_once(0, true)]
    #[case::a_minute_old(60, true)]
    #[case::older(61, false)]
    fn a_token_is_fresh_for_a_minute(#[case] age: i64, #[case] fresh: bool) {
        let token = token(false, false, None);
        assert_eq!(token.is_fresh(token.issued_at + TimeDelta::seconds(age)), fresh);
    }
}
