//! A row of `upstox_tokens`, and the token in it.

use chrono::{DateTime, Utc};
use vega_domain::failure::FailureReason;
use vega_domain::ids::{AccountId, ApiName, ClientId, Generation, UserId};
use vega_domain::ports::StoreError;
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, StoredToken};

use crate::sealing::seal::{Place, Sealer};
use crate::sql::{FromRow, Row};
use crate::stored::unreadable;

pub(crate) type CheckColumns = (Option<DateTime<Utc>>, Option<&'static str>, Option<&'static str>);

pub(crate) fn check_columns(check: Option<LastCheck>) -> CheckColumns {
    let Some(check) = check else {
        return (None, None, None);
    };
    let (result, reason) = match check.result {
        CheckResult::Valid => ("valid", None),
        CheckResult::Invalid | CheckResult::Revoked => ("invalid", None),
        CheckResult::Unknown(reason) => ("unknown", Some(reason.code())),
    };
    (Some(check.at), Some(result), reason)
}

/// When the operator took a token back, if that is what its newest check is. It has a column of its own.
pub(crate) fn revocation(check: Option<LastCheck>) -> Option<DateTime<Utc>> {
    check
        .filter(|check| check.result == CheckResult::Revoked)
        .map(|check| check.at)
}

pub(crate) struct TokenRow {
    api: String,
    pub(crate) generation: u32,
    account: String,
    client_id: String,
    user_id: String,
    pub(crate) sealed_access_token: Vec<u8>,
    issued_at: DateTime<Utc>,
    pub(crate) valid_until: DateTime<Utc>,
    verified_at: Option<DateTime<Utc>>,
    rejected_at: Option<DateTime<Utc>>,
    last_check_at: Option<DateTime<Utc>>,
    last_check_result: Option<String>,
    last_check_reason: Option<String>,
    pub(crate) erased_at: Option<DateTime<Utc>>,
    /// A database that was not opened may be of an earlier Vega, which has no such column.
    revoked_at: Option<DateTime<Utc>>,
}

impl FromRow for TokenRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            api: row.try_get("api")?,
            generation: row.try_get("generation")?,
            account: row.try_get("account")?,
            client_id: row.try_get("client_id")?,
            user_id: row.try_get("user_id")?,
            sealed_access_token: row.try_get("sealed_access_token")?,
            issued_at: row.try_get("issued_at")?,
            valid_until: row.try_get("valid_until")?,
            verified_at: row.try_get("verified_at")?,
            rejected_at: row.try_get("rejected_at")?,
            last_check_at: row.try_get("last_check_at")?,
            last_check_result: row.try_get("last_check_result")?,
            last_check_reason: row.try_get("last_check_reason")?,
            erased_at: row.try_get("erased_at")?,
            revoked_at: row.try_get_or_default("revoked_at")?,
        })
    }
}

impl TokenRow {
    fn last_check(&self) -> Result<Option<LastCheck>, StoreError> {
        if let Some(at) = self.revoked_at {
            let result = CheckResult::Revoked;
            return Ok(Some(LastCheck { at, result }));
        }
        let Some(at) = self.last_check_at else {
            return Ok(None);
        };
        let result = match (
            self.last_check_result.as_deref(),
            self.last_check_reason.as_deref(),
        ) {
            (Some("valid"), _) => CheckResult::Valid,
            (Some("invalid"), _) => CheckResult::Invalid,
            (Some("unknown"), Some(code)) => {
                CheckResult::Unknown(FailureReason::parse(code).map_err(unreadable)?)
            }
            other => return Err(unreadable(format!("check result {other:?}"))),
        };
        Ok(Some(LastCheck { at, result }))
    }

    /// Where its access token is sealed.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            table: "upstox_tokens",
            column: "access_token",
            api: &self.api,
            client_id: &self.client_id,
            generation: self.generation,
        }
    }

    /// The token, if its secret opens.
    pub(crate) fn into_token(self, sealer: &Sealer) -> Result<StoredToken, StoreError> {
        let access_token = sealer.open_text(self.place(), &self.sealed_access_token)?;
        Ok(StoredToken {
            last_check: self.last_check()?,
            api: ApiName::stored(self.api).map_err(unreadable)?,
            account: AccountId::new(self.account).map_err(unreadable)?,
            client_id: ClientId::new(self.client_id).map_err(unreadable)?,
            user_id: UserId::new(self.user_id).map_err(unreadable)?,
            generation: Generation::new(self.generation).map_err(unreadable)?,
            access_token: AccessToken::new(access_token),
            issued_at: self.issued_at,
            valid_until: self.valid_until,
            verified_at: self.verified_at,
            rejected_at: self.rejected_at,
        })
    }
}
