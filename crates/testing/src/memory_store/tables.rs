//! What a store holds, as plain rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{LeaseHolder, NewAttempt, StoredKey, TokenCheck};
use vega_domain::run::RunRecord;
use vega_domain::secret::{AuthorizationCode, ExtendedToken, RawAnswer};
use vega_domain::sign_in::AttemptState;
use vega_domain::token::{NewToken, StoredToken};

#[derive(Default, Clone)]
pub(super) struct Tables {
    pub(super) tokens: Vec<TokenRow>,
    pub(super) attempts: Vec<AttemptRow>,
    pub(super) presses: Vec<PressRow>,
    pub(super) runs: Vec<RunRow>,
    pub(super) cooldowns: Vec<Cooldown>,
    pub(super) access: AccessTables,
    /// Beside the database: no commit writes there.
    pub(super) spool: Spool,
    pub(super) audit: Vec<AuditEntry>,
    /// After which runs the trail's end was kept, and how many entries it had.
    pub(super) checkpoints: Vec<(RunId, usize)>,
}

#[derive(Clone)]
pub(super) struct TokenRow {
    pub(super) token: StoredToken,
    pub(super) extended_token: Option<ExtendedToken>,
    pub(super) attempt: AttemptId,
    pub(super) is_erased: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It has not.
    Open,
    /// With a token.
    Stored,
    /// Without one.
    Closed(FailureReason),
}

#[derive(Clone)]
pub(super) struct AttemptRow {
    pub(super) new: NewAttempt,
    pub(super) state: AttemptState,
    pub(super) code: Option<AuthorizationCode>,
    pub(super) sent_at: Option<DateTime<Utc>>,
    pub(super) answer: Option<RawAnswer>,
    pub(super) answered_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) failure: Option<Failure>,
}

impl AttemptRow {
    pub(super) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    pub(super) fn end(&self) -> End {
        match (&self.failure, self.state) {
            (Some(failure), _) => End::Closed(failure.reason),
            (None, AttemptState::Stored) => End::Stored,
            (None, _) => End::Open,
        }
    }
}

#[derive(Clone)]
pub(super) struct PressRow {
    pub(super) attempt: AttemptId,
    pub(super) mobile: MobileNumber,
    pub(super) at: ClockReading,
}

#[derive(Clone)]
pub(super) struct RunRow {
    pub(super) record: RunRecord,
    /// When each step was saved last.
    pub(super) saved_at: BTreeMap<ApiName, DateTime<Utc>>,
    pub(super) taken_up_at: Option<DateTime<Utc>>,
    pub(super) is_cancel_requested: bool,
}

#[derive(Default, Clone)]
pub(super) struct AccessTables {
    pub(super) keys: Vec<StoredKey>,
    pub(super) links: Vec<(SecretHash, ConsoleLink)>,
    pub(super) sessions: Vec<(SecretHash, ConsoleSession)>,
}

/// What is kept beside the database.
#[derive(Default, Clone)]
pub(super) struct Spool {
    /// Whose answer and token it has room for.
    pub(super) rooms: BTreeSet<ApiName>,
    pub(super) answers: BTreeMap<ApiName, KeptAnswer>,
    pub(super) tokens: BTreeMap<ApiName, KeptToken>,
}

#[derive(Clone)]
pub(super) struct KeptAnswer {
    pub(super) attempt: AttemptId,
    pub(super) answer: RawAnswer,
    pub(super) received_at: DateTime<Utc>,
    pub(super) audit: AuditEntry,
}

#[derive(Clone)]
pub(super) struct KeptToken {
    pub(super) new: NewToken,
    pub(super) audit: AuditEntry,
    /// The check that rejected it while it was here. Its entry waits for its commit.
    pub(super) rejection: Option<(TokenCheck, AuditEntry)>,
}

/// Who holds the lease.
#[derive(Default)]
pub(super) struct LeaseState {
    pub(super) is_held: bool,
    pub(super) elsewhere: Option<LeaseHolder>,
}
