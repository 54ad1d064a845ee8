//! The world of these tests: `vega` in a home of its own, and what it said and left behind.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use vega_testing::open_hours::time_until_sign_ins_are_open;

/// One account with one app, from the environment.
pub(crate) const ONE_API: &[(&str, &str)] = &[
    ("UPSTOX_MOBILE_NUMBER", "9000000001"),
    ("UPSTOX_CLIENT_ID_0", "key-0"),
    ("UPSTOX_CLIENT_SECRET_0", "CANARY-secret"),
];

/// An Upstox that nobody can reach.
pub(crate) const NO_UPSTOX: (&str, &str) = ("VEGA__UPSTOX__API_BASE_URL", "http://127.0.0.1:9");

/// An Upstox that answers, if only that it knows nothing. It tells no time either.
pub(crate) fn upstox() -> String {
    upstox_that(|| {})
}

/// The same; it does this first, at each call.
pub(crate) fn upstox_that(does: impl Fn() + Send + 'static) -> String {
    server("404 Not Found", "", does)
}

/// Answers every call so, on a free port. Lives as long as the test's process.
fn server(status: &str, body: &str, does: impl Fn() + Send + 'static) -> String {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut caller in listener.incoming().map_while(Result::ok) {
            let request = BufReader::new(&caller).lines().map_while(Result::ok);
            let _ = request.take_while(|line| !line.is_empty()).count();
            does();
            let _ = caller.write_all(answer.as_bytes());
        }
    });
    url
}

/// A redirect URI at a port of this machine that was free just now.
pub(crate) fn free_redirect_uri() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{free}/callback")
}

/// `vega` in this home, with nothing of the environment but what is given.
pub(crate) fn vega(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vega").unwrap();
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/nowhere")
        .env("COLUMNS", "100")
        .envs(settings.iter().copied())
        .current_dir(home)
        .stdin(Stdio::null())
        .args(arguments);
    command
}

/// Everything it said, with the changing home folder taken out.
pub(crate) fn said(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = vega(home, settings, arguments).output().unwrap();
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(!text.contains("CANARY"), "a secret was shown: {text}");
    text.replace(&home.display().to_string(), "[home]")
}

/// The same where it must refuse to start, and leave everything as it was.
pub(crate) fn refused(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let before = files(home);
    let said = said(home, settings, arguments);
    assert!(said.starts_with("exit 9\n--- stdout\n--- stderr\n"), "{said}");
    assert_eq!(files(home), before, "nothing half-written");
    said
}

/// Every file and folder under `folder` with what is in it, in order.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
            found.push((path, Vec::new()));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found.sort();
    found
}

/// Puts a file there, with its folders, for the owner alone.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(content.as_ref()).unwrap();
}

/// Puts a program there that prints these words. A shell writes it: no other test's child can hold it open, which
/// would keep it from being started.
pub(crate) fn program(path: &Path, prints: &str) {
    script(path, &format!("echo \"{prints}\""));
}

/// A ChromeDriver that says this of its version and, when it is asked whether it can open a browser, this. Returns the file
/// that holds its process id when it was started.
pub(crate) fn driver(home: &Path, version: &str, status: &str) -> PathBuf {
    let url = server("200 OK", status, || {});
    let (_, port) = url.rsplit_once(':').unwrap();
    let id = home.join("driver-id");
    let text = format!(
        "if [ \"$1\" = --version ]; then echo \"{version}\"; exit; fi\necho $$ > '{}'\n\
         echo 'ChromeDriver was started successfully on port {port}.'\nexec /bin/sleep 600",
        id.display()
    );
    script(&home.join("bin/chromedriver"), &text);
    let _ = std::os::unix::fs::symlink("/usr/bin/setpriv", home.join("bin/setpriv"));
    id
}

/// What a ChromeDriver says that can open a browser.
pub(crate) const READY: &str = r#"{"value":{"ready":true,"message":"ready for new sessions"}}"#;

fn script(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\n{text}\n");
    let written = Command::new("/bin/sh")
        .args(["-c", "printf '%s' \"$2\" > \"$1\" && chmod 700 \"$1\"", "sh"])
        .arg(path)
        .arg(script)
        .status()
        .unwrap();
    assert!(written.success());
}

/// Returns when sign-ins are open: around 03:30 IST the programs say other things.
pub(crate) fn sign_ins_are_open() {
    std::thread::sleep(time_until_sign_ins_are_open());
}
