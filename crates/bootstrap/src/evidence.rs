//! Which evidence of a failed sign-in the operator is pointed to: that of each API's last failure, where some was kept.

use std::collections::HashMap;
use std::path::PathBuf;

use vega_domain::ids::ApiName;
use vega_domain::ports::{ExecutionStateRepository, StoreError};
use vega_domain::token::ApiStatus;
use vega_persistence::SqliteExecutionStateRepository;
use vega_selenium::evidence_of;

use crate::wiring::Vega;

impl Vega {
    /// The records of the last failures that `statuses` tell of.
    pub async fn evidence(&self, statuses: &[ApiStatus]) -> Result<HashMap<ApiName, PathBuf>, StoreError> {
        let runs = SqliteExecutionStateRepository::new(self.data.clone());
        let failures = runs.last_failures().await?;
        let found = failures.into_iter().filter_map(|last| {
            let is_told = |status: &ApiStatus| {
                status.api == last.api && status.last_failure.as_ref() == Some(&last.failure)
            };
            if !statuses.iter().any(is_told) {
                return None;
            }
            let record = evidence_of(&self.settings.evidence, &last)?;
            Some((last.api, record))
        });
        Ok(found.collect())
    }
}
