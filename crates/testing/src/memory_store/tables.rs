//! What a store holds, as plain rows. A test may look at all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::consumer::{ConsumerStop, ConsumerUse};
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::file_delivery::FileDelivery;
use vega_domain::ids::{AccessKeyId, ApiName, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{LeaseHolder, LeftAnswer, NewAttempt, StoredKey, TokenCheck};
use vega_domain::run::RunRecord;
use vega_domain::secret::{AuthorizationCode, ExtendedToken, RawAnswer};
use vega_domain::sign_in::AttemptState;
use vega_domain::token::{NewToken, StoredToken};

/// Every row of a store.
#[derive(Default, Clone)]
pub struct Tables {
    pub tokens: Vec<TokenRow>,
    pub attempts: Vec<AttemptRow>,
    pub presses: Vec<PressRow>,
    pub runs: Vec<RunRow>,
    pub cooldowns: Vec<Cooldown>,
    pub deliveries: BTreeMap<PathBuf, FileDelivery>,
    pub access: AccessTables,
    pub consumers: ConsumerTables,
    /// Beside the database: no commit writes there.
    pub spool: Spool,
    pub audit: Vec<AuditEntry>,
    /// After which runs the trail's end was kept, and how many entries it had.
    pub checkpoints: Vec<(RunId, usize)>,
}

/// A token. The row stays when its bytes are erased, for its generation counts.
#[derive(Clone)]
pub struct TokenRow {
    pub token: StoredToken,
    pub extended_token: Option<ExtendedToken>,
    pub attempt: AttemptId,
    pub is_erased: bool,
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

/// A sign-in, and how far it came.
#[derive(Clone)]
pub struct AttemptRow {
    pub new: NewAttempt,
    pub state: AttemptState,
    pub code: Option<AuthorizationCode>,
    pub sent_at: Option<DateTime<Utc>>,
    pub answer: LeftAnswer,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub failure: Option<Failure>,
}

impl AttemptRow {
    /// Whether it is neither stored nor closed.
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// How it ended.
    pub fn end(&self) -> End {
        match (&self.failure, self.state) {
            (Some(failure), _) => End::Closed(failure.reason),
            (None, AttemptState::Stored) => End::Stored,
            (None, _) => End::Open,
        }
    }
}

/// A press of Get OTP.
#[derive(Clone)]
pub struct PressRow {
    pub attempt: AttemptId,
    pub mobile: MobileNumber,
    pub at: ClockReading,
}

/// A run.
#[derive(Clone)]
pub struct RunRow {
    pub record: RunRecord,
    /// When each step was saved last.
    pub saved_at: BTreeMap<ApiName, DateTime<Utc>>,
    pub taken_up_at: Option<DateTime<Utc>>,
    pub is_cancel_requested: bool,
}

/// Who may call.
#[derive(Default, Clone)]
pub struct AccessTables {
    pub keys: Vec<StoredKey>,
    /// Those of `keys` whose record does not fit any more.
    pub damaged_keys: BTreeSet<AccessKeyId>,
    pub links: Vec<(SecretHash, ConsoleLink)>,
    pub sessions: Vec<(SecretHash, ConsoleSession)>,
}

/// Programs that use tokens.
#[derive(Default, Clone)]
pub struct ConsumerTables {
    pub uses: Vec<ConsumerUse>,
    pub stops: Vec<ConsumerStop>,
}

/// What is kept beside the database.
#[derive(Default, Clone)]
pub struct Spool {
    /// Whose answer and token it has room for.
    pub rooms: BTreeSet<ApiName>,
    pub answers: BTreeMap<ApiName, KeptAnswer>,
    pub tokens: BTreeMap<ApiName, KeptToken>,
}

/// An answer that the database did not take, with its entry.
#[derive(Clone)]
pub struct KeptAnswer {
    pub attempt: AttemptId,
    pub answer: RawAnswer,
    pub received_at: DateTime<Utc>,
    pub audit: AuditEntry,
}

/// A token that the database did not take, with its entry.
#[derive(Clone)]
pub struct KeptToken {
    pub new: NewToken,
    pub audit: AuditEntry,
    /// The check that rejected it while it was here. Its entry waits for its commit.
    pub rejection: Option<(TokenCheck, AuditEntry)>,
}

/// Who holds the lease.
#[derive(Default)]
pub(super) struct LeaseState {
    pub(super) is_held: bool,
    /// Somebody else has had it since.
    pub(super) is_lost: bool,
    pub(super) elsewhere: Option<LeaseHolder>,
}
