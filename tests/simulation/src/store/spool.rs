//! The spool: room for what may be received while the database fails, and the way of what is there into its rows.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditKind;
use vega_domain::ids::ApiName;
use vega_domain::ports::{StoreError, TokenSpool};
use vega_testing::memory_store::{Kept, full};

use super::Store;
use crate::injected_defects::InjectedDefect;

impl Store {
    /// One kept thing into its row; whether it came there.
    async fn take_in(&self, kept: &Kept, at: DateTime<Utc>) -> Result<bool, StoreError> {
        if self.here.is_injected(InjectedDefect::SpoolForgets) {
            return Ok(false);
        }
        let world = &self.here.world;
        let (what, kinds) = match kept {
            Kept::Answer(api) => (
                format!("the kept answer of {api}"),
                &[AuditKind::AnswerReceived][..],
            ),
            Kept::Token(api) => (
                format!("the kept token of {api}"),
                &[AuditKind::TokenStored, AuditKind::TokenChecked][..],
            ),
        };
        let call = async { self.memory().take_in(kept, at) };
        self.commit(&what, kinds, call, |is_moved, _| {
            if let (true, Kept::Token(api)) = (is_moved, kept) {
                world.truth(|truth| truth.settled(api));
                world.token_changed(api);
            }
        })
        .await
    }
}

#[async_trait]
impl TokenSpool for Store {
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError> {
        self.here.point().await;
        self.here.rest(Duration::from_millis(2)).await;
        if self.here.world.faults().spool_fails {
            self.here.tell("cannot make room in the spool");
            return Err(full());
        }
        self.memory().prepare(apis).await
    }

    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        self.here.point().await;
        let mut moved = Vec::new();
        for kept in self.memory().kept() {
            if self.take_in(&kept, at).await? {
                moved.push(kept.api().clone());
            }
            self.memory().remove(&kept);
            self.here.point().await;
        }
        moved.dedup();
        Ok(moved)
    }
}
