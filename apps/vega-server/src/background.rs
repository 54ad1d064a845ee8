//! Tasks that run beside the requests for as long as the server lives: token cache, access keys, consumers, files, upkeep, scheduled
//! checks, dashboard, recovery, what other machines hear of this one, metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use vega_bootstrap::Program;

use crate::server::Server;
use crate::state::{dashboard_refresh, shown_consumers};

/// How often to look for runs whose process died.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// How often the machines that share the database hear of this one.
const SAYS_EVERY: Duration = Duration::from_secs(30);
const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// Runs all of them; never returns.
pub(crate) async fn run(server: &Arc<Server>) -> Infallible {
    let upkeep = server.vega.orchestrator.upkeep();
    let times = server.vega.settings.verification_at.clone();
    let checks = server.vega.orchestrator.scheduled_checks(times);
    tokio::select! {
        never = server.vega.follow_tokens() => match never {},
        never = server.vega.access.follow() => match never {},
        never = server.vega.consumers.follow() => match never {},
        never = shown_consumers::keep_current(server) => match never {},
        never = server.vega.files.follow() => match never {},
        never = upkeep.go_on() => match never {},
        never = checks.go_on() => match never {},
        never = dashboard_refresh::keep_current(server) => match never {},
        never = recover(server) => match never {},
        never = say_what_is_here(server) => match never {},
        never = drain_metrics(&server.metrics) => match never {},
    }
}

/// Recovers what dead processes left, without an operator: at the start, and whenever one dies.
async fn recover(server: &Arc<Server>) -> Infallible {
    loop {
        let counts = server
            .vega
            .maintenance
            .mistrust()
            .await
            .is_ok_and(|mistrust| mistrust.is_none());
        if counts && server.requests.under_way().is_none() {
            let server = Arc::clone(server);
            // Never dropped half-way: a token may be in flight.
            let task = server.tasks.clone().spawn(async move {
                if let Err(error) = server.vega.orchestrator.clear_up().await {
                    tracing::warn!(%error, "what an earlier process left is not cleared up yet");
                }
            });
            let _ = task.await;
        }
        tokio::time::sleep(RECOVERY_INTERVAL).await;
    }
}

/// Says to the machines that share the database what this one has, and where its server is.
async fn say_what_is_here(server: &Server) -> Infallible {
    let url = server.url.as_deref();
    loop {
        if let Err(error) = server
            .vega
            .maintenance
            .say_what_is_here(Program::Server { url })
            .await
        {
            tracing::debug!(%error, "the other machines do not hear which keys this one has");
        }
        tokio::time::sleep(SAYS_EVERY).await;
    }
}

/// Histograms that nobody scrapes would grow without end.
pub(crate) async fn drain_metrics(metrics: &PrometheusHandle) -> Infallible {
    loop {
        tokio::time::sleep(METRICS_INTERVAL).await;
        metrics.run_upkeep();
    }
}
