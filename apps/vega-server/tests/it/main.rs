//! `vega-server` as a user meets it when it cannot start. Nothing here leaves this machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world should stop there"
)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::CommandCargoExt;

/// A server that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `vega-server` in this home, with nothing of the environment but what is given.
fn server(home: &Path, listen: &str) -> Command {
    let mut command = Command::cargo_bin("vega-server").unwrap();
    command
        .env_clear()
        .env("HOME", home)
        .env("UPSTOX_MOBILE_NUMBER", "9000000001")
        .env("UPSTOX_CLIENT_ID_0", "key-0")
        .env("UPSTOX_CLIENT_SECRET_0", "CANARY-secret")
        .env("VEGA__SERVER__LISTEN", listen)
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// How it ended and what it said.
fn refused(listen: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = server(home.path(), listen).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && !text.contains("CANARY"), "{text}");
    // The time stands before the level.
    let (_, said) = text.split_once("ERROR").unwrap();
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing half-written"
    );
    format!("exit {}\n{}", output.status.code().unwrap(), said.trim())
}

#[test]
fn a_taken_port_is_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = refused(&address.to_string());
    insta::assert_snapshot!(said.replace(&address.port().to_string(), "[port]"));
}

#[test]
fn two_servers_do_not_share_an_address() {
    let home = tempfile::tempdir().unwrap();
    let mut first = server(home.path(), "127.0.0.1:0");
    let mut first = Running(first.stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(first.0.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (_, address) = line.trim().rsplit_once("http://").unwrap();
    let said = refused(address.trim_end_matches('/'));
    assert!(
        said.starts_with("exit 9") && said.contains("a vega-server that runs already"),
        "{said}"
    );
    assert!(first.0.try_wait().unwrap().is_none(), "the first one goes on");
}

#[test]
fn an_address_that_others_reach_is_not_listened_at() {
    insta::assert_snapshot!(refused("0.0.0.0:28020"));
    assert!(refused("[::]:28020").starts_with("exit 9"));
    // For documentation only (RFC 5737).
    assert!(refused("192.0.2.1:28020").contains("others could reach it"));
}

#[test]
fn a_wrong_address_is_named_with_its_place() {
    insta::assert_snapshot!(refused("localhost:28020"));
}
