//! Why a program gets no token, and so what helps: decided once, for every program that hands tokens out. How it is said,
//! and with which code, is each program's own.

use chrono::{DateTime, TimeDelta, Utc};

use crate::expiry::closed_until;
use crate::token::TokenStatus;

/// What keeps an account from signing in, with what the caller knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed<C> {
    /// The operator's word alone opens it.
    Stop(C),
    /// It opens by itself.
    Cooldown(C),
}

/// Why no program gets the token of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken<C> {
    /// Upstox did not say whether the token is good. Asking again helps; a sign-in is not called for.
    Unknown,
    /// Nobody can sign in before the account is open.
    Closed(Closed<C>),
    /// No sign-in is made before this time: the token is still valid, for less than a minute, or it is about 03:30 IST.
    NotBefore(DateTime<Utc>),
    /// A human must sign in, and can.
    SignIn,
}

impl<C> NoToken<C> {
    /// For an API whose token no program gets at `now`, and whose account is closed so.
    pub fn of(
        status: TokenStatus,
        valid_until: Option<DateTime<Utc>>,
        closed: Option<Closed<C>>,
        now: DateTime<Utc>,
    ) -> Self {
        match (status, closed, valid_until) {
            (TokenStatus::Unknown, ..) => Self::Unknown,
            (_, Some(closed), _) => Self::Closed(closed),
            (TokenStatus::Valid, None, Some(dies)) => Self::NotBefore(new_one_from(dies)),
            _ => closed_until(now).map_or(Self::SignIn, Self::NotBefore),
        }
    }
}

/// From which minute on a token that dies then can be replaced without force.
pub fn new_one_from(dies: DateTime<Utc>) -> DateTime<Utc> {
    let open = closed_until(dies).unwrap_or(dies);
    let into_minute = TimeDelta::nanoseconds(open.timestamp_nanos_opt().unwrap_or_default() % 60_000_000_000);
    if into_minute.is_zero() {
        open
    } else {
        open + TimeDelta::minutes(1) - into_minute
    }
}

/// The status in words. A valid token is withheld only in its last minute.
pub fn status_words(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::Valid => "in its last minute",
        other => other.as_str(),
    }
}

/// That an account has no analytics token that programs get, and the way out. `None`: it never had one.
pub fn no_analytics_words(account: &str, status: Option<TokenStatus>) -> String {
    let way_out = format!(
        "Make one on Upstox's page (My apps, Analytics), and give it to Vega: `vega adopt --analytics {account}`"
    );
    match status {
        None => format!("Account {account} has no analytics token. {way_out}"),
        Some(TokenStatus::Unknown) => format!(
            "Upstox did not say whether the analytics token of account {account} is good. Vega asks again"
        ),
        Some(status) => format!(
            "The analytics token of account {account} is {}. {way_out}",
            status_words(status)
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const STOP: Option<Closed<&str>> = Some(Closed::Stop("stop"));
    const COOLDOWN: Option<Closed<&str>> = Some(Closed::Cooldown("cooldown"));
    const MORNING: &str = "08:45:00";

    fn ist(text: &str) -> DateTime<Utc> {
        let at = DateTime::parse_from_rfc3339(&format!("2026-11-24T{text}+05:30"));
        at.unwrap().to_utc()
    }

    fn not_before(time: &str) -> NoToken<&'static str> {
        NoToken::NotBefore(ist(time))
    }

    #[rstest]
    #[case::missing(TokenStatus::Missing, None, MORNING, NoToken::SignIn)]
    #[case::expired(TokenStatus::Expired, None, MORNING, NoToken::SignIn)]
    #[case::invalid(TokenStatus::Invalid, None, MORNING, NoToken::SignIn)]
    #[case::good_for_seconds(TokenStatus::Valid, None, "03:29:20", not_before("03:31:00"))]
    #[case::not_known(TokenStatus::Unknown, None, MORNING, NoToken::Unknown)]
    #[case::not_known_and_stopped(TokenStatus::Unknown, STOP, MORNING, NoToken::Unknown)]
    #[case::not_known_and_cooling(TokenStatus::Unknown, COOLDOWN, MORNING, NoToken::Unknown)]
    #[case::not_known_about_0330(TokenStatus::Unknown, None, "03:25:00", NoToken::Unknown)]
    #[case::missing_and_stopped(TokenStatus::Missing, STOP, MORNING, NoToken::Closed(Closed::Stop("stop")))]
    #[case::missing_and_cooling(
        TokenStatus::Missing,
        COOLDOWN,
        MORNING,
        NoToken::Closed(Closed::Cooldown("cooldown"))
    )]
    #[case::for_seconds_and_stopped(
        TokenStatus::Valid,
        STOP,
        "03:29:20",
        NoToken::Closed(Closed::Stop("stop"))
    )]
    #[case::before_the_closed_minutes(TokenStatus::Missing, None, "03:19:59", NoToken::SignIn)]
    #[case::in_the_closed_minutes(TokenStatus::Missing, None, "03:25:00", not_before("03:31:00"))]
    #[case::just_dead(TokenStatus::Expired, None, "03:30:30", not_before("03:31:00"))]
    #[case::after_the_closed_minutes(TokenStatus::Expired, None, "03:31:00", NoToken::SignIn)]
    #[case::stopped_in_the_closed_minutes(
        TokenStatus::Expired,
        STOP,
        "03:25:00",
        NoToken::Closed(Closed::Stop("stop"))
    )]
    fn what_helps_is_what_there_is_no_way_around(
        #[case] status: TokenStatus,
        #[case] closed: Option<Closed<&'static str>>,
        #[case] now: &str,
        #[case] why: NoToken<&'static str>,
    ) {
        assert_eq!(NoToken::of(status, Some(ist("03:30:00")), closed, ist(now)), why);
    }

    /// Upstox may let one die earlier than at 03:30.
    #[rstest]
    #[case::as_upstox_says("03:30:00", "03:31:00")]
    #[case::in_the_closed_minutes("03:25:00", "03:31:00")]
    #[case::in_the_evening("20:00:00", "20:00:00")]
    #[case::within_a_minute("20:00:45", "20:01:00")]
    #[case::within_a_second("20:00:00.000001", "20:01:00")]
    fn a_new_one_is_made_once_this_one_died_and_sign_ins_are_open(#[case] dies: &str, #[case] from: &str) {
        assert_eq!(new_one_from(ist(dies)), ist(from));
    }
}
