//! `vega-server`: for now a door sign. It listens where the settings say, answers `/livez`, and says on one page what it
//! is. REST, SSE and the console come here.

mod listening;

use std::process::ExitCode;

use anyhow::Context;
use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use vega_bootstrap::{Environment, Settings, careful_process, log_to_stderr};

use crate::listening::CannotListen;

const DOOR_SIGN: &str = include_str!("door_sign.html");

/// The browser of a sign-in ends here; Vega reads the code from its address, this page only keeps it company.
const SIGNED_IN: &str = include_str!("signed_in.html");

/// Wrong settings and an address that cannot be had end with 9, as they do on the command line.
const PREFLIGHT_FAILED: u8 = 9;

fn main() -> ExitCode {
    careful_process();
    let environment = Environment::of_process();
    log_to_stderr(&environment, "warn,vega_server=info");
    let settings = match Settings::load(&environment) {
        Ok(settings) => settings,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(PREFLIGHT_FAILED);
        }
    };
    match serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<CannotListen>() => {
            tracing::error!("{error}");
            ExitCode::from(PREFLIGHT_FAILED)
        }
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(settings: &Settings) -> anyhow::Result<()> {
    let listener = listening::bind(settings.listen).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!("listening on http://{address}/");
    axum::serve(listener, router())
        .with_graceful_shutdown(asked_to_stop())
        .await
        .context("the server stopped")
}

/// No request is logged: a redirect may arrive here with a code in its query.
fn router() -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/", get(async || page(DOOR_SIGN)))
        .route("/api/v1/auth/upstox/callback", get(async || page(SIGNED_IN)))
}

fn page(html: &'static str) -> impl IntoResponse {
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(html))
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
