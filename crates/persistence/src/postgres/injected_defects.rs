//! Defects of what holds machines with one database together, for those who prove that they find them. They are in no build without the
//! feature `injected-defects`, and do nothing until one of them is put in force.

use std::sync::OnceLock;

use sqlx::postgres::PgConnectOptions;

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
