//! Port: accounts whose sign-ins are closed.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::clock_reading::ClockReading;
use crate::cooldown::Cooldown;

/// Durable cooldowns and stops, one per mobile number at most.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CooldownRepository: Send + Sync {
    /// Every one there is, also those whose time is over.
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError>;

    /// Closes an account, in one commit with `audit`. A cooldown MUST NOT replace a stop
    /// (`a_cooldown_does_not_replace_a_stop_but_a_stop_does_a_cooldown`).
    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Lets this cooldown begin at `since`: it seemed to lie in the future, and would have lasted for longer than its
    /// length. MUST change no other one (`a_cooldown_from_the_future_is_dated_anew_and_no_other`).
    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError>;

    /// Ends this cooldown or stop, in one commit with `audit`. MUST end no other one, such as one that came later
    /// (`a_cooldown_that_came_later_is_not_opened`). Returns whether it was still there; if not, nothing is written.
    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError>;
}
