//! Builders shared by the tests of this crate.

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::expiry;
use vega_domain::ids::{AccountId, ClientId, Generation, UserId};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
pub(crate) use vega_testing::builders::{account_with as account, api};
pub(crate) use vega_testing::{PausedClock, TestClock};

/// 08:45 IST on a working day, plus seconds.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-23T08:45:00+05:30")
        .unwrap()
        .to_utc()
        + TimeDelta::seconds(seconds)
}

pub(crate) fn stored(name: &str, generation: u32) -> StoredToken {
    StoredToken {
        api: api(name),
        account: AccountId::new("default").unwrap(),
        client_id: ClientId::new(format!("key-{name}")).unwrap(),
        user_id: UserId::new("AB1234").unwrap(),
        generation: Generation::new(generation).unwrap(),
        access_token: AccessToken::new(format!("token-{name}-{generation}")),
        issued_at: at(-61),
        valid_until: expiry::valid_until(at(-61)),
        verified_at: Some(at(-59)),
        rejected_at: None,
        last_check: None,
    }
}
