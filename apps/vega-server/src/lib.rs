//! `vega-server`: REST, server-sent events and the console's pages. It decides who may call and how
//! answers look; what is done is decided in the crates below.
//!
//! A request passes `http` (host, limits), `auth` (principal, permissions), `routes` and its handler in `api`; a plain token
//! read takes the short way of `quick_reads`. Until the database is there, `starting` answers.

mod usage;

mod http;

mod auth;

mod routes;

mod start;

mod starting;

mod quick_reads;

mod api;

mod state;

mod console;

mod server;

mod background;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vega_bootstrap::{
    Environment, LogFormat, Named, PortDecorator, Program, Settings, StartError, SystemClock,
    careful_process, left_alone, log_to_stderr,
};
use vega_domain::ports::Clock;
use vega_listening::{
    Answers, ConnectionSlots, Door, Limits, ServerTls, TlsError, allow_many_files, serve_at,
};

use crate::http::allowed_hosts::AllowedHosts;
use crate::http::listening::{self, CannotListen, Refused};
use crate::http::local_socket::{self, NoSocket};
use crate::quick_reads::QuickReads;
use crate::server::Server;
use crate::start::Start;

/// Exit code for wrong settings, an address that cannot be bound and a database that does not open; as on the command line.
const PREFLIGHT_FAILED: u8 = 9;
/// Exit code for everything else.
const UNEXPECTED: u8 = 1;
/// Whoever calls while the server starts is answered then at the latest.
const ANSWERS_AFTER: Duration = Duration::from_secs(2);
/// For telling the other machines that this server is gone: they find that out without it.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long runs get to finish a commit in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// A figure that was not set for so long is told no more.
const GONE_AFTER: Duration = Duration::from_mins(5);

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
    allow_many_files();
    match run(&settings, &environment, decorator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = exit_code(&error);
            if code == PREFLIGHT_FAILED {
                tracing::error!("{error}");
            } else {
                tracing::error!("{error:#}");
            }
            ExitCode::from(code)
        }
    }
}

/// What the program ends with. Where it may be better at the next start, with nothing corrected, systemd starts it again.
fn exit_code(error: &anyhow::Error) -> u8 {
    let must_be_corrected = if let Some(cannot_listen) = error.downcast_ref::<CannotListen>() {
        !cannot_listen.may_pass()
    } else if let Some(no_socket) = error.downcast_ref::<NoSocket>() {
        !no_socket.may_pass()
    } else {
        error.is::<StartError>() || error.is::<TlsError>()
    };
    if must_be_corrected {
        PREFLIGHT_FAILED
    } else {
        UNEXPECTED
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
    let mut asked_to_stop = pin!(asked_to_stop());
    let refused = Arc::<Refused>::default();
    let listening = async {
        // What is wrong with the certificate is told before anything is opened.
        let tls = match settings.server.tls.clone() {
            Some(files) => Some(ServerTls::load(files).await?),
            None => None,
        };
        // The address first: a second server must not open the database.
        let listener = listening::bind(&settings.server).await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let ipv6_listener = listening::bind_ipv6_loopback(address, settings).await?;
        let socket = local_socket::bind(&settings.socket, &refused)?;
        anyhow::Ok((tls, listener, address, ipv6_listener, socket))
    };
    let (tls, listener, address, ipv6_listener, socket) = tokio::select! {
        // In this order: whoever reads that Vega waits may ask it to stop at once.
        biased;
        () = &mut asked_to_stop => return Ok(()),
        bound = listening => bound?,
    };
    let metrics = PrometheusBuilder::new()
        .set_buckets(&[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0])
        .context("buckets")?
        // Each is set at each scrape: one that was not is of something that is gone, such as a program that was forgotten.
        .idle_timeout(MetricKindMask::GAUGE, Some(GONE_AFTER))
        .install_recorder()
        .context("the metrics could not be set up")?;
    api::metrics::describe();
    let start = Start {
        settings,
        environment,
        decorator,
        tls: tls.clone(),
        metrics,
        allowed_hosts: Arc::new(AllowedHosts::of(address, settings)),
        stop: CancellationToken::new(),
    };
    let transport = listening::transport(&settings.server, tls, &refused);
    let network = [Some(listener), ipv6_listener].into_iter().flatten();
    let network = network.map(|listener| Door::Network(listener, transport.clone()));
    let doors = network.chain(socket.map(Door::Local)).collect();
    let answers = Answers::of(starting::router(Arc::clone(&start.allowed_hosts)));
    let has_started = CancellationToken::new();
    let mut serving = pin!(serve(doors, answers.clone(), &has_started, start.stop.clone()));
    let clock = decorator.clock(decorator.machine_clock(Arc::new(SystemClock::new())));
    let started = tokio::select! {
        biased;
        started = start.server(asked_to_stop.as_mut()) => started?,
        () = &mut serving => None,
        never = look_after_the_wait(&start, &*clock) => match never {},
    };
    let Some((server, is_mistrusted)) = started else {
        return Ok(());
    };
    refused.record_at(&server);
    let reads = QuickReads::new(Arc::clone(&server));
    answers.replace(
        Arc::new(move |request, peer| reads.answer(request, peer)),
        routes::router(Arc::clone(&server)),
    );
    has_started.cancel();
    tell_where(&server, address, is_mistrusted).await?;
    tokio::select! {
        () = serving => {}
        never = background::run(&server) => match never {},
        never = follow_certificate(server.tls.as_ref(), &*server.vega.clock) => match never {},
        never = stop_when_asked(&server, asked_to_stop) => match never {},
    }
    end(&server).await;
    Ok(())
}

/// Serves at each of these, from when the server has started. Where that takes long, because the database is away, whoever called is
/// told so meanwhile; in the moments that it takes otherwise callers wait for their answer.
async fn serve(doors: Vec<Door>, answers: Answers, has_started: &CancellationToken, stop: CancellationToken) {
    if timeout(ANSWERS_AFTER, has_started.cancelled()).await.is_err() {
        tracing::warn!("until the database is there, requests are answered with 503");
    }
    // Programs of this machine take no places from those of the network, nor these from them.
    let [network, local] = [(); 2].map(|()| ConnectionSlots::new(Limits::of_many()));
    let doors = doors.into_iter().map(|door| {
        let slots = match &door {
            Door::Network(..) => &network,
            Door::Local(_) => &local,
        };
        serve_at(door, answers.clone(), slots.clone(), stop.clone())
    });
    join_all(doors).await;
}

/// Says where the server is, and how the console is entered.
async fn tell_where(server: &Server, address: SocketAddr, is_mistrusted: bool) -> anyhow::Result<()> {
    let section = &server.vega.settings.server;
    let at = format!("{}://{address}", section.scheme().as_str());
    let reached_by = if section.public_url.is_some() {
        section.own_url()
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
async fn follow_certificate(tls: Option<&ServerTls>, clock: &dyn Clock) -> Infallible {
    match tls {
        Some(tls) => tls.follow(clock).await,
        None => std::future::pending().await,
    }
}

/// What goes on also while the server waits for its database, which may take hours.
async fn look_after_the_wait(start: &Start<'_>, clock: &dyn Clock) -> Infallible {
    tokio::time::sleep(ANSWERS_AFTER).await;
    tokio::select! {
        never = follow_certificate(start.tls.as_ref(), clock) => match never {},
        never = background::drain_metrics(&start.metrics) => match never {},
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
    if timeout(SHUTDOWN_TIMEOUT, server.tasks.wait()).await.is_err() {
        tracing::warn!("a run did not end in time; the next start clears up after it");
    }
    server.stop.cancel();
    std::future::pending().await
}

async fn end(server: &Server) {
    server.tasks.close();
    let _ = timeout(SHUTDOWN_TIMEOUT, server.tasks.wait()).await;
    let nowhere = Program::Server { url: None };
    let _ = timeout(LAST_WORD, server.vega.maintenance.say_what_is_here(nowhere)).await;
    if let Ok(Err(error)) = timeout(LAST_WORD, server.vega.consumers.write_last()).await {
        tracing::warn!(%error, "which programs use tokens is not on record");
    }
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn the_service_starts_again_what_may_be_better_then_and_nothing_else() {
        let unit = include_str!("../../../packaging/systemd/vega-server.service");
        let prevents = unit
            .lines()
            .find_map(|line| line.strip_prefix("RestartPreventExitStatus="))
            .unwrap();
        for (kind, is_started_again) in [
            (ErrorKind::AddrNotAvailable, true),
            (ErrorKind::AddrInUse, false),
            (ErrorKind::PermissionDenied, false),
        ] {
            let refused = listening::refused(([127, 0, 0, 1], 9).into(), kind.into());
            let code = exit_code(&refused.into()).to_string();
            assert_eq!(
                !prevents.split(' ').any(|prevented| prevented == code),
                is_started_again,
                "{kind}"
            );
        }
    }
}
