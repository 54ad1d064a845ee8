//! A commit whose answer was lost is neither success nor failure: the audit trail says whether it was done. The next write has to wait
//! until the lost one is decided, so whoever has the writer's row next can look.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::postgres::engine::PostgresEngine;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::postgres::session::{COMMIT, WRITE};
use crate::sql;

/// So long is asked. What is undecided then counts as failed: what was received goes into the spool.
const ASK_FOR: Duration = WRITE.saturating_sub(COMMIT);
/// Before the next try: the server may be starting.
const PAUSE: Duration = Duration::from_millis(250);

impl PostgresEngine {
    /// Whether the trail has this entry with this value, so that the commit that made it was done. `None` where that stays unknown.
    pub(crate) async fn has_entry(&self, entry: i64, value: &[u8]) -> Option<bool> {
        #[cfg(feature = "injected-defects")]
        if InjectedDefect::UnansweredIsDone.is_in_force() {
            return Some(true);
        }
        #[cfg(feature = "injected-defects")]
        if InjectedDefect::UnansweredIsFailed.is_in_force() {
            return Some(false);
        }
        let asked = async {
            loop {
                match self.entry_after_the_write(entry).await {
                    Ok(found) => return found.as_deref() == Some(value),
                    Err(error) => tracing::debug!(%error, "what became of a commit is not known yet"),
                }
                sleep(PAUSE).await;
            }
        };
        timeout(ASK_FOR, asked).await.ok()
    }

    async fn entry_after_the_write(&self, entry: i64) -> Result<Option<Vec<u8>>, StoreError> {
        const DOING: &str = "ask what became of a commit";
        let mut write = self.begin_write().await.map_err(failed(DOING))?;
        let found = sql::query_scalar("SELECT chain FROM audit_events WHERE id = $1")
            .bind(entry)
            .fetch_optional(&mut write)
            .await
            .map_err(failed(DOING))?;
        write.rollback().await.map_err(failed(DOING))?;
        Ok(found)
    }
}
