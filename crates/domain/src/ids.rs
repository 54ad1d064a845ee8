//! Identifiers as types with a checked constructor, so that a wrong one cannot travel past the edge it came in by.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use crate::invalid_value::InvalidValue;
use crate::reading;

macro_rules! text_id {
    (#[derive($($compared:ident),*)] $(#[$doc:meta])* $name:ident, $what:literal, $spelled:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, $($compared),*)]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a value.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidValue> {
                let value = value.into();
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(&value) {
                    Ok(()) => Ok(Self($spelled(value))),
                    Err(rule) => Err(InvalidValue::new($what, format!("{value:?} {rule}"))),
                }
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidValue;
            fn from_str(value: &str) -> Result<Self, InvalidValue> {
                Self::new(value)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        text_id!($(#[$doc])* $name, $what, std::convert::identity, $check);
    };
    ($(#[$doc:meta])* $name:ident, $what:literal, $spelled:expr, $check:expr) => {
        text_id!(#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)] $(#[$doc])* $name, $what, $spelled, $check);
    };
}

text_id!(
    /// The name of one API, unique in the installation: `[A-Z][A-Z0-9_]*`. Whoever writes `primary` means PRIMARY, wherever
    /// a name is read.
    ApiName,
    "API name",
    |value: String| value.to_ascii_uppercase(),
    |value| {
        let mut chars = value.chars();
        let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
        if starts && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            Ok(())
        } else {
            Err("must start with a letter and hold only A-Z, 0-9 and _")
        }
    }
);

text_id!(
    /// The operator's name for one Upstox login: `[a-z0-9][a-z0-9_-]*`.
    AccountId,
    "account name",
    |value| {
        let mut chars = value.chars();
        let starts = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if starts && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-') {
            Ok(())
        } else {
            Err("must hold only a-z, 0-9, _ and -, and start with a letter or digit")
        }
    }
);

text_id!(
    /// The API key of a developer app (Upstox calls it `client_id`).
    ClientId,
    "client id",
    printable
);

text_id!(
    /// The operator's name for one access key: what shows who calls the server.
    KeyName,
    "key name",
    |value| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=40).contains(&value.len()) && value.chars().all(is_good) {
            Ok(())
        } else {
            Err("must be 1 to 40 letters, digits, -, _ and .")
        }
    }
);

text_id!(
    /// What a program that uses tokens calls itself, for display alone.
    ConsumerName,
    "name of a consumer",
    |value| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=64).contains(&value.len()) && value.chars().all(is_good) {
            Ok(())
        } else {
            Err("must be 1 to 64 letters, digits, -, _ and .")
        }
    }
);

text_id!(
    #[derive()]
    /// Upstox's own name for a person (UCC), as `user_id` in its answers. Kept as it came, compared without case.
    UserId,
    "user id",
    std::convert::identity,
    printable
);

impl PartialEq for UserId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for UserId {}

/// Stands before the account in the name under which its analytics token is kept. No API that is configured can have it.
const ANALYTICS: char = '@';

impl ApiName {
    /// Reads what a human or a file gives, in whichever case.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        Self::new(reading::tidied(text).to_ascii_uppercase())
    }

    /// The name under which the analytics token of this account is kept: `@ACCOUNT`. It belongs to no app, and nobody can configure,
    /// type or call it: `new` refuses it.
    pub fn of_analytics(account: &AccountId) -> Self {
        Self(format!("{ANALYTICS}{account}"))
    }

    /// Reads what Vega has stored: also the name of an analytics token.
    pub fn stored(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        match text.strip_prefix(ANALYTICS) {
            Some(account) => AccountId::new(account).map(|account| Self::of_analytics(&account)),
            None => Self::new(text),
        }
    }

    /// Whether an analytics token is kept under it.
    pub fn is_of_analytics(&self) -> bool {
        self.0.starts_with(ANALYTICS)
    }
}

impl AccountId {
    /// Reads what a human or a file gives, in whichever case.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        Self::new(reading::tidied(text).to_ascii_lowercase())
    }
}

impl ClientId {
    /// Stands where an app would: an analytics token belongs to an account.
    pub fn of_no_app() -> Self {
        Self("-".into())
    }

    /// Reads what a human or a file gives. A refusal does not repeat it: it may be the secret, put in the wrong place.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        reading::client_id(text).and_then(Self::new)
    }
}

impl UserId {
    /// Stands where nobody has said yet whose a token is. It is nobody's.
    pub fn not_known() -> Self {
        Self("?".into())
    }

    /// Reads what a human or a file gives, and writes it as Upstox does.
    pub fn read(text: &str) -> Result<Self, InvalidValue> {
        reading::user_id(text).and_then(Self::new)
    }
}

fn printable(value: &str) -> Result<(), &'static str> {
    if !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must not be empty and must hold no spaces or control characters")
    }
}

/// The mobile number of an Upstox login: ten digits, no country code. `Debug` and `Display` show the last four.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MobileNumber(String);

impl MobileNumber {
    /// Accepts ten digits; the refused value is not repeated in the error.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidValue> {
        let value = value.into();
        if value.len() == 10 && value.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(value))
        } else {
            Err(InvalidValue::new(
                "mobile number",
                "must be ten digits, without +91 and without spaces",
            ))
        }
    }

    /// All ten digits, for the login page and the OTP ledger.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MobileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "******{}", &self.0[6..])
    }
}

impl fmt::Debug for MobileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MobileNumber({self})")
    }
}

/// Per API, a number that grows by one with each new token; the first token has generation 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// The generation of an API's first token.
    pub const FIRST: Self = Self(1);

    /// Wraps a stored number; zero is not a generation.
    pub fn new(value: u32) -> Result<Self, InvalidValue> {
        if value == 0 {
            Err(InvalidValue::new("generation", "must be 1 or more"))
        } else {
            Ok(Self(value))
        }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The generation of the token that replaces one of this generation, or the first one.
    pub fn after(current: Option<Self>) -> Self {
        current.map_or(Self::FIRST, |generation| Self(generation.0 + 1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! time_ordered_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id that sorts by `now`.
            pub fn at(now: DateTime<Utc>) -> Self {
                let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
                Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
            }

            /// Wraps a stored id.
            pub fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as it is stored.
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidValue;
            fn from_str(value: &str) -> Result<Self, InvalidValue> {
                let id = value.parse().map(Self);
                id.map_err(|_| InvalidValue::new($what, format!("{value:?} must be a UUID")))
            }
        }
    };
}

time_ordered_id!(
    /// One run.
    RunId,
    "run id"
);
time_ordered_id!(
    /// One attempt to sign in for one API.
    AttemptId,
    "attempt id"
);
time_ordered_id!(
    /// One access key.
    AccessKeyId,
    "key id"
);
time_ordered_id!(
    /// One session of the console.
    SessionId,
    "session id"
);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("PRIMARY", true)]
    #[case("OPTIONCHAIN2", true)]
    #[case("A_1", true)]
    #[case("", false)]
    #[case("primary", true)]
    #[case("1A", false)]
    #[case("_A", false)]
    #[case("A-B", false)]
    #[case("A B", false)]
    #[case("Ä", false)]
    #[case::dotless_i("PR\u{131}MARY", false)]
    #[case::long_s("WEB\u{17f}OCKET1", false)]
    #[case::full_width("\u{ff30}RIMARY", false)]
    fn api_names_are_checked(#[case] name: &str, #[case] good: bool) {
        assert_eq!(ApiName::new(name).is_ok(), good);
    }

    #[rstest]
    #[case("primary")]
    #[case("Primary")]
    #[case("pRIMARY")]
    fn an_api_name_is_the_same_in_any_case(#[case] name: &str) {
        let primary = ApiName::new("PRIMARY").unwrap();
        assert_eq!(ApiName::new(name), Ok(primary.clone()));
        assert_eq!(name.parse(), Ok(primary.clone()));
        assert_eq!(
            ApiName::new(name).unwrap().as_str(),
            "PRIMARY",
            "one spelling is stored"
        );
    }

    /// Whoever types it gets nothing, and it reads back from the database.
    #[test]
    fn the_name_of_an_analytics_token_is_no_api() {
        let account = AccountId::new("default").unwrap();
        let name = ApiName::of_analytics(&account);
        assert_eq!(name.as_str(), "@default");
        assert!(name.is_of_analytics());
        assert_eq!(ApiName::stored(name.as_str()), Ok(name.clone()));
        for text in ["@default", "@", "@A B", "@Default"] {
            assert!(
                ApiName::new(text).is_err() && ApiName::read(text).is_err(),
                "{text}"
            );
        }
        for text in ["@", "@A B", "@Default", "A-B"] {
            assert!(ApiName::stored(text).is_err(), "{text}");
        }
        let api = ApiName::stored("PRIMARY").unwrap();
        assert!(api == ApiName::new("PRIMARY").unwrap() && !api.is_of_analytics());
    }

    #[rstest]
    #[case("9000000001", true)]
    #[case("900000001", false)]
    #[case("+919000000001", false)]
    #[case("90000 00001", false)]
    fn mobile_numbers_are_checked(#[case] number: &str, #[case] good: bool) {
        assert_eq!(MobileNumber::new(number).is_ok(), good);
    }

    #[rstest]
    #[case("trader-1", true)]
    #[case("NIFTY_bot.v2", true)]
    #[case(&"k".repeat(40), true)]
    #[case(&"k".repeat(41), false)]
    #[case("", false)]
    #[case("two words", false)]
    #[case("a/b", false)]
    #[case("Käse", false)]
    fn key_names_are_checked(#[case] name: &str, #[case] good: bool) {
        assert_eq!(KeyName::new(name).is_ok(), good);
    }

    #[test]
    fn a_mobile_number_is_masked_when_shown() {
        let number = MobileNumber::new("9876543210").unwrap();
        assert_eq!(
            format!("{number} {number:?}"),
            "******3210 MobileNumber(******3210)"
        );
        let refused = MobileNumber::new("98765432100").unwrap_err().to_string();
        assert!(!refused.contains("98765"), "{refused}");
    }

    #[test]
    fn generations_start_at_one_and_grow_by_one() {
        assert_eq!(Generation::after(None).get(), 1);
        assert_eq!(Generation::after(Some(Generation::FIRST)).get(), 2);
        assert!(Generation::new(0).is_err());
    }

    #[test]
    fn later_ids_sort_later() {
        let earlier = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let later = DateTime::from_timestamp(1_790_000_001, 0).unwrap();
        assert!(RunId::at(earlier) < RunId::at(later));
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = AccessKeyId::at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        assert_eq!(id.to_string().parse(), Ok(id));
        let refused = "trader-1".parse::<AccessKeyId>().unwrap_err();
        assert_eq!(refused.to_string(), "key id \"trader-1\" must be a UUID");
    }
}
