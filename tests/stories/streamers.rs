//! Upstox's own SDKs, unpatched, get ticks and updates of orders over TLS by the names that are fixed in their code. What they do
//! there is in `tests/streamers`; `with-upstox` leads the names to a simulator.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use vega_tests::{programs, python};

#[tokio::test]
async fn the_streamers_of_the_python_sdk_live_on_the_token_that_they_connected_with() -> Result<()> {
    let python = python()?.display().to_string();
    run(&[
        "--",
        &python,
        "-W",
        "ignore::ResourceWarning",
        "-m",
        "unittest",
        "-v",
    ])
    .await
}

#[tokio::test]
async fn the_streamers_of_the_node_sdk_live_on_the_token_that_they_connected_with() -> Result<()> {
    run(&["--", "node", "--test"]).await
}

#[tokio::test]
async fn the_exit_code_of_a_command_comes_through() -> Result<()> {
    let ended = with_upstox(&["--", "sh", "-c", "exit 42"])?
        .status()
        .await
        .context("with-upstox")?;
    ensure!(ended.code() == Some(42), "{ended}");
    Ok(())
}

#[tokio::test]
async fn a_use_without_a_command_is_explained() -> Result<()> {
    let ran = with_upstox(&["--simulated-human", "4"])?
        .output()
        .await
        .context("with-upstox")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(
        ran.status.code() == Some(125) && said.contains("no command"),
        "{ran:?}"
    );
    Ok(())
}

async fn run(arguments: &[&str]) -> Result<()> {
    let ran = with_upstox(arguments)?.output().await.context("with-upstox")?;
    ensure!(
        ran.status.success(),
        "{}\n{}{}",
        ran.status,
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    Ok(())
}

fn with_upstox(arguments: &[&str]) -> Result<Command> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("streamers");
    let mut command = Command::new(folder.join("with-upstox"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("VEGA_BIN_DIR", programs()?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
