//! The records of the spool as they are serialized: an unread answer, or a token ready for its row, each with its audit entry.
//! Each record is sealed as a whole.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::expiry::in_ist;
use vega_domain::failure::FailureReason;
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, RunId, UserId};
use vega_domain::ports::{LoadedToken, StoreError, TokenCheck, UnreadableToken};
use vega_domain::secret::{AccessToken, ExtendedToken, RawAnswer};
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};
use zeroize::ZeroizeOnDrop;

use crate::stored::unreadable;

/// An audit entry that waits for its commit.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptEntry {
    at: DateTime<Utc>,
    kind: String,
    account: Option<String>,
    api: Option<String>,
    run: Option<Uuid>,
    detail: String,
}

impl KeptEntry {
    pub(crate) fn of(entry: &AuditEntry) -> Self {
        Self {
            at: entry.at,
            kind: entry.kind.code().into(),
            account: entry.account.as_ref().map(ToString::to_string),
            api: entry.api.as_ref().map(ToString::to_string),
            run: entry.run.map(|run| run.as_uuid()),
            detail: entry.detail.clone(),
        }
    }

    /// The entry as it is written at `at`; it says since when it had to wait.
    pub(crate) fn written_at(&self, at: DateTime<Utc>) -> Result<AuditEntry, StoreError> {
        let since = in_ist(self.at).format("%Y-%m-%d %H:%M:%S");
        let words = format!("{}; kept in the spool since {since} IST", self.detail);
        let kind = AuditKind::parse(&self.kind).map_err(unreadable)?;
        let mut entry = AuditEntry::new(at, kind, words.trim_start_matches("; "));
        entry.account = self
            .account
            .clone()
            .map(AccountId::new)
            .transpose()
            .map_err(unreadable)?;
        entry.api = self
            .api
            .clone()
            .map(ApiName::new)
            .transpose()
            .map_err(unreadable)?;
        entry.run = self.run.map(RunId::from_uuid);
        Ok(entry)
    }
}

/// An answer that the journal could not store.
#[derive(Serialize, Deserialize, ZeroizeOnDrop)]
pub(crate) struct KeptAnswer {
    #[zeroize(skip)]
    attempt: Uuid,
    #[zeroize(skip)]
    pub(crate) api: String,
    status: u16,
    complete: bool,
    body: String,
    #[zeroize(skip)]
    received_at: DateTime<Utc>,
    #[zeroize(skip)]
    pub(crate) audit: KeptEntry,
}

impl KeptAnswer {
    pub(crate) fn of(
        attempt: AttemptId,
        api: &ApiName,
        answer: &RawAnswer,
        received_at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Self {
        Self {
            attempt: attempt.as_uuid(),
            api: api.to_string(),
            status: answer.status,
            complete: answer.complete,
            body: STANDARD.encode(answer.expose()),
            received_at,
            audit: KeptEntry::of(audit),
        }
    }

    pub(crate) fn attempt(&self) -> AttemptId {
        AttemptId::from_uuid(self.attempt)
    }

    pub(crate) fn received_at(&self) -> DateTime<Utc> {
        self.received_at
    }

    pub(crate) fn answer(&self) -> Result<RawAnswer, StoreError> {
        let body = STANDARD.decode(&self.body).map_err(unreadable)?;
        Ok(RawAnswer::new(self.status, body, self.complete))
    }
}

/// A token that its table could not store.
#[derive(Clone, Serialize, Deserialize, ZeroizeOnDrop)]
pub(crate) struct KeptToken {
    #[zeroize(skip)]
    attempt: Uuid,
    #[zeroize(skip)]
    api: String,
    #[zeroize(skip)]
    account: String,
    #[zeroize(skip)]
    client_id: String,
    #[zeroize(skip)]
    user_id: String,
    #[zeroize(skip)]
    generation: u32,
    access_token: String,
    extended_token: Option<String>,
    #[zeroize(skip)]
    issued_at: DateTime<Utc>,
    #[zeroize(skip)]
    valid_until: DateTime<Utc>,
    #[zeroize(skip)]
    verified_at: Option<DateTime<Utc>>,
    #[zeroize(skip)]
    rejected_at: Option<DateTime<Utc>>,
    #[zeroize(skip)]
    last_check: Option<KeptCheck>,
    #[zeroize(skip)]
    pub(crate) audit: KeptEntry,
    /// The check that rejected it while it was in the spool, so that readers no longer got it.
    #[zeroize(skip)]
    #[serde(default)]
    rejection: Option<KeptEntry>,
}

/// A rejection that waits for its commit.
pub(crate) struct KeptRejection {
    pub(crate) check: TokenCheck,
    pub(crate) audit: KeptEntry,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptCheck {
    at: DateTime<Utc>,
    result: String,
    reason: Option<String>,
}

impl KeptToken {
    pub(crate) fn of(new: &NewToken, audit: &AuditEntry) -> Self {
        let token = &new.token;
        Self {
            attempt: new.attempt.as_uuid(),
            api: token.api.to_string(),
            account: token.account.to_string(),
            client_id: token.client_id.to_string(),
            user_id: token.user_id.to_string(),
            generation: token.generation.get(),
            access_token: token.access_token.expose().to_owned(),
            extended_token: new.extended_token.as_ref().map(|token| token.expose().to_owned()),
            issued_at: token.issued_at,
            valid_until: token.valid_until,
            verified_at: token.verified_at,
            rejected_at: token.rejected_at,
            last_check: token.last_check.map(KeptCheck::of),
            audit: KeptEntry::of(audit),
            rejection: None,
        }
    }

    pub(crate) fn token(&self) -> Result<NewToken, StoreError> {
        let last_check = self.last_check.as_ref().map(KeptCheck::check).transpose()?;
        Ok(NewToken {
            token: StoredToken {
                api: ApiName::new(&*self.api).map_err(unreadable)?,
                account: AccountId::new(&*self.account).map_err(unreadable)?,
                client_id: ClientId::new(&*self.client_id).map_err(unreadable)?,
                user_id: UserId::new(&*self.user_id).map_err(unreadable)?,
                generation: Generation::new(self.generation).map_err(unreadable)?,
                access_token: AccessToken::new(&*self.access_token),
                issued_at: self.issued_at,
                valid_until: self.valid_until,
                verified_at: self.verified_at,
                rejected_at: self.rejected_at,
                last_check,
            },
            extended_token: self.extended_token.as_deref().map(ExtendedToken::new),
            attempt: AttemptId::from_uuid(self.attempt),
        })
    }

    /// The same token after a check. If this check rejects the token, its audit entry waits here for its commit, unless
    /// it is already recorded. Entries of other checks do not wait here: their results are in the token.
    pub(crate) fn checked(
        &self,
        check: LastCheck,
        audit: &AuditEntry,
        is_on_record: bool,
    ) -> Result<Self, StoreError> {
        let mut new = self.token()?;
        new.token.apply(check);
        let mut kept = self.clone();
        let is_rejection = match check.result {
            CheckResult::Invalid => self.rejected_at.is_none(),
            CheckResult::Revoked => !self.token()?.token.is_revoked(),
            CheckResult::Valid | CheckResult::Unknown(_) => false,
        };
        if is_on_record {
            kept.rejection = None;
        } else if is_rejection {
            kept.rejection = Some(KeptEntry::of(audit));
        }
        kept.verified_at = new.token.verified_at;
        kept.rejected_at = new.token.rejected_at;
        kept.last_check = new.token.last_check.map(KeptCheck::of);
        Ok(kept)
    }

    /// The check that rejected it while it was in the spool.
    pub(crate) fn rejection(&self) -> Result<Option<KeptRejection>, StoreError> {
        let (Some(at), Some(audit)) = (self.rejected_at, self.rejection.clone()) else {
            return Ok(None);
        };
        let token = self.token()?.token;
        let result = if token.is_revoked() {
            CheckResult::Revoked
        } else {
            CheckResult::Invalid
        };
        let check = TokenCheck {
            api: token.api,
            generation: token.generation,
            check: LastCheck { at, result },
        };
        Ok(Some(KeptRejection { check, audit }))
    }

    /// Whether it is this token of this API.
    pub(crate) fn is(&self, api: &ApiName, generation: Generation) -> bool {
        self.api == api.as_str() && self.generation == generation.get()
    }
}

/// Adds a kept token to what readers get. Somebody could restore an old file of the spool; therefore a kept token
/// replaces a row that was changed outside Vega only if the token is newer.
pub(crate) fn put_kept(loaded: &mut Vec<LoadedToken>, kept: StoredToken) {
    let same = loaded.iter_mut().find(|loaded| match loaded {
        Ok(token) => token.api == kept.api,
        Err(unreadable) => unreadable.api == kept.api,
    });
    match same {
        Some(Ok(token)) => merge(token, kept),
        Some(Err(UnreadableToken {
            error: StoreError::ChangedOutside(_),
            generation,
            ..
        })) if kept.generation <= *generation => {}
        Some(place) => *place = Ok(kept),
        None => loaded.push(Ok(kept)),
    }
}

/// Whether both are one token. A generation alone does not tell: another machine may have made one of the same number, while
/// this one was kept.
pub(crate) fn is_same(one: &StoredToken, other: &StoredToken) -> bool {
    one.api == other.api
        && one.generation == other.generation
        && one.access_token.expose() == other.access_token.expose()
}

/// Combines an API's token in a row with its token in the spool. The newer token wins, and of two with one number that in the
/// row. Where both are the same token, as happens for a moment, the newer check wins, and a revocation always wins.
fn merge(row: &mut StoredToken, kept: StoredToken) {
    if kept.generation > row.generation {
        *row = kept;
    } else if is_same(row, &kept) && !row.is_revoked() {
        let checked_at = |token: &StoredToken| token.last_check.map(|check| check.at);
        if kept.is_revoked() || checked_at(&kept) >= checked_at(row) {
            row.verified_at = row.verified_at.or(kept.verified_at);
            row.rejected_at = kept.rejected_at;
            row.last_check = kept.last_check;
        }
    }
}

impl KeptCheck {
    fn of(check: LastCheck) -> Self {
        let (result, reason) = match check.result {
            CheckResult::Valid => ("valid", None),
            CheckResult::Invalid => ("invalid", None),
            CheckResult::Revoked => ("revoked", None),
            CheckResult::Unknown(reason) => ("unknown", Some(reason.code().into())),
        };
        Self {
            at: check.at,
            result: result.into(),
            reason,
        }
    }

    fn check(&self) -> Result<LastCheck, StoreError> {
        let result = match (&*self.result, &self.reason) {
            ("valid", _) => CheckResult::Valid,
            ("invalid", _) => CheckResult::Invalid,
            ("revoked", _) => CheckResult::Revoked,
            (_, Some(reason)) => CheckResult::Unknown(FailureReason::parse(reason).map_err(unreadable)?),
            (other, None) => return Err(unreadable(format!("a check came out as {other:?}"))),
        };
        Ok(LastCheck { at: self.at, result })
    }
}
