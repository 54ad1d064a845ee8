//! Chooses the evidence that is shown beside a failure: that of the failure which the statuses tell, and of no other.
//! What is kept is decided where sign-ins are made.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use vega_domain::evidence::KeptEvidence;
use vega_domain::ids::ApiName;
use vega_domain::ports::{EvidenceStore, RunHistory, StoreError};
use vega_domain::token::ApiStatus;

/// The evidence of failed sign-ins.
pub struct EvidenceService {
    runs: Arc<dyn RunHistory>,
    store: Arc<dyn EvidenceStore>,
}

impl EvidenceService {
    /// Over what is on record of runs and what was kept.
    pub fn new(runs: Arc<dyn RunHistory>, store: Arc<dyn EvidenceStore>) -> Self {
        Self { runs, store }
    }

    /// The records of the last failures in `statuses`.
    pub async fn of(&self, statuses: &[ApiStatus]) -> Result<HashMap<ApiName, PathBuf>, StoreError> {
        let mut records = HashMap::new();
        if statuses.iter().all(|status| status.last_failure.is_none()) {
            return Ok(records);
        }
        for last in self.runs.last_failures().await? {
            let is_told = statuses
                .iter()
                .any(|status| status.api == last.api && status.last_failure.as_ref() == Some(&last.failure));
            if is_told && let Some(record) = self.store.record_of(&last).await {
                records.insert(last.api, record);
            }
        }
        Ok(records)
    }

    /// All evidence that is kept, the newest first.
    pub async fn kept(&self) -> io::Result<Vec<KeptEvidence>> {
        self.store.kept().await
    }

    /// The picture of this evidence, as PNG; `None` where there is none, or no evidence has this id.
    pub async fn picture(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        self.store.picture(id).await
    }
}

#[cfg(test)]
mod tests {
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::AccountId;
    use vega_domain::ports::{LastFailure, MockEvidenceStore, MockRunHistory};
    use vega_domain::token::TokenStatus;

    use super::*;
    use crate::test_builders::{api, at};

    const TOLD: FailureReason = FailureReason::Throttled;

    fn status(name: &str, failure: Option<FailureReason>) -> ApiStatus {
        ApiStatus {
            api: api(name),
            account: AccountId::new("default").unwrap(),
            status: TokenStatus::Missing,
            servable: false,
            generation: None,
            valid_until: None,
            verified_at: None,
            last_check: None,
            last_failure: failure.map(|reason| Failure::new(reason, "words")),
            last_attempt: None,
        }
    }

    fn last(name: &str, reason: FailureReason) -> LastFailure {
        LastFailure {
            api: api(name),
            run_began: at(-6),
            stored: at(-5),
            failure: Failure::new(reason, "words"),
            attempt: None,
        }
    }

    /// Evidence was kept of every failure but PRIMARY's.
    fn service(failures: Vec<LastFailure>) -> EvidenceService {
        let mut runs = MockRunHistory::new();
        runs.expect_last_failures().return_once(|| Ok(failures));
        let mut store = MockEvidenceStore::new();
        store.expect_record_of().returning(|last| {
            (last.api != api("PRIMARY")).then(|| format!("/{}-{}", last.api, last.failure.reason).into())
        });
        EvidenceService::new(Arc::new(runs), Arc::new(store))
    }

    #[tokio::test]
    async fn evidence_stands_beside_the_failure_that_is_told_and_no_other() {
        let statuses = [
            status("PRIMARY", Some(TOLD)),
            status("WEBSOCKET1", Some(TOLD)),
            status("WEBSOCKET2", Some(FailureReason::Unreadable)),
            status("WEBSOCKET3", None),
        ];
        let failures = ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2", "WEBSOCKET3", "REMOVED"];
        let failures = failures.map(|name| last(name, TOLD)).to_vec();
        let records = service(failures).of(&statuses).await.unwrap();
        assert_eq!(
            records,
            HashMap::from([(api("WEBSOCKET1"), format!("/WEBSOCKET1-{TOLD}").into())])
        );
    }

    /// The server asks at each change of anything.
    #[tokio::test]
    async fn nothing_is_read_while_no_failure_is_told() {
        let service = EvidenceService::new(
            Arc::new(MockRunHistory::new()),
            Arc::new(MockEvidenceStore::new()),
        );
        let records = service.of(&[status("PRIMARY", None)]).await.unwrap();
        assert!(records.is_empty());
    }
}
