//! Which logins are closed.

use async_trait::async_trait;
use vega_domain::audit::AuditEntry;
use vega_domain::cooldown::Cooldown;
use vega_domain::moment::Moment;
use vega_domain::ports::{CooldownRepository, StoreError};

use super::Database;

#[async_trait]
impl CooldownRepository for Database {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        Ok(self.cooldowns())
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        self.commit(&format!("close account {}", cooldown.account), audit)?;
        let mut tables = self.tables();
        tables
            .cooldowns
            .retain(|old| old.mobile_number != cooldown.mobile_number);
        tables.cooldowns.push(cooldown.clone());
        Ok(())
    }

    async fn redate(&self, cooldown: &Cooldown, since: &Moment) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let mut all = tables.cooldowns.iter_mut();
        if let Some(old) = all.find(|old| *old == cooldown) {
            old.since = since.clone();
        }
        Ok(())
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        let is_it =
            |old: &Cooldown| (&old.mobile_number, &old.since) == (&cooldown.mobile_number, &cooldown.since);
        if !self.cooldowns().iter().any(is_it) {
            return Ok(false);
        }
        self.commit(&format!("open account {}", cooldown.account), audit)?;
        self.tables().cooldowns.retain(|old| !is_it(old));
        Ok(true)
    }
}
