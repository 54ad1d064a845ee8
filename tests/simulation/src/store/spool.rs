//! The spool: room for what may be received while the database fails, and the way of what is there into its rows.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::ApiName;
use vega_domain::ports::{AuditTrail, StoreError, TokenSpool};
use vega_domain::sign_in::AttemptState;
use vega_testing::memory_store::{Kept, full};

use super::{Change, Store, Whose};
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
        let call = async {
            let (state, late) = self.late(kept, at).unzip();
            if late.is_some() && self.here.is_injected(InjectedDefect::ConflictClearsSpool) {
                return Ok((false, None));
            }
            let is_moved = self.memory().take_in(kept, at)?;
            if let (false, Some(entry)) = (is_moved, &late) {
                self.memory().append(entry).await?;
            }
            Ok((is_moved, state))
        };
        let change = Change {
            what: &what,
            kinds: &[kind],
            entries: &|| 1,
            whose: Whose::Holders,
        };
        let taken = self.change(change, call, |(is_moved, state), _| match (is_moved, kept) {
            (true, Kept::Token(api)) => {
                world.truth(|truth| truth.settled(api));
                world.token_changed(api);
            }
            (true, Kept::Answer(_)) => {}
            (false, _) => world.truth(|truth| truth.late.extend(state.clone())),
        });
        Ok(taken.await?.0)
    }

    /// What is kept for an attempt that was closed meanwhile: the `state` of its sign-in, and the entry that tells of it where it is
    /// not used.
    fn late(&self, kept: &Kept, at: DateTime<Utc>) -> Option<(String, AuditEntry)> {
        self.read(|tables| {
            let (attempt, audit) = match kept {
                Kept::Answer(api) => {
                    let kept = tables.spool.answers.get(api)?;
                    (kept.attempt, &kept.audit)
                }
                Kept::Token(api) => {
                    let kept = tables.spool.tokens.get(api)?;
                    (kept.new.attempt, &kept.audit)
                }
            };
            let mut rows = tables.attempts.iter();
            let row = rows.find(|row| row.new.id == attempt && row.state == AttemptState::Closed)?;
            let entry = AuditEntry {
                at,
                detail: format!("{}; it came too late, and is not used", audit.detail),
                ..audit.clone()
            };
            Some((row.new.state.expose().to_owned(), entry))
        })
    }

    /// The rejection of a kept token into its row.
    async fn take_in_rejection(&self, kept: &Kept, at: DateTime<Utc>) -> Result<(), StoreError> {
        let is_rejected = self.read(|tables| {
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
