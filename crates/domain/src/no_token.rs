//! Why a program gets no token, and so what helps: decided once, for every program that hands tokens out. How it is said,
//! and with which code, is each program's own.

use chrono::{DateTime, Utc};

use crate::expiry::closed_until;
use crate::token::TokenStatus;

/// Why no program gets the token of an API. `C` is what the caller knows of its account while it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken<C> {
    /// Upstox did not say whether the token is good. Asking again helps; a sign-in is not called for.
    Unknown,
    /// Nobody can sign in before the operator opens the account.
    Stopped(C),
    /// Nobody can sign in before the cooldown is over.
    CoolingDown(C),
    /// It is good for less than a minute, and a new one would die with it.
    LastMinute {
        /// When a sign-in is possible again.
        until: DateTime<Utc>,
    },
    /// A human must sign in, and can.
    SignIn,
}

impl<C> NoToken<C> {
    /// For an API whose newest token is no program's, with what closes its account.
    pub fn of(
        status: TokenStatus,
        valid_until: Option<DateTime<Utc>>,
        stop: Option<C>,
        cooldown: Option<C>,
    ) -> Self {
        match (status, stop, cooldown, valid_until) {
            (TokenStatus::Unknown, ..) => Self::Unknown,
            (_, Some(stop), ..) => Self::Stopped(stop),
            (_, None, Some(cooldown), _) => Self::CoolingDown(cooldown),
            (TokenStatus::Valid, None, None, Some(dies)) => Self::LastMinute {
                until: closed_until(dies).unwrap_or(dies),
            },
            _ => Self::SignIn,
        }
    }
}

/// How a token stands that no program gets: a good one is kept back in its last minute alone.
pub fn standing(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::Valid => "in its last minute",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const STOP: Option<&str> = Some("stop");
    const COOLDOWN: Option<&str> = Some("cooldown");

    fn ist(text: &str) -> DateTime<Utc> {
        let at = DateTime::parse_from_rfc3339(&format!("2026-11-24T{text}+05:30"));
        at.unwrap().to_utc()
    }

    fn last_minute(until: &str) -> NoToken<&'static str> {
        NoToken::LastMinute { until: ist(until) }
    }

    #[rstest]
    #[case::missing(TokenStatus::Missing, None, None, NoToken::SignIn)]
    #[case::expired(TokenStatus::Expired, None, None, NoToken::SignIn)]
    #[case::invalid(TokenStatus::Invalid, None, None, NoToken::SignIn)]
    #[case::good_for_seconds(TokenStatus::Valid, None, None, last_minute("03:31:00"))]
    #[case::not_known(TokenStatus::Unknown, None, None, NoToken::Unknown)]
    #[case::not_known_and_stopped(TokenStatus::Unknown, STOP, None, NoToken::Unknown)]
    #[case::not_known_and_cooling(TokenStatus::Unknown, None, COOLDOWN, NoToken::Unknown)]
    #[case::missing_and_stopped(TokenStatus::Missing, STOP, None, NoToken::Stopped("stop"))]
    #[case::missing_and_cooling(TokenStatus::Missing, None, COOLDOWN, NoToken::CoolingDown("cooldown"))]
    #[case::for_seconds_and_stopped(TokenStatus::Valid, STOP, None, NoToken::Stopped("stop"))]
    #[case::for_seconds_and_cooling(TokenStatus::Valid, None, COOLDOWN, NoToken::CoolingDown("cooldown"))]
    fn what_helps_is_what_there_is_no_way_around(
        #[case] status: TokenStatus,
        #[case] stop: Option<&'static str>,
        #[case] cooldown: Option<&'static str>,
        #[case] why: NoToken<&'static str>,
    ) {
        let dies = ist("03:30:00");
        assert_eq!(NoToken::of(status, Some(dies), stop, cooldown), why);
    }

    /// Upstox may let one die earlier than at 03:30.
    #[test]
    fn a_sign_in_is_possible_again_once_the_token_died_and_sign_ins_are_open() {
        for (dies, until) in [
            ("03:30:00", "03:31:00"),
            ("03:25:00", "03:31:00"),
            ("20:00:00", "20:00:00"),
        ] {
            let why = NoToken::<&str>::of(TokenStatus::Valid, Some(ist(dies)), None, None);
            assert_eq!(why, last_minute(until), "{dies}");
        }
    }
}
