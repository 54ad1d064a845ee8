//! Chooses the evidence of failed sign-ins that is shown to the operator: that of each API's last failure, if some was
//! kept; and all evidence that is kept.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use vega_domain::ids::ApiName;
use vega_domain::ports::{RunHistory, StoreError};
use vega_domain::token::ApiStatus;
use vega_selenium::{KeptEvidence, evidence_of};

/// The evidence of failed sign-ins.
pub struct FailureEvidence {
    pub(crate) runs: Arc<dyn RunHistory>,
    pub(crate) folder: PathBuf,
}

impl FailureEvidence {
    /// The records of the last failures in `statuses`.
    pub async fn of(&self, statuses: &[ApiStatus]) -> Result<HashMap<ApiName, PathBuf>, StoreError> {
        if statuses.iter().all(|status| status.last_failure.is_none()) {
            return Ok(HashMap::new());
        }
        let failures = self.runs.last_failures().await?;
        let found = failures.into_iter().filter_map(|last| {
            let is_told = |status: &ApiStatus| {
                status.api == last.api && status.last_failure.as_ref() == Some(&last.failure)
            };
            if !statuses.iter().any(is_told) {
                return None;
            }
            let record = evidence_of(&self.folder, &last)?;
            Some((last.api, record))
        });
        Ok(found.collect())
    }

    /// All evidence of failed sign-ins that is kept, the newest first.
    pub async fn kept(&self) -> io::Result<Vec<KeptEvidence>> {
        let folder = self.folder.clone();
        from_disk(move || vega_selenium::kept(&folder)).await
    }

    /// The picture of this evidence, as PNG; `None` where there is none, or no evidence has this id.
    pub async fn picture(&self, evidence: &str) -> io::Result<Option<Vec<u8>>> {
        let (folder, id) = (self.folder.clone(), evidence.to_owned());
        from_disk(move || vega_selenium::picture_of(&folder, &id)).await
    }
}

async fn from_disk<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(read).await?
}
