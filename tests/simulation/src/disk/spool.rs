//! The spool: what was received while the database failed, and its way home.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{ApiName, AttemptId};
use vega_domain::ports::{StoreError, TokenSpool};
use vega_domain::secret::RawAnswer;
use vega_domain::sign_in::AttemptState;

use super::audit::{Subject, about};
use super::{Done, Store, Tables, full};
use crate::injected_defects::InjectedDefect;
use crate::locked::locked;

impl Store {
    /// Whether the spool takes something now.
    pub(super) fn spool_takes(&self, what: &str) -> bool {
        let faults = self.here.world.faults();
        let takes = !faults.spool_fails && !self.here.world.rng.permille(faults.storm);
        self.here.tell(&if takes {
            format!("keeps in the spool: {what}")
        } else {
            format!("cannot even keep in the spool: {what}")
        });
        takes
    }

    /// One kept thing into its row. A conflict says that the database knows better by now.
    async fn is_moved(
        &self,
        what: &str,
        kind: AuditKind,
        change: impl FnOnce(&mut Tables) -> Result<Done<()>, StoreError>,
    ) -> Result<bool, StoreError> {
        if self.here.is_injected(InjectedDefect::SpoolForgets) {
            return Ok(false);
        }
        match self.commit(what, &[kind], change).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn written_at(audit: &AuditEntry, at: DateTime<Utc>) -> AuditEntry {
    AuditEntry { at, ..audit.clone() }
}

#[async_trait]
impl TokenSpool for Store {
    async fn prepare(&self, _apis: &[ApiName]) -> Result<(), StoreError> {
        self.here.point().await;
        self.here.rest(Duration::from_millis(2)).await;
        if self.here.world.faults().spool_fails {
            self.here.tell("cannot make room in the spool");
            return Err(full());
        }
        Ok(())
    }

    async fn import(&self, at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        self.here.point().await;
        let disk = &self.here.world.disk;
        let mut moved = Vec::new();
        let answers: Vec<_> = {
            let spool = locked(&disk.spool);
            let kept = spool.answers.iter();
            kept.map(|(api, kept)| (api.clone(), kept.clone())).collect()
        };
        for (api, kept) in answers {
            let what = format!("the kept answer of {api}");
            let audit = written_at(&kept.audit, at);
            let change = |tables: &mut Tables| {
                tables.seal_answer(kept.attempt, &kept.answer, kept.received_at, &audit)
            };
            if self.is_moved(&what, AuditKind::AnswerReceived, change).await? {
                moved.push(api.clone());
            }
            locked(&disk.spool).answers.remove(&api);
            self.here.point().await;
        }
        let tokens: Vec<_> = {
            let spool = locked(&disk.spool);
            let kept = spool.tokens.values();
            kept.map(|kept| (kept.new.clone(), written_at(&kept.audit, at)))
                .collect()
        };
        for (new, audit) in tokens {
            let api = new.token.api.clone();
            let what = format!("the kept token of {api}");
            let change = |tables: &mut Tables| tables.store(&new, &audit);
            if self.is_moved(&what, AuditKind::TokenStored, change).await? {
                self.here.world.truth(|truth| truth.settled(&api));
                self.here.world.token_changed(&api);
                moved.push(api.clone());
            }
            locked(&disk.spool).tokens.remove(&api);
            self.here.point().await;
        }
        moved.dedup();
        Ok(moved)
    }
}

impl Tables {
    pub(super) fn seal_answer(
        &mut self,
        attempt: AttemptId,
        answer: &RawAnswer,
        at: DateTime<Utc>,
        audit: &AuditEntry,
    ) -> Result<Done<()>, StoreError> {
        let row = self.attempt(attempt)?;
        if row.state != AttemptState::CodeSealed {
            return Err(StoreError::Conflict("this attempt waits for no answer".into()));
        }
        row.state = AttemptState::Answered;
        row.answer = Some(answer.clone());
        row.answered_at = Some(at);
        row.code = None;
        Ok(Done::with((), &about(audit, &Subject::Answer(answer))))
    }
}
