//! Metrics in the Prometheus text format. Requests are counted in `http::request_metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use tokio::time::timeout;

use crate::http::error_responses::ErrorResponses;
use crate::server::Server;
use vega_api_types::codes::{ConsumerState, TokenStatus};
use vega_api_types::{AccountView, Snapshot};
use vega_bootstrap::Inspection;
use vega_listening::ServerTls;

/// Figures in Prometheus' text.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "The figures", body = String, content_type = "text/plain"), ErrorResponses))]
pub(crate) async fn scrape(State(server): State<Arc<Server>>) -> Response {
    update_gauges(&server);
    // A database that is away keeps nobody waiting who asks for figures.
    let _ = timeout(AT_MOST, update_machines(&server)).await;
    let _ = timeout(AT_MOST, update_files(&server)).await;
    server.metrics.run_upkeep();
    let text = server.metrics.render();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

/// For what is asked of the database.
const AT_MOST: Duration = Duration::from_secs(1);
/// A server says each 30 s that it runs.
const RUNS_IF_SEEN_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// Registers the description of each metric; called once.
pub(crate) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("vega_tokens", "APIs by how their token stands.");
    describe_gauge!(
        "vega_token_seconds_to_expiry",
        Unit::Seconds,
        "How long the API's token lives; 0 where none is handed out."
    );
    describe_gauge!(
        "vega_otp_presses_left",
        "Get OTP presses that the account has left in its window."
    );
    describe_gauge!("vega_account_cooling_down", "1 while the account cools down.");
    describe_gauge!(
        "vega_account_stopped",
        "1 until the operator opens the account again."
    );
    describe_gauge!(
        "vega_run_under_way",
        "1 while a run is under way, in whichever process."
    );
    describe_gauge!(
        "vega_machine_info",
        "1, with the name of this machine and its version of Vega."
    );
    describe_gauge!(
        "vega_machines_seen",
        "Machines that said within 2 minutes that they have the database."
    );
    describe_gauge!(
        "vega_machines_without_key",
        "Those among them that lack the key in force."
    );
    describe_gauge!(
        "vega_files_behind",
        "Files of this machine that do not have the token that programs get, or whose follow-up has not succeeded."
    );
    describe_gauge!(
        "vega_sign_in_lease_held",
        "1 while this server has the right to sign in."
    );
    describe_gauge!(
        "vega_tls_certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "Until when the certificate of the server's own TLS is valid, in Unix seconds."
    );
    describe_gauge!(
        "vega_consumers",
        "Programs that use the API's token, by how they stand to the newest one."
    );
    describe_gauge!(
        "vega_consumer_behind",
        "1 while this program, which was seen within a day, has an older token than the API's newest; 0 again when it has moved."
    );
    describe_gauge!("vega_event_streams", "Streams of events that are open.");
    describe_histogram!(
        "vega_request_seconds",
        Unit::Seconds,
        "How long requests took, by route and status."
    );
    describe_counter!("vega_runs_ended_total", "Runs that ended, by state.");
    describe_counter!("vega_otp_presses_total", "Get OTP presses that were counted.");
}

/// Sets all gauges from the current state.
fn update_gauges(server: &Server) {
    let snapshot = server.dashboard.snapshot();
    let now = server.vega.clock.now().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "seconds, and counts")]
    let figure = |number: i64| number as f64;
    for &status in TokenStatus::ALL {
        let count = snapshot.apis.iter().filter(|api| api.status == status).count();
        metrics::gauge!("vega_tokens", "status" => status.as_str())
            .set(figure(i64::try_from(count).unwrap_or(0)));
    }
    let of_apis = snapshot.apis.iter();
    let of_apis = of_apis.map(|api| (api.api.clone(), api.servable, api.valid_until_unix));
    let of_analytics = snapshot.accounts.iter().filter_map(|account| {
        let analytics = account.analytics.as_ref()?;
        Some((
            analytics_name(account),
            analytics.servable,
            analytics.valid_until_unix,
        ))
    });
    for (name, servable, valid_until) in of_apis.chain(of_analytics) {
        let left = valid_until.filter(|_| servable).map_or(0, |until| until - now);
        metrics::gauge!("vega_token_seconds_to_expiry", "api" => name).set(figure(left.max(0)));
    }
    for account in &snapshot.accounts {
        let name = || account.account.clone();
        let left = account.otp_presses_left;
        metrics::gauge!("vega_otp_presses_left", "account" => name()).set(f64::from(left));
        let cools = u8::from(account.cooldown.is_some());
        metrics::gauge!("vega_account_cooling_down", "account" => name()).set(f64::from(cools));
        let stopped = u8::from(account.stop.is_some());
        metrics::gauge!("vega_account_stopped", "account" => name()).set(f64::from(stopped));
    }
    update_consumers(&snapshot, figure);
    if let Some(end) = server.tls.as_ref().and_then(ServerTls::not_after) {
        metrics::gauge!("vega_tls_certificate_not_after_timestamp_seconds").set(figure(end.timestamp()));
    }
    let under_way = snapshot.run.is_some_and(|run| run.under_way);
    metrics::gauge!("vega_run_under_way").set(f64::from(u8::from(under_way)));
    let open = server.stream_limits.count() + server.token_stream_limits.count();
    metrics::gauge!("vega_event_streams").set(figure(i64::try_from(open).unwrap_or(0)));
}

/// The name under which an account's analytics token is kept.
fn analytics_name(account: &AccountView) -> String {
    format!("@{}", account.account)
}

/// So many programs are named at most; the counts have all of them.
const NAMED: usize = 1_000;

fn update_consumers(snapshot: &Snapshot, figure: impl Fn(i64) -> f64) {
    let of_apis = snapshot.apis.iter().map(|api| api.api.clone());
    let accounts = snapshot.accounts.iter();
    let of_analytics = accounts.filter(|account| account.analytics.is_some());
    for name in of_apis.chain(of_analytics.map(analytics_name)) {
        for &state in ConsumerState::ALL {
            let consumers = snapshot.consumers.iter();
            let count = consumers.filter(|consumer| consumer.api == name && consumer.state == state);
            metrics::gauge!("vega_consumers", "api" => name.clone(), "state" => state.as_str())
                .set(figure(i64::try_from(count.count()).unwrap_or(0)));
        }
    }
    // Also those that are not behind: a figure that was 1 has to become 0.
    let (behind, others): (Vec<_>, Vec<_>) = snapshot.consumers.iter().partition(|one| one.is_behind());
    for consumer in behind.into_iter().chain(others).take(NAMED) {
        metrics::gauge!("vega_consumer_behind",
            "api" => consumer.api.clone(), "consumer" => consumer.name.clone(), "identity" => consumer.consumer.clone())
            .set(f64::from(u8::from(consumer.is_behind())));
    }
}

/// Counts the files that somebody has to look after.
async fn update_files(server: &Server) {
    if let Ok(files) = server.vega.files.overview(Inspection::OfRecords).await {
        let behind = files.iter().filter(|file| file.is_behind()).count();
        metrics::gauge!("vega_files_behind").set(f64::from(u32::try_from(behind).unwrap_or(u32::MAX)));
    }
}

/// Sets the gauges of what the machines say, and of who signs in. What is not answered stays as it was.
async fn update_machines(server: &Server) {
    if let Ok(machines) = server.vega.maintenance.machines().await {
        let since = server.vega.clock.now() - RUNS_IF_SEEN_WITHIN;
        let seen = || machines.iter().filter(|machine| machine.seen_at >= since);
        let count = |machines: usize| f64::from(u32::try_from(machines).unwrap_or(u32::MAX));
        metrics::gauge!("vega_machines_seen").set(count(seen().count()));
        let lacking = seen().filter(|machine| !machine.has_key).count();
        metrics::gauge!("vega_machines_without_key").set(count(lacking));
        for machine in machines.into_iter().filter(|machine| machine.is_this_one) {
            metrics::gauge!("vega_machine_info", "machine" => machine.name, "version" => machine.version)
                .set(1.0);
        }
    }
    if let Ok(lease) = server.vega.stored.lease_holder().await {
        let is_held = lease.is_some_and(|lease| lease.holder.is_this_process);
        metrics::gauge!("vega_sign_in_lease_held").set(f64::from(u8::from(is_held)));
    }
}
