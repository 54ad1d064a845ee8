//! Whether the server can do its work: the database takes changes, and what decides in it is what Vega wrote. The last
//! report is kept for a few seconds: `/readyz` is public, and each check is a commit.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use vega_bootstrap::{RowScope, Vega};
use vega_domain::row_faults::RowFaults;

/// How long a report is kept.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// Whether the server can do its work; errors are sentences.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) storage: Result<(), String>,
    pub(crate) rows: Result<(), String>,
}

impl Report {
    pub(crate) fn is_ready(&self) -> bool {
        self.storage.is_ok() && self.rows.is_ok()
    }
}

/// The last report.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Report)>>);

impl Readiness {
    /// The last report, if it is recent, or a new one.
    pub(crate) async fn check(&self, vega: &Vega) -> Report {
        let mut last = self.0.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < KEPT_FOR
        {
            return report.clone();
        }
        let storage = vega.maintenance.prove_storage().await;
        let storage = match storage.map_err(|error| error.to_string()) {
            Ok(()) => vega.maintenance.missing_checkpoint().await.map_or(Ok(()), Err),
            Err(error) => Err(error),
        };
        let rows = match vega.maintenance.row_faults(RowScope::Deciding).await {
            Ok(faults) => {
                if let Err(error) = vega.maintenance.record_row_faults(&faults).await {
                    tracing::warn!(%error, "what does not fit is not on record yet");
                }
                if faults.is_none() {
                    Ok(())
                } else {
                    Err(told(&faults))
                }
            }
            Err(error) => Err(error.to_string()),
        };
        let report = Report { storage, rows };
        for error in [&report.storage, &report.rows]
            .into_iter()
            .filter_map(|found| found.as_ref().err())
        {
            tracing::warn!(%error, "not ready");
        }
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

/// The faults as one sentence each.
fn told(faults: &RowFaults) -> String {
    let rows = faults.rows.iter().map(|row| &*row.words);
    let words: Vec<&str> = faults.database.as_deref().into_iter().chain(rows).collect();
    words.join("; ")
}
