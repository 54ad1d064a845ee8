//! `vega-server`: REST, server-sent events and the console's pages. It decides who may call and how
//! answers look; what is done is decided in the crates below.
//!
//! A request passes `http` (host, limits), `auth` (principal, permissions), `routes` and its handler in `api`; a plain token
//! read takes the short way of `quick_reads`.

mod usage;

mod http;

mod auth;

mod routes;

mod quick_reads;

mod api;

mod state;

mod console;

mod server;

mod background;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::sleep;
use vega_bootstrap::{
    Environment, LogFormat, Named, PortDecorator, Program, Settings, StartError, Vega, careful_process,
    database_is_reached, left_alone, log_to_stderr,
};
use vega_domain::event::Event;
use vega_domain::ports::EventSink;
use vega_listening::{AtOnce, ConnectionSlots, ServerTls, TlsError, serve_with};

use crate::http::allowed_hosts::AllowedHosts;
use crate::http::listening::{self, CannotListen};
use crate::quick_reads::QuickReads;
use crate::server::Server;
use crate::state::dashboard_refresh;
use crate::state::prompt_queue::PromptQueue;

/// Exit code for wrong settings, an address that cannot be bound and a database that does not open; as on the command line.
const PREFLIGHT_FAILED: u8 = 9;
/// Before the next try of a start that a database on a server broke off.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// For telling the other machines that this server is gone: they find that out without it.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long runs get to finish a commit in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// REST, server-sent events and the operator console.
///
/// Settings come from `vega.toml` and `.env` of the config directory and from the environment, as those of `vega`.
/// Programs read tokens with a key that `vega key add` makes; `vega console` prints a link into the console.
#[derive(Debug, Parser)]
#[command(name = "vega-server", version)]
struct Arguments {
    /// The folder of .env, vega.toml and the key, in place of ~/.config/vega (or `VEGA__CONFIG_DIR`)
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// A file like .env that wins over the one in that folder (or `VEGA__ENV_FILE`)
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// The whole program, over ports that `decorator` may wrap.
pub fn main(decorator: &Arc<dyn PortDecorator>) -> ExitCode {
    careful_process();
    let Arguments { config_dir, env_file } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::answer(&error),
    };
    let environment = Environment::of_process().naming(Named { config_dir, env_file });
    let loaded = Settings::load(&environment);
    let format = loaded
        .as_ref()
        .map(|settings| settings.log_format)
        .unwrap_or_default();
    log_to_stderr(&environment, "warn,vega_server=info,vega_bootstrap=info", format);
    if let Some(left_alone) = left_alone(&environment) {
        tracing::warn!("{left_alone}");
    }
    let settings = match loaded {
        Ok(settings) => settings,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(PREFLIGHT_FAILED);
        }
    };
    match run(&settings, &environment, decorator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<CannotListen>() || error.is::<StartError>() || error.is::<TlsError>() => {
            tracing::error!("{error}");
            ExitCode::from(PREFLIGHT_FAILED)
        }
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Event streams and metrics subscribe to the event hub; no other sink is needed.
struct NoSink;

impl EventSink for NoSink {
    fn emit(&self, _event: Event) {}
}

/// Starts when the database is there, and again where it went away meanwhile. `None` where it was asked to stop first.
async fn when_reached<F: Future<Output = Result<Vega, StartError>>>(
    settings: &Settings,
    mut asked_to_stop: Pin<&mut impl Future<Output = ()>>,
    start: impl Fn() -> F,
) -> Result<Option<Vega>, StartError> {
    loop {
        tokio::select! {
            biased;
            () = &mut asked_to_stop => return Ok(None),
            reached = database_is_reached(settings) => reached?,
        }
        match start().await {
            Err(away) if away.is_away() => tracing::warn!("{away}"),
            started => return started.map(Some),
        }
        tokio::select! {
            biased;
            () = &mut asked_to_stop => return Ok(None),
            () = sleep(TRY_AGAIN) => {}
        }
    }
}

#[tokio::main]
async fn run(
    settings: &Settings,
    environment: &Environment,
    decorator: &Arc<dyn PortDecorator>,
) -> anyhow::Result<()> {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    // What is wrong with the certificate is told before anything is opened.
    let tls = settings.server.tls.clone().map(ServerTls::load).transpose()?;
    let mut asked_to_stop = pin!(asked_to_stop());
    // The address first: a second server must not open the database.
    let listening = async {
        let listener = listening::bind(&settings.server).await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let ipv6_listener = listening::bind_ipv6_loopback(address, settings).await?;
        anyhow::Ok((listener, address, ipv6_listener))
    };
    let (listener, address, ipv6_listener) = tokio::select! {
        // In this order: whoever reads that Vega waits may ask it to stop at once.
        biased;
        () = &mut asked_to_stop => return Ok(()),
        bound = listening => bound?,
    };
    let metrics = PrometheusBuilder::new()
        .set_buckets(&[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0])
        .context("buckets")?
        .install_recorder()
        .context("the metrics could not be set up")?;
    api::metrics::describe();
    let prompts = Arc::new(PromptQueue::new(settings.human_timeout));
    let allowed_hosts = AllowedHosts::of(address, settings);
    let start = || {
        Vega::start(
            settings.clone(),
            environment.clone(),
            prompts.clone(),
            Arc::new(NoSink),
            Arc::clone(decorator),
        )
    };
    let Some(vega) = when_reached(settings, asked_to_stop.as_mut(), start).await? else {
        return Ok(());
    };
    let mistrust = vega.maintenance.mistrust().await?;
    if let Some(mistrust) = &mistrust {
        tracing::error!("{mistrust}");
    }
    let server = Arc::new(Server::new(
        vega,
        prompts,
        allowed_hosts,
        settings.server.url_for_others(),
        metrics,
    ));
    dashboard_refresh::fill(&server).await?;
    tell_where(&server, address, mistrust.is_some()).await?;
    let router = routes::router(Arc::clone(&server));
    let reads = QuickReads::new(Arc::clone(&server));
    let at_once: AtOnce = Arc::new(move |request, peer| reads.answer(request, peer));
    let slots = ConnectionSlots::default();
    let transport = listening::transport(&server, tls.clone());
    let serving = async {
        let at = |listener| {
            let (at_once, router) = (Arc::clone(&at_once), router.clone());
            serve_with(
                listener,
                transport.clone(),
                at_once,
                router,
                slots.clone(),
                server.stop.clone(),
            )
        };
        let first = at(listener);
        match ipv6_listener {
            Some(ipv6_listener) => {
                tokio::join!(first, at(ipv6_listener));
            }
            None => first.await,
        }
    };
    tokio::select! {
        () = serving => {}
        never = background::run(&server) => match never {},
        never = follow_certificate(tls.as_ref()) => match never {},
        never = stop_when_asked(&server, asked_to_stop) => match never {},
    }
    end(&server).await;
    Ok(())
}

/// Says where the server is, and how the console is entered.
async fn tell_where(server: &Server, address: SocketAddr, is_mistrusted: bool) -> anyhow::Result<()> {
    let section = &server.vega.settings.server;
    let at = format!("{}://{address}", section.scheme().as_str());
    let reached_by = if section.public_url.is_some() {
        section.url()
    } else {
        let local = SocketAddr::new(section.local_address().ip(), address.port());
        format!("{}://{local}", section.scheme().as_str())
    };
    if address.ip().is_unspecified() && section.public_url.is_none() {
        tracing::warn!(
            "who calls from elsewhere is refused, as no name is known for this server: set VEGA__SERVER__PUBLIC_URL, or \
             VEGA__SERVER__LISTEN to the address that they call"
        );
    }
    if section.public_url.is_some() {
        tracing::info!("listening on {at}/, for others at {}/", section.url());
    } else {
        tracing::info!("listening on {at}/");
    }
    if is_mistrusted {
        tracing::info!("nobody gets in until the database is accepted");
    } else if server.vega.settings.log_format == LogFormat::Text {
        let link = server.vega.access.make_link().await?;
        tracing::info!(
            "the console: {reached_by}/enter#{} (once, within 60 s; `vega console` prints another)",
            link.expose()
        );
    } else {
        // Others may read the collected log, so it holds no link.
        tracing::info!("`vega console` prints a link into the console");
    }
    Ok(())
}

/// Uses the certificate that its file holds, from one look to the next.
async fn follow_certificate(tls: Option<&ServerTls>) -> Infallible {
    match tls {
        Some(tls) => tls.follow().await,
        None => std::future::pending().await,
    }
}

/// Shuts down when the program is asked to stop: the run first, so that its end is still served, then the server.
async fn stop_when_asked(server: &Server, asked_to_stop: impl Future<Output = ()>) -> Infallible {
    asked_to_stop.await;
    tracing::info!("stopping");
    server.requests.take_no_more();
    if let Some(request) = server.requests.under_way() {
        request.cancel.cancel();
    }
    server.tasks.close();
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, server.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("a run did not end in time; the next start clears up after it");
    }
    server.stop.cancel();
    std::future::pending().await
}

async fn end(server: &Server) {
    server.tasks.close();
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, server.tasks.wait()).await;
    let nowhere = Program::Server { url: None };
    let _ = tokio::time::timeout(LAST_WORD, server.vega.maintenance.say_what_is_here(nowhere)).await;
    server.vega.close().await;
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
