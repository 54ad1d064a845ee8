//! Whether the server can do its work: the database takes changes, and what decides in it is what Vega wrote. The last
//! report is kept for a few seconds: `/readyz` is public, and each check is a commit. Whether programs get tokens is another question:
//! they do while the database is away.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use vega_bootstrap::{RowScope, Vega};
use vega_domain::row_faults::RowFaults;

/// How long a report is kept.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// Whoever asks for tokens' sake hears something by then.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

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

/// The last reports.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    whole: Mutex<Option<(Instant, Report)>>,
    /// Whether the database counted when it was asked last.
    counts: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// The last report, if it is recent, or a new one.
    pub(crate) async fn check(&self, vega: &Vega) -> Report {
        let mut last = self.whole.lock().await;
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

impl Readiness {
    /// Whether programs get tokens: not where the database that was put in the place of Vega's knows no key. Who asks is not kept waiting
    /// for a database that is away.
    pub(crate) async fn serves_tokens(&self, vega: &Vega) -> bool {
        let mut last = self.counts.lock().await;
        let known = last.map(|(_, counts)| counts);
        let is_recent = last.is_some_and(|(at, _)| at.elapsed() < KEPT_FOR);
        if is_recent || vega.registry.stale_for().is_some() {
            return known.unwrap_or(true);
        }
        let asked = timeout(ANSWERS_WITHIN, vega.maintenance.mistrust()).await;
        let counts = match asked {
            Ok(Ok(mistrust)) => mistrust.is_none(),
            Ok(Err(_)) | Err(_) => known.unwrap_or(true),
        };
        *last = Some((Instant::now(), counts));
        counts
    }
}

/// The faults as one sentence each.
fn told(faults: &RowFaults) -> String {
    let rows = faults.rows.iter().map(|row| &*row.words);
    let words: Vec<&str> = faults.database.as_deref().into_iter().chain(rows).collect();
    words.join("; ")
}
