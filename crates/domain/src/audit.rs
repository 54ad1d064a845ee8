//! What the audit trail records. An entry is written in the same commit as the change it tells of, and holds no secret.

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::ids::{AccountId, ApiName, RunId};
use crate::invalid_value::InvalidValue;

macro_rules! audit_kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditKind {
            $($(#[$doc])* $variant,)*
        }

        impl AuditKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name in the database and in JSON.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

audit_kinds! {
    /// A profile check settled or changed what is known of a token.
    TokenChecked = "token_checked",
    /// Profile checks of several tokens told nothing new.
    TokensChecked = "tokens_checked",
    /// A program reported that Upstox refuses a token, and Upstox is asked about it.
    TokenReported = "token_reported",
    /// A new token was stored.
    TokenStored = "token_stored",
    /// Everything that a sign-in needs was found to work, before the operator was asked.
    PreflightPassed = "preflight_passed",
    /// Something that a sign-in needs does not work, and nobody was asked for anything.
    PreflightFailed = "preflight_failed",
    /// The operator said yes to a plan, or no.
    PlanConfirmed = "plan_confirmed",
    /// The operator said no to a plan, or could not be asked.
    PlanDeclined = "plan_declined",
    /// Sign-ins were not begun: the clock is wrong, or it is too near 03:30 IST.
    SignInRefused = "sign_in_refused",
    /// An account's sign-ins were closed until the operator opens them.
    AccountStopped = "account_stopped",
    /// An account's sign-ins were closed for a while.
    CooldownBegun = "cooldown_begun",
    /// The operator opened a closed account again.
    AccountOpened = "account_opened",
    /// A run began.
    RunStarted = "run_started",
    /// A run that had ended incomplete goes on.
    RunTakenUp = "run_taken_up",
    /// A run waits, or goes on after a wait.
    RunMoved = "run_moved",
    /// The operator asked, from another process, that a run ends.
    CancelRequested = "cancel_requested",
    /// A run reached an end state.
    RunEnded = "run_ended",
    /// A step moved.
    StepChanged = "step_changed",
    /// A sign-in attempt began.
    AttemptOpened = "attempt_opened",
    /// A press of "Get OTP" was counted before it is made: by Vega, or by the human in a browser of their own.
    OtpRequested = "otp_requested",
    /// "Get OTP" was pressed in the window, and not by Vega.
    OtpRequestedInWindow = "otp_requested_in_window",
    /// "Get OTP" was not pressed: the budget is used up.
    OtpWithheld = "otp_withheld",
    /// A code came back to the redirect URI, or was pasted.
    CodeReceived = "code_received",
    /// A redirect with a missing, wrong or old state was refused.
    RedirectRefused = "redirect_refused",
    /// The server refused a call: an unknown key, session or link, another name or another site's page, a lacking scope.
    CallRefused = "call_refused",
    /// So many more refusals there were in an hour than are on record one by one.
    RefusalsLeftOut = "refusals_left_out",
    /// A code arrived and its exchange is about to be sent.
    ExchangeIntended = "exchange_intended",
    /// The token endpoint answered.
    AnswerReceived = "answer_received",
    /// A token that must not be kept, or that was revoked, was logged out at Upstox, or that was tried.
    TokenLoggedOut = "token_logged_out",
    /// The operator made a token unusable before its time.
    TokenRevoked = "token_revoked",
    /// A root key was made that is to follow the one in force.
    KeyPrepared = "key_prepared",
    /// The root key was replaced by a new one, and all that is sealed was sealed anew.
    KeyRotated = "key_rotated",
    /// A sealed value does not open: it was changed, or moved from another row.
    SealBroken = "seal_broken",
    /// Rows of an earlier Vega got the values that tell whether they were changed.
    RowsSealed = "rows_sealed",
    /// A row was changed, put back or taken away outside Vega.
    RowBroken = "row_broken",
    /// The operator took the database as it was for the true one.
    DatabaseAccepted = "database_accepted",
    /// Another database server took the place of the one that was there, and had not got the last commits.
    CommitsLost = "commits_lost",
    /// A process took the lease of one in another folder, mostly on another machine, of which nothing was heard any more.
    LeaseTakenOver = "lease_taken_over",
    /// Tokens that died long ago were erased.
    TokensErased = "tokens_erased",
    /// A copy of the database was made.
    BackupMade = "backup_made",
    /// The database takes no writes any more: it is being moved to another place.
    MoveBegun = "move_begun",
    /// A move of the database failed or was cancelled, and it counts in its place as before.
    MoveTakenBack = "move_taken_back",
    /// The database counts in another place from now on.
    DatabaseMoved = "database_moved",
    /// A backup took the place of the database.
    DatabaseRestored = "database_restored",
    /// An access key was made.
    KeyAdded = "key_added",
    /// An access key was made worthless.
    KeyRevoked = "key_revoked",
    /// The operator stopped a program that uses tokens: it gets nothing until it is opened.
    ConsumerStopped = "consumer_stopped",
    /// The operator opened it again.
    ConsumerOpened = "consumer_opened",
    /// A link was made that opens one console session.
    ConsoleLinkMade = "console_link_made",
    /// A console session was opened by its link.
    ConsoleSessionOpened = "console_session_opened",
    /// A console session was ended by whoever had it.
    ConsoleSessionEnded = "console_session_ended",
    /// An attempt ended without a stored token.
    AttemptClosed = "attempt_closed",
    /// A file is about to get another token.
    FileDeliveryBegun = "file_delivery_begun",
    /// A file has its token, and what follows has succeeded.
    FileDelivered = "file_delivered",
    /// A file did not get its token, or what follows failed, for a cause that is new.
    FileDeliveryFailed = "file_delivery_failed",
    /// The token of a file is dead, and the file was removed, or left as it is.
    FileDeliveryEnded = "file_delivery_ended",
}

impl AuditKind {
    /// Whether putting an older file back must not undo it: the trail's end is then kept outside the database at once.
    pub fn is_checkpoint(self) -> bool {
        matches!(
            self,
            Self::TokenRevoked
                | Self::KeyRevoked
                | Self::ConsumerStopped
                | Self::ConsoleSessionEnded
                | Self::AccountStopped
                | Self::KeyRotated
                | Self::RowsSealed
                | Self::DatabaseMoved
        )
    }

    /// Whether strangers can bring it about as often as they like.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::RedirectRefused | Self::CallRefused)
    }

    /// Reads a stored code.
    pub fn parse(code: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.code() == code)
            .ok_or_else(|| InvalidValue::new("kind of audit entry", format!("{code:?} is not known")))
    }
}

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: AuditKind,
    /// Whose account, where it concerns one.
    pub account: Option<AccountId>,
    /// Which API, where it concerns one.
    pub api: Option<ApiName>,
    /// Within which run.
    pub run: Option<RunId>,
    /// Plain words or codes; never a secret. Storage adds the keyed fingerprint of the secret that it speaks of.
    pub detail: String,
}

impl AuditEntry {
    /// An entry about the installation as a whole.
    pub fn new(at: DateTime<Utc>, kind: AuditKind, detail: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            account: None,
            api: None,
            run: None,
            detail: detail.into(),
        }
    }

    /// Names the account and API it concerns.
    #[must_use]
    pub fn about(mut self, account: &AccountId, api: &ApiName) -> Self {
        self.account = Some(account.clone());
        self.api = Some(api.clone());
        self
    }

    /// Names the account it concerns.
    #[must_use]
    pub fn about_account(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    /// Names the run it happened in.
    #[must_use]
    pub fn in_run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }
}

/// An entry as the trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its number: 1, 2, 3 and so on.
    pub id: i64,
    /// What it tells.
    pub entry: AuditEntry,
}

/// Which entries are wanted: those that fit all of these.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// None from before.
    pub since: Option<DateTime<Utc>>,
    /// None from then on.
    pub until: Option<DateTime<Utc>>,
    /// Of this kind alone.
    pub kind: Option<AuditKind>,
    /// About this account alone.
    pub account: Option<AccountId>,
    /// About this API alone.
    pub api: Option<ApiName>,
    /// In this run alone.
    pub run: Option<RunId>,
}

/// In which order entries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOrder {
    /// As they were written.
    OldestFirst,
    /// The last one first.
    NewestFirst,
}

/// What a look at the whole trail found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many entries there are, or fit until the fault.
    pub entries: u64,
    /// How many checkpoints of this trail were compared, or fit until the fault.
    pub checkpoints: u64,
    /// How many checkpoints belong to trails of other databases.
    pub other_checkpoints: u64,
    /// The first thing that does not fit.
    pub fault: Option<AuditFault>,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AuditFault {
    /// It is not what Vega wrote in this place.
    #[error(
        "entry {entry} is not what Vega wrote there: it, or one before it, was changed, moved or removed, \
         or the key file is another one"
    )]
    Edited {
        /// Which entry.
        entry: i64,
    },
    /// Numbers are left out.
    #[error("entry {entry} is missing")]
    Missing {
        /// The first that is not there.
        entry: i64,
    },
    /// The last entries are gone.
    #[error("the trail ends with entry {last}, but the last one that was written is {written}")]
    Cut {
        /// The last that is there.
        last: i64,
        /// The last that was there once.
        written: i64,
    },
    /// The trail fits in itself, but is not the one that was there at the end of a run.
    #[error("entry {entry} is not the one that ended the trail {}: the trail was written anew", when(*run))]
    Rewritten {
        /// Which entry.
        entry: i64,
        /// The run that recorded it, if one did.
        run: Option<RunId>,
    },
}

fn when(run: Option<RunId>) -> String {
    run.map_or_else(|| "when it was kept".into(), |run| format!("after run {run}"))
}

impl AuditFault {
    /// The stable name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Edited { .. } => "edited",
            Self::Missing { .. } => "missing",
            Self::Cut { .. } => "cut",
            Self::Rewritten { .. } => "rewritten",
        }
    }

    /// The first entry that does not fit.
    pub fn entry(self) -> i64 {
        match self {
            Self::Edited { entry } | Self::Missing { entry } | Self::Rewritten { entry, .. } => entry,
            Self::Cut { last, .. } => last.saturating_add(1),
        }
    }
}
