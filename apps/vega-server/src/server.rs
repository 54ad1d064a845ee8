//! The state that handlers, middleware and background tasks share. Built once; its parts do not know it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vega_bootstrap::Vega;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::AuditTrail as _;
use vega_listening::ServerTls;

use crate::http::allowed_hosts::AllowedHosts;
use crate::http::stream_limits::StreamLimits;
use crate::state::dashboard::Dashboard;
use crate::state::prompt_queue::PromptQueue;
use crate::state::readiness::Readiness;
use crate::state::run_request::RunRequests;

/// The shared state.
pub(crate) struct Server {
    pub(crate) vega: Vega,
    pub(crate) prompts: Arc<PromptQueue>,
    pub(crate) requests: RunRequests,
    pub(crate) dashboard: Dashboard,
    pub(crate) allowed_hosts: Arc<AllowedHosts>,
    /// Where it can be reached from other machines.
    pub(crate) url: Option<String>,
    /// What this machine is called, where several share the database.
    pub(crate) machine: Option<String>,
    /// Its own TLS, if it has one.
    pub(crate) tls: Option<ServerTls>,
    /// Of streams of everything.
    pub(crate) stream_limits: Arc<StreamLimits>,
    /// Of streams of one API's token.
    pub(crate) token_stream_limits: Arc<StreamLimits>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) readiness: Readiness,
    pub(crate) started_at: DateTime<Utc>,
    /// Cancelled when the server is to end.
    pub(crate) stop: CancellationToken,
    /// Tasks that must not be dropped half-way: runs, verifications and recovery.
    pub(crate) tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(
        vega: Vega,
        prompts: Arc<PromptQueue>,
        allowed_hosts: Arc<AllowedHosts>,
        url: Option<String>,
        tls: Option<ServerTls>,
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Self {
        let token_streams = StreamLimits::of_tokens(vega.settings.server.streams_per_caller);
        Self {
            started_at: vega.clock.now(),
            vega,
            prompts,
            requests: RunRequests::new(),
            dashboard: Dashboard::new(),
            allowed_hosts,
            url,
            machine: None,
            tls,
            stream_limits: Arc::new(StreamLimits::of_everything()),
            token_stream_limits: Arc::new(token_streams),
            metrics,
            readiness: Readiness::default(),
            stop,
            tasks: TaskTracker::new(),
        }
    }

    /// Records in the audit trail that a call was refused; `why` never quotes the caller. The response does not wait for it.
    pub(crate) fn audit_refusal(&self, why: impl Into<String>) {
        let entry = AuditEntry::new(self.vega.clock.now(), AuditKind::CallRefused, why);
        let refusals = self.vega.refusals.clone();
        self.tasks.spawn(async move {
            if let Err(error) = refusals.append(&entry).await {
                tracing::warn!(%error, why = entry.detail, "that a call was refused is not on record");
            }
        });
    }
}
