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
        let (what, kind) = match kept {
            Kept::Answer(api) => (format!("the kept answer of {api}"), AuditKind::AnswerReceived),
            Kept::Token(api) => (format!("the kept token of {api}"), AuditKind::TokenStored),
        };
        let call = async { self.memory().take_in(kept, at) };
        self.commit(&what, &[kind], call, |is_moved, _| {
            if let (true, Kept::Token(api)) = (is_moved, kept) {
                world.truth(|truth| truth.settled(api));
                world.token_changed(api);
            }
        })
        .await
    }

    /// The rejection of a kept token into its row.
    async fn take_in_rejection(&self, kept: &Kept, at: DateTime<Utc>) -> Result<(), StoreError> {
        let is_rejected = self.memory().read(|tables| {
            let kept = tables.spool.tokens.get(kept.api());
            kept.is_some_and(|kept| kept.rejection.is_some())
        });
        if !is_rejected || matches!(kept, Kept::Answer(_)) {
            return Ok(());
        }
        let what = format!("the rejection of the kept token of {}", kept.api());
        let call = async { self.memory().take_in_rejection(kept, at) };
        self.commit(&what, &[AuditKind::TokenChecked], call, |(), _| ())
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

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.memory().kept().is_empty())
    }

    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        self.here.point().await;
        let mut moved = Vec::new();
        for kept in self.memory().kept() {
            if self.take_in(&kept, at).await? {
                moved.push(kept.api().clone());
            }
            self.take_in_rejection(&kept, at).await?;
            self.memory().remove(&kept);
            self.here.point().await;
        }
        moved.dedup();
        Ok(moved)
    }
}
