//! The binary: one line on stdout, the human switched on when asked for, and a clean end on SIGTERM.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

#[tokio::test]
async fn the_program_prints_its_address_and_ends_when_told() {
    let certificates = TempDir::new().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_upstox-simulator"))
        .args(["--listen", "127.0.0.1:0", "--simulated-human", "25"])
        .args(["--tls-listen", "127.0.0.1:0", "--tls-folder"])
        .arg(certificates.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["base_url"]
        .as_str()
        .unwrap()
        .to_owned();

    assert!(certificates.path().join("authority.pem").is_file());
    let client = reqwest::Client::builder().build().unwrap();
    let state: Value = client
        .get(format!("{url}/_sim/state"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(state["accounts"][0]["human"]["enabled"], true);
    assert_eq!(state["accounts"][0]["human"]["delay_ms"], 25);

    let id = Pid::from_raw(i32::try_from(program.id().unwrap()).unwrap());
    kill(id, Signal::SIGTERM).unwrap();
    let status = timeout(Duration::from_secs(5), program.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}
