//! `vega-server` as a user meets it when it cannot start. Nothing here leaves this machine.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
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

/// What it says, up to and with the line that has these words.
fn until(log: &mut impl BufRead, words: &str) -> String {
    let mut said = String::new();
    while !said.contains(words) {
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    said
}

#[test]
fn a_taken_port_is_waited_for_and_whoever_has_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut waits = server(home.path(), &address);
    let mut waits = Running(waits.stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(waits.0.stderr.take().unwrap());
    let said = until(&mut log, "Vega waits");
    if cfg!(target_os = "linux") {
        assert!(
            said.contains(&format!("(process {}) has {address}", std::process::id())),
            "{said}"
        );
    }
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing is begun before it has its address"
    );
    drop(taken);
    until(&mut log, &format!("listening on http://{address}/"));
}

#[cfg(unix)]
#[test]
fn a_server_that_waits_for_its_port_ends_when_it_is_asked_to() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut waits = server(home.path(), &taken.local_addr().unwrap().to_string());
    let mut waits = Running(waits.stderr(Stdio::piped()).spawn().unwrap());
    until(&mut BufReader::new(waits.0.stderr.take().unwrap()), "Vega waits");
    let began = tokio::time::Instant::now();
    let asked = Command::new("kill")
        .arg(waits.0.id().to_string())
        .status()
        .unwrap();
    assert!(asked.success());
    assert_eq!(waits.0.wait().unwrap().code(), Some(0));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn two_servers_do_not_share_an_address() {
    let home = tempfile::tempdir().unwrap();
    let mut first = server(home.path(), "127.0.0.1:0");
    let mut first = Running(first.stderr(Stdio::piped()).spawn().unwrap());
    let line = until(
        &mut BufReader::new(first.0.stderr.take().unwrap()),
        "listening on",
    );
    let (_, address) = line.trim().rsplit_once("http://").unwrap();
    let mut second = server(home.path(), address.trim_end_matches('/'));
    let mut second = Running(second.stderr(Stdio::piped()).spawn().unwrap());
    let said = until(&mut BufReader::new(second.0.stderr.take().unwrap()), "Vega waits");
    assert!(said.contains("has 127.0.0.1:"), "{said}");
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

/// Starts it with this redirect URI, and asks for each path.
fn pages(port: u16, redirect_uri: &str, paths: &[&str]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path(), &format!("127.0.0.1:{port}"));
    server.env("UPSTOX_REDIRECT_URI", redirect_uri);
    let mut server = Running(server.stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("listening") && log.read_line(&mut said).unwrap() > 0 {}
    assert!(said.contains("listening"), "{said}");
    let page = |path: &&str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    paths.iter().map(page).collect()
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// Upstox's own examples have this one.
#[test]
fn a_redirect_uri_may_have_a_path_that_the_server_has() {
    let port = free_port();
    let here = format!("http://127.0.0.1:{port}/");
    let [page, redirect] = &pages(port, &here, &["/", "/?code=CANARY-code&state=CANARY-state"])[..] else {
        panic!("two pages")
    };
    assert!(page.contains("<title>Vega</title>"), "{page}");
    assert!(
        redirect.contains("sign-in") && !redirect.contains("<title>Vega</title>"),
        "{redirect}"
    );
    assert!(!redirect.contains("CANARY"), "{redirect}");
}

#[test]
fn a_redirect_uri_elsewhere_takes_no_path_from_the_server() {
    for path in ["/", "/livez"] {
        let elsewhere = format!("https://127.0.0.1{path}");
        let with_code = format!("{path}?code=CANARY-code&state=CANARY-state");
        let answers = pages(free_port(), &elsewhere, &[path, &with_code]);
        assert!(
            answers
                .iter()
                .all(|answer| answer.contains("vega-server") || answer.contains("<title>Vega</title>"))
        );
    }
}

fn full() -> Stdio {
    std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

#[test]
fn help_that_does_not_arrive_is_no_success() {
    let home = tempfile::tempdir().unwrap();
    for argument in ["--help", "--version"] {
        let lost = server(home.path(), "127.0.0.1:0")
            .arg(argument)
            .stdout(full())
            .output()
            .unwrap();
        let said = String::from_utf8(lost.stderr).unwrap();
        assert_eq!(lost.status.code(), Some(1), "{said}");
        assert!(
            said.contains("could not be written to stdout: No space left"),
            "{said}"
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unread = server(home.path(), "127.0.0.1:0")
            .arg(argument)
            .stdout(writer)
            .status()
            .unwrap();
        assert_eq!(unread.code(), Some(0));
    }
}

/// It may be started without a terminal, by something that closed everything, and its log may find no room.
#[test]
fn it_serves_although_nothing_of_what_it_says_arrives() {
    let home = tempfile::tempdir().unwrap();
    let port = free_port();
    let (reader, nobody_reads) = std::io::pipe().unwrap();
    drop(reader);
    let mut quiet = server(home.path(), &format!("127.0.0.1:{port}"));
    quiet.env("RUST_LOG", "trace").stdout(nobody_reads).stderr(full());
    let mut running = Running(quiet.spawn().unwrap());
    let lives = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let request = format!("GET /livez HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    };
    for _ in 0..600 {
        if lives().is_some() {
            assert!(running.0.try_wait().unwrap().is_none());
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it does not serve: {:?}", running.0.try_wait());
}
