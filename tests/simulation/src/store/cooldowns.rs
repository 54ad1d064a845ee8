//! Closed accounts.

use async_trait::async_trait;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::ports::{CooldownRepository, StoreError};

use super::{Effect, Store};
use crate::injected_defects::InjectedDefect;

#[async_trait]
impl CooldownRepository for Store {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        self.look(CooldownRepository::load_all(self.memory())).await
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        if self.here.is_injected(InjectedDefect::ForgetCooldown) {
            return Ok(());
        }
        let what = format!("account {} closed: {}", cooldown.account, cooldown.failure.reason);
        let kinds = [AuditKind::AccountStopped, AuditKind::CooldownBegun];
        let mut cooldown = cooldown.clone();
        if self.here.is_injected(InjectedDefect::EndlessCooldown)
            && let AccountHold::Cooldown { length } = &mut cooldown.hold
        {
            *length *= 3;
        }
        let world = &self.here.world;
        let call = CooldownRepository::close(self.memory(), &cooldown, audit);
        self.sign_in(&what, &kinds, call, |(), effect| {
            if effect == Effect::Committed {
                world.truth(|truth| truth.is_written(&cooldown.mobile_number, cooldown.failure.reason));
                world.closed_on_disk(&cooldown);
            }
        })
        .await
    }

    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError> {
        let call = self.memory().redate(cooldown, since);
        self.commit("a cooldown dated anew", &[], call, |(), _| ()).await
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        let what = format!("account {} opened", cooldown.account);
        let call = self.memory().open(cooldown, audit);
        self.commit(&what, &[AuditKind::AccountOpened], call, |_, _| ())
            .await
    }
}
