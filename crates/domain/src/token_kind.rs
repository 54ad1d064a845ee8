//! The two kinds of token: what each opens, which one a program asks for, and when the end of one that lives for a year is warned of.
//! Who may have which is decided in `access`.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::{AccountId, ApiName};
use crate::invalid_value::InvalidValue;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An API's access token of the day: everything that its app may do.
    Trade,
    /// An account's analytics token: it only reads market data, and lives for a year.
    /// Source: https://upstox.com/developer/api-documentation/analytics-token.
    Read,
}

impl TokenKind {
    /// The word in JSON, on the command line and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Read => "read",
        }
    }

    /// Of a token that is kept under this name.
    pub fn kept_under(name: &ApiName) -> Self {
        if name.is_of_analytics() {
            Self::Read
        } else {
            Self::Trade
        }
    }

    /// Reads `trade` or `read`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "trade" => Ok(Self::Trade),
            "read" => Ok(Self::Read),
            _ => Err(InvalidValue::new(
                "kind of token",
                format!("{text:?} must be trade or read"),
            )),
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which token a program asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WantedKind {
    /// The API's own. Who does not ask for more never gets another one.
    #[default]
    Trade,
    /// The account's analytics token.
    Read,
    /// The API's own; while there is none, the account's analytics token.
    TradeOrRead,
}

impl From<TokenKind> for WantedKind {
    fn from(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Trade => Self::Trade,
            TokenKind::Read => Self::Read,
        }
    }
}

impl WantedKind {
    /// From `kind` and `accept`, as a program writes them: `kind=trade`, `kind=read` or `accept=read`.
    ///
    /// # Errors
    /// Another word, or both with meanings that exclude each other.
    pub fn of(kind: Option<&str>, accept: Option<&str>) -> Result<Self, InvalidValue> {
        let kind = kind.map(TokenKind::parse).transpose()?;
        let accept = accept.map(TokenKind::parse).transpose()?;
        match (kind, accept) {
            (None | Some(TokenKind::Trade), None | Some(TokenKind::Trade)) => Ok(Self::Trade),
            (Some(TokenKind::Read), None | Some(TokenKind::Read)) => Ok(Self::Read),
            (None | Some(TokenKind::Trade), Some(TokenKind::Read)) => Ok(Self::TradeOrRead),
            (Some(TokenKind::Read), Some(TokenKind::Trade)) => Err(InvalidValue::new(
                "kind of token",
                "kind=read with accept=trade: ask for accept=read, which prefers the trade token",
            )),
        }
    }

    /// As a request to the server writes it, behind the `?`; nothing for who asks for nothing special.
    pub fn query(self) -> &'static str {
        match self {
            Self::Trade => "",
            Self::Read => "kind=read",
            Self::TradeOrRead => "accept=read",
        }
    }

    /// The kinds that may be given, the preferred one first.
    pub fn kinds(self) -> &'static [TokenKind] {
        match self {
            Self::Trade => &[TokenKind::Trade],
            Self::Read => &[TokenKind::Read],
            Self::TradeOrRead => &[TokenKind::Trade, TokenKind::Read],
        }
    }

    /// The names under which the tokens are kept that may be given for this API, the preferred one first.
    pub fn names(self, account: &AccountId, api: &ApiName) -> Vec<ApiName> {
        let name = |kind: &TokenKind| match kind {
            TokenKind::Trade => api.clone(),
            TokenKind::Read => ApiName::of_analytics(account),
        };
        self.kinds().iter().map(name).collect()
    }
}

/// An analytics token lives for so long from when it was made.
/// Source: https://upstox.com/developer/api-documentation/analytics-token.
pub const ANALYTICS_LIFE: TimeDelta = TimeDelta::days(365);

/// How many days before its end an analytics token is warned of.
const WARNED_OF: [i64; 3] = [1, 7, 30];

/// The warning that is due at `now` for a token that ends at `valid_until`: 30, 7 or 1, the days within which it ends. `None` while
/// it lives longer, and when it is over.
pub fn ending_within_days(valid_until: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
    let left = valid_until - now;
    if left <= TimeDelta::zero() {
        return None;
    }
    WARNED_OF.into_iter().find(|days| left <= TimeDelta::days(*days))
}

/// When the warnings of a token begin that ends at `valid_until`.
pub fn warnings_of(valid_until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    WARNED_OF
        .into_iter()
        .map(move |days| valid_until - TimeDelta::days(days))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, None, WantedKind::Trade)]
    #[case(Some("trade"), None, WantedKind::Trade)]
    #[case(Some("trade"), Some("trade"), WantedKind::Trade)]
    #[case(None, Some("trade"), WantedKind::Trade)]
    #[case(Some("read"), None, WantedKind::Read)]
    #[case(Some("read"), Some("read"), WantedKind::Read)]
    #[case(None, Some("read"), WantedKind::TradeOrRead)]
    #[case(Some("trade"), Some("read"), WantedKind::TradeOrRead)]
    fn what_a_program_asks_for(
        #[case] kind: Option<&str>,
        #[case] accept: Option<&str>,
        #[case] wanted: WantedKind,
    ) {
        assert_eq!(WantedKind::of(kind, accept), Ok(wanted));
    }

    #[rstest]
    #[case(Some("Read"), None)]
    #[case(Some(""), None)]
    #[case(None, Some("any"))]
    #[case(Some("read"), Some("trade"))]
    fn what_is_no_kind_is_refused(#[case] kind: Option<&str>, #[case] accept: Option<&str>) {
        assert!(WantedKind::of(kind, accept).is_err());
    }

    #[test]
    fn who_asks_for_nothing_special_never_gets_an_analytics_token() {
        let (account, api) = (AccountId::new("main").unwrap(), ApiName::new("PRIMARY").unwrap());
        let names = |wanted: WantedKind| -> Vec<String> {
            let names = wanted.names(&account, &api).into_iter();
            names.map(|name| name.to_string()).collect()
        };
        assert_eq!(names(WantedKind::default()), ["PRIMARY"]);
        assert_eq!(names(WantedKind::Read), ["@main"]);
        assert_eq!(names(WantedKind::TradeOrRead), ["PRIMARY", "@main"]);
    }

    #[rstest]
    #[case::long(31 * 24, None)]
    #[case::a_month(30 * 24, Some(30))]
    #[case::between(8 * 24, Some(30))]
    #[case::a_week(7 * 24, Some(7))]
    #[case::two_days(48, Some(7))]
    #[case::a_day(24, Some(1))]
    #[case::an_hour(1, Some(1))]
    #[case::over(0, None)]
    #[case::long_over(-1, None)]
    fn its_end_is_warned_of_in_time(#[case] hours: i64, #[case] days: Option<i64>) {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        assert_eq!(ending_within_days(now + TimeDelta::hours(hours), now), days);
    }
}
