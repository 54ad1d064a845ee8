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

    /// Closes an account, in one commit with `audit`. A cooldown MUST NOT replace a stop.
    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Lets this cooldown begin at `since`: it seemed to lie in the future, and would have lasted for longer than its
    /// length.
    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError>;

    /// Ends this cooldown or stop, in one commit with `audit`. MUST end no other one, such as one that came later.
    /// Returns whether it was still there; if not, nothing is written.
    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError>;
}
