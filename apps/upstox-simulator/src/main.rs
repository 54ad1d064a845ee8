//! The simulator as a program: it prints one JSON line with its address and serves until it is told to end.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use upstox_simulator::{Seed, Simulator, TestAuthority};

/// A stand-in for Upstox, for tests and demonstrations.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 picks a free port.
    #[arg(long, default_value = "127.0.0.1:28090")]
    listen: SocketAddr,
    /// Where to listen for TLS too, as api.upstox.com.
    #[arg(long, value_name = "ADDRESS", requires = "tls_folder")]
    tls_listen: Option<SocketAddr>,
    /// Where the certificates are: authority.pem is what clients have to trust. They are made if they are missing.
    #[arg(long, value_name = "FOLDER", requires = "tls_listen")]
    tls_folder: Option<PathBuf>,
    /// A JSON file with accounts and apps; without it one account with six apps.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Switches the simulated human on for every account, with this delay before each step.
    #[arg(long, value_name = "MILLISECONDS")]
    simulated_human: Option<u64>,
    /// Log filter, for example `info` or `upstox_simulator=debug`.
    #[arg(long, default_value = "warn")]
    log: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&arguments.log).context("--log is not a filter")?)
        .with_writer(std::io::stderr)
        .init();
    let seed = match &arguments.seed {
        None => Seed::six_apps(),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("could not read the seed {}", file.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("the seed {} is not as expected", file.display()))?
        }
    };
    let mut terminate = signal(SignalKind::terminate()).context("could not listen for SIGTERM")?;
    let mut simulator = Simulator::start(arguments.listen, seed).await?;
    if let (Some(listen), Some(folder)) = (arguments.tls_listen, &arguments.tls_folder) {
        let authority = TestAuthority::of_folder(folder)?;
        simulator.serve_tls(listen, &authority).await?;
    }
    if let Some(delay_ms) = arguments.simulated_human {
        simulator.simulate_humans(Duration::from_millis(delay_ms));
    }
    announce(&simulator).context("could not print the address")?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.context("could not listen for Ctrl-C")?,
    }
    simulator.shutdown().await;
    Ok(())
}

fn announce(simulator: &Simulator) -> std::io::Result<()> {
    let line = serde_json::json!({ "base_url": simulator.base_url() });
    #[expect(
        clippy::print_stdout,
        reason = "the one line a caller reads to learn the address"
    )]
    {
        println!("{line}");
    }
    std::io::stdout().flush()
}
