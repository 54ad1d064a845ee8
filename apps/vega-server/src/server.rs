//! What every request can reach, put together once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vega_bootstrap::Vega;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::AuditTrail as _;

use crate::api::health::Proof;
use crate::http::allowed_hosts::Names;
use crate::http::stream_limits::Streams;
use crate::state::dashboard::Board;
use crate::state::prompt_queue::Desk;
use crate::state::run_request::RunRequests;

/// The server's parts.
pub(crate) struct Server {
    pub(crate) vega: Vega,
    pub(crate) desk: Arc<Desk>,
    pub(crate) requests: RunRequests,
    pub(crate) board: Board,
    pub(crate) names: Names,
    pub(crate) streams: Arc<Streams>,
    pub(crate) metrics: PrometheusHandle,
    /// What `/readyz` found last.
    pub(crate) proof: Mutex<Option<(Instant, Proof)>>,
    pub(crate) started_at: DateTime<Utc>,
    /// Cancelled when the server shall end.
    pub(crate) stop: CancellationToken,
    /// What must not be dropped half-way: runs, verifications, and clearing up after the dead.
    pub(crate) tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(vega: Vega, desk: Arc<Desk>, names: Names, metrics: PrometheusHandle) -> Self {
        Self {
            started_at: vega.clock.now(),
            vega,
            desk,
            requests: RunRequests::new(),
            board: Board::new(),
            names,
            streams: Arc::default(),
            metrics,
            proof: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Puts on record that a call was refused, and why in words of Vega's own. Its answer does not wait for the database.
    pub(crate) fn refused(&self, why: impl Into<String>) {
        let entry = AuditEntry::new(self.vega.clock.now(), AuditKind::CallRefused, why);
        let refusals = self.vega.refusals.clone();
        self.tasks.spawn(async move {
            if let Err(error) = refusals.append(&entry).await {
                tracing::warn!(%error, why = entry.detail, "that a call was refused is not on record");
            }
        });
    }
}
