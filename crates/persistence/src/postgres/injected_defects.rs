//! Defects of what holds machines with one database together, for those who prove that they find them. They are in no build without the
//! feature `injected-defects`, and do nothing until one of them is put in force.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::Error;
use sqlx::postgres::PgConnectOptions;

use crate::postgres::session::PgSession;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedDefect {
    /// A write of a sign-in does not look who has the lease.
    EpochNotCompared,
    /// What no notification tells is not found.
    NoPoll,
    /// The answer to the question for news is waited for without end.
    PollWithoutDeadline,
    /// A process that is stopped within a write holds all others up.
    NoIdleLimit,
    /// A commit is acknowledged before it is durable.
    AsynchronousCommit,
    /// A commit that nobody answered counts as done.
    UnansweredIsDone,
    /// A commit that nobody answered counts as failed.
    UnansweredIsFailed,
    /// What the trail lacks after another server took the place is not missed.
    LossNotLookedFor,
    /// Sign-ins that were open when commits were lost stay open.
    ResumedAfterALoss,
    /// The epoch is read in the statement that locks, from the lease beside the writer's row.
    LeaseJoined,
    /// Whoever listens is believed when it is silent, and gets a new connection behind everybody's back.
    RecvTrusted,
    /// After a new connection what was there before it counts as seen.
    NoLookAfterReconnect,
    /// A key is put in force before the other machines have it.
    KeyCommittedBeforeCopied,
}

static IN_FORCE: OnceLock<InjectedDefect> = OnceLock::new();

impl InjectedDefect {
    /// From now on, for the whole process; the first one stays.
    pub fn inject(self) {
        let _ = IN_FORCE.set(self);
    }

    pub(crate) fn is_in_force(self) -> bool {
        IN_FORCE.get() == Some(&self)
    }
}

/// The settings that a connection begins with.
pub(crate) fn among(options: PgConnectOptions) -> PgConnectOptions {
    match IN_FORCE.get() {
        Some(InjectedDefect::NoIdleLimit) => options.options([("idle_in_transaction_session_timeout", "0")]),
        Some(InjectedDefect::AsynchronousCommit) => options.options([("synchronous_commit", "off")]),
        _ => options,
    }
}

/// Whether connections begin with other settings than Vega asks for.
pub(crate) fn weakens_settings() -> bool {
    InjectedDefect::NoIdleLimit.is_in_force() || InjectedDefect::AsynchronousCommit.is_in_force()
}

/// The epoch beside the row that this process locked last: one write is open at a time.
static JOINED: AtomicI64 = AtomicI64::new(0);

/// Locks the writer's row in a statement that reads the lease too: what it says of the lease is from before the wait for the lock.
pub(crate) async fn lock_joined(session: &mut PgSession) -> Result<(), Error> {
    if !InjectedDefect::LeaseJoined.is_in_force() {
        return Ok(());
    }
    let lock = "SELECT coalesce(login_lease.epoch, 0) FROM writer LEFT JOIN login_lease ON login_lease.id = writer.id
        WHERE writer.id = 1 FOR UPDATE OF writer";
    let epoch = session.ask(async |connection| sqlx::query_scalar(lock).fetch_one(connection).await);
    JOINED.store(epoch.await?, Ordering::Release);
    Ok(())
}

/// What that statement said.
pub(crate) fn joined() -> Option<i64> {
    InjectedDefect::LeaseJoined
        .is_in_force()
        .then(|| JOINED.load(Ordering::Acquire))
}
