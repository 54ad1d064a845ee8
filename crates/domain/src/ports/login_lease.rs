//! Port: one sign-in at a time per installation.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use super::StoreError;
use super::lease_holder::LeaseHolder;

/// Why the lease was not given.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another process signs in now.
    #[error("another Vega signs in now")]
    Held(Option<LeaseHolder>),
    /// The lease could not be asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The held lease; dropping it gives it back, at once or within moments.
#[async_trait]
pub trait Lease: Send + Sync + fmt::Debug {
    /// Ends when somebody else has the lease, although this one was not dropped. A lock of the system is never lost.
    async fn lost(&self) {
        std::future::pending::<()>().await;
    }
}

/// One sign-in at a time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LoginLease: Send + Sync {
    /// Takes the lease or says who has it. Waits until it is known whether a holder lives, and never for his end: not at all on one
    /// machine, on several up to 15 s for one of whom nothing is heard. MUST be free again within moments when it was given back,
    /// and when the holder's process is dead, however it died: at once on one machine
    /// (`a_dead_process_leaves_the_lease_to_the_next`); on several, when nothing was heard of it for 15 s. MUST never be held twice
    /// (`the_lease_is_held_once_and_free_when_it_is_given_back`, `never_1_two_sign_ins_at_once`).
    async fn acquire(&self) -> Result<Box<dyn Lease>, LeaseError>;

    /// Who has the lease now; while a process takes it, the name may still be that of the one before. MUST tell of nobody
    /// once it is free, and MUST NOT refuse it to anybody
    /// (`who_has_the_lease_is_told_while_it_is_held`, `a_dead_process_leaves_the_lease_to_the_next`,
    /// `who_looks_refuses_the_lease_to_nobody`).
    async fn holder(&self) -> Result<Option<LeaseHolder>, StoreError>;

    /// Asked by whoever has the lease before a call, which has no fence as a write has; it waits 3 s at most to be answered. MUST fail
    /// with `TakenOver` where another process has taken it since, also if it gave it back
    /// (`whoever_was_taken_over_changes_nothing_any_more`). A lock of the system is never lost.
    async fn refuse_taken_over(&self) -> Result<(), StoreError>;
}
