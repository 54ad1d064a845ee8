//! A row of `cooldowns`, and the cooldown or stop in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::ports::StoreError;

use crate::records::clock_columns::moment;
use crate::sql::record;
use crate::stored::unreadable;

record! {
    pub(crate) struct CooldownRow {
        mobile_number: String,
        account: String,
        since: DateTime<Utc>,
        boot: Option<String>,
        since_boot_ms: Option<i64>,
        length_ms: Option<i64>,
        reason: String,
        detail: String,
    }
}

impl CooldownRow {
    pub(crate) fn into_cooldown(self) -> Result<Cooldown, StoreError> {
        let reason = FailureReason::parse(&self.reason).map_err(unreadable)?;
        Ok(Cooldown {
            account: AccountId::new(self.account).map_err(unreadable)?,
            mobile_number: MobileNumber::new(self.mobile_number).map_err(unreadable)?,
            since: moment(self.since, self.boot, self.since_boot_ms),
            hold: match self.length_ms {
                Some(millis) => AccountHold::Cooldown {
                    length: Duration::from_millis(u64::try_from(millis).unwrap_or_default()),
                },
                None => AccountHold::Stop,
            },
            failure: Failure::new(reason, self.detail),
        })
    }
}
