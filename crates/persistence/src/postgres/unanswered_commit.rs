//! A commit whose answer was lost is neither success nor failure. The next write has to wait until the lost one is decided, so whoever has
//! the writer's row next can ask: by the entry in the audit trail that it made. The number of a write proves less: a server that crashed
//! gives the numbers of lost writes to others. It is asked for where no entry was made, as when the lease is taken: what such a write
//! let count is looked at again by each write after it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vega_domain::ports::StoreError;

use crate::database::causes::failed;
use crate::postgres::engine::PostgresEngine;
use crate::postgres::history::History;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::postgres::session::{COMMIT, WRITE};
use crate::sql;

/// So long is asked. What is undecided then counts as failed: what was received goes into the spool.
const ASK_FOR: Duration = WRITE.saturating_sub(COMMIT);
/// Before the next try: the server may be starting.
const PAUSE: Duration = Duration::from_millis(250);

/// What tells whether a write was done.
pub(crate) struct Sent {
    /// Its number, as the server counts them, and where in its history that was: another server may count another write so.
    pub(crate) write: Option<String>,
    pub(crate) history: Option<History>,
    /// The last entry that it made, with its value.
    pub(crate) entry: Option<(i64, Vec<u8>)>,
}

impl PostgresEngine {
    /// Whether this write was done. `None` where that stays unknown.
    pub(crate) async fn was_done(&self, sent: &Sent) -> Option<bool> {
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
                match self.ask_after_the_write(sent).await {
                    Ok(found) => return found,
                    Err(error) => tracing::debug!(%error, "what became of a commit is not known yet"),
                }
                sleep(PAUSE).await;
            }
        };
        timeout(ASK_FOR, asked).await.ok()?
    }

    async fn ask_after_the_write(&self, sent: &Sent) -> Result<Option<bool>, StoreError> {
        const DOING: &str = "ask what became of a commit";
        let mut next = self.begin_write().await.map_err(failed(DOING))?;
        let found = if let Some((entry, value)) = &sent.entry {
            let found: Option<Vec<u8>> = sql::query_scalar("SELECT chain FROM audit_events WHERE id = $1")
                .bind(*entry)
                .fetch_optional(&mut next)
                .await
                .map_err(failed(DOING))?;
            Some(found.as_ref() == Some(value))
        } else if next.history() == sent.history {
            sql::query_scalar("SELECT pg_xact_status($1::text::xid8) = 'committed'")
                .bind(sent.write.as_deref())
                .fetch_one(&mut next)
                .await
                .map_err(failed(DOING))?
        } else {
            None
        };
        next.rollback().await.map_err(failed(DOING))?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use vega_domain::audit::{AuditEntry, AuditKind};
    use vega_domain::ports::AuditTrail;
    use vega_testing::PostgresServer;

    use super::*;
    use crate::database::data_source::DataSource;
    use crate::database::engine::Engine;
    use crate::database::place::DatabasePlace;
    use crate::repositories::audit_trail::SqlAuditTrail;

    /// A server that crashed gives the numbers of lost writes to others.
    #[tokio::test]
    async fn the_number_of_another_write_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = DatabasePlace {
            folder: folder.path().join("data"),
            ..DatabasePlace::from(&PostgresServer::shared().fresh_database())
        };
        let data = DataSource::open(&place, &folder.path().join("config/vega.key"))
            .await
            .unwrap();
        let trail = SqlAuditTrail::new(data.clone());
        let entry = AuditEntry::new(DateTime::UNIX_EPOCH, AuditKind::RunStarted, "a run");
        trail.append(&entry).await.unwrap();
        let Engine::Postgres(engine) = data.engine() else {
            panic!("a file")
        };
        let mut session = engine.begin_write().await.unwrap();
        let history = session.history();
        let number = "SELECT xmin::text FROM audit_events ORDER BY id DESC LIMIT 1";
        let write: String = sql::query_scalar(number).fetch_one(&mut session).await.unwrap();
        let chain = "SELECT chain FROM audit_events ORDER BY id DESC LIMIT 1";
        let chain: Vec<u8> = sql::query_scalar(chain).fetch_one(&mut session).await.unwrap();
        let last = "SELECT max(id) FROM audit_events";
        let last: i64 = sql::query_scalar(last).fetch_one(&mut session).await.unwrap();
        session.rollback().await.unwrap();
        for (value, was_done) in [(chain, true), (vec![0; 32], false)] {
            let sent = Sent {
                write: Some(write.clone()),
                history,
                entry: Some((last, value)),
            };
            assert_eq!(engine.was_done(&sent).await, Some(was_done));
        }
        data.close().await;
    }
}
