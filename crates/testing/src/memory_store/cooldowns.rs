//! Closed accounts.

use async_trait::async_trait;
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::ports::{CooldownRepository, StoreError};

use super::store::{Done, MemoryStore};

fn is_it(old: &Cooldown, wanted: &Cooldown) -> bool {
    old.mobile_number == wanted.mobile_number && old.since.at == wanted.since.at
}

#[async_trait]
impl CooldownRepository for MemoryStore {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        self.look("cooldowns", |tables| tables.cooldowns.clone())
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("close account {}", cooldown.account), |tables| {
            let closed = &mut tables.cooldowns;
            let is_of_number = |old: &Cooldown| old.mobile_number == cooldown.mobile_number;
            if !cooldown.is_stop() && closed.iter().any(|old| is_of_number(old) && old.is_stop()) {
                return Ok(Done::nothing(()));
            }
            closed.retain(|old| !is_of_number(old));
            closed.push(cooldown.clone());
            Ok(Done::with((), audit))
        })
    }

    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError> {
        self.commit(&format!("redate account {}", cooldown.account), |tables| {
            let mut closed = tables.cooldowns.iter_mut();
            let Some(old) = closed.find(|old| is_it(old, cooldown)) else {
                return Ok(Done::nothing(()));
            };
            old.since = since.clone();
            Ok(Done::untold(()))
        })
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit(&format!("open account {}", cooldown.account), |tables| {
            let before = tables.cooldowns.len();
            tables.cooldowns.retain(|old| !is_it(old, cooldown));
            Ok(if tables.cooldowns.len() == before {
                Done::nothing(false)
            } else {
                Done::with(true, audit)
            })
        })
    }
}
