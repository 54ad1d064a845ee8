//! Closed accounts.

use async_trait::async_trait;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::ports::{CooldownRepository, StoreError};

use super::{Done, Store};
use crate::injected_defects::InjectedDefect;

fn is_it(old: &Cooldown, wanted: &Cooldown) -> bool {
    old.mobile_number == wanted.mobile_number && old.since.at == wanted.since.at
}

#[async_trait]
impl CooldownRepository for Store {
    async fn load_all(&self) -> Result<Vec<Cooldown>, StoreError> {
        self.look(|tables| tables.cooldowns.clone()).await
    }

    async fn close(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<(), StoreError> {
        if self.here.is_injected(InjectedDefect::ForgetCooldown) {
            return Ok(());
        }
        let what = format!("account {} closed: {}", cooldown.account, cooldown.failure.reason);
        let kinds = [AuditKind::AccountStopped, AuditKind::CooldownBegun];
        let mut cooldown = cooldown.clone();
        let world = &self.here.world;
        if self.here.is_injected(InjectedDefect::EndlessCooldown)
            && let AccountHold::Cooldown { length } = &mut cooldown.hold
        {
            *length *= 3;
        }
        self.commit(&what, &kinds, |tables| {
            let mut closed = tables.cooldowns.iter();
            let stop = closed.find(|old| old.mobile_number == cooldown.mobile_number && old.is_stop());
            if stop.is_some() && !cooldown.is_stop() {
                return Ok(Done::nothing(()));
            }
            tables
                .cooldowns
                .retain(|old| old.mobile_number != cooldown.mobile_number);
            tables.cooldowns.push(cooldown.clone());
            world.truth(|truth| truth.is_written(&cooldown.mobile_number, cooldown.failure.reason));
            world.closed_on_disk(&cooldown);
            Ok(Done::with((), audit))
        })
        .await
    }

    async fn redate(&self, cooldown: &Cooldown, since: &ClockReading) -> Result<(), StoreError> {
        self.commit("a cooldown dated anew", &[], |tables| {
            if let Some(old) = tables.cooldowns.iter_mut().find(|old| is_it(old, cooldown)) {
                old.since = since.clone();
            }
            Ok(Done::nothing(()))
        })
        .await
    }

    async fn open(&self, cooldown: &Cooldown, audit: &AuditEntry) -> Result<bool, StoreError> {
        let what = format!("account {} opened", cooldown.account);
        self.commit(&what, &[AuditKind::AccountOpened], |tables| {
            let before = tables.cooldowns.len();
            tables.cooldowns.retain(|old| !is_it(old, cooldown));
            Ok(if tables.cooldowns.len() == before {
                Done::nothing(false)
            } else {
                Done::with(true, audit)
            })
        })
        .await
    }
}
