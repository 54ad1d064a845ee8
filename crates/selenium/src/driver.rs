//! The ChromeDriver process: started on a free port, and ended with Vega on every path. Its port has no credential, so
//! the process lives for one session only.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;
use url::Url;
use vega_domain::failure::{Failure, FailureReason};

use crate::last_words::LastWords;
use crate::settings::BrowserSettings;
use crate::start_failure::{BY_HAND, Ended, Program, explained};
use crate::tied::Tied;

const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a driver that has closed its output may take to end.
const END_WITHIN: Duration = Duration::from_secs(2);
/// How often the driver is started. ChromeDriver takes any free port of IPv4 and then needs the same port of IPv6. If
/// that one is in use, it ends. Another start gets another port, which may be free.
const STARTS: u32 = 3;
/// What it says then, in small letters. A launcher that started it may live on, so that its end does not show.
const PORT_IN_USE: &str = "bind() failed: address already in use";

/// A running ChromeDriver. Dropping it ends the driver and the browser.
#[derive(Debug)]
pub(crate) struct Driver {
    program: Tied,
    url: Url,
}

/// The result of one start of the driver.
enum Start {
    Driver(Box<Driver>),
    /// The driver ended without naming a port.
    Ended(Ended),
}

impl Driver {
    /// Starts `program` and reads the port that it chose. The browser puts its short-lived files into `scratch`. If
    /// Vega is killed, `folders` are removed together with the processes.
    pub(crate) async fn start(
        program: &Path,
        settings: &BrowserSettings,
        scratch: &Path,
        folders: &[PathBuf],
    ) -> Result<Self, Failure> {
        let mut starts = 1;
        loop {
            match Self::start_once(program, settings, scratch, folders).await? {
                Start::Driver(driver) => return Ok(*driver),
                Start::Ended(ended) if starts == STARTS || ended.is_no_program() => {
                    let words = explained(&Program::Driver(program), &ended);
                    return Err(Failure::new(FailureReason::BrowserUnavailable, words));
                }
                Start::Ended(_) => starts += 1,
            }
            tracing::debug!("the driver ended without a port; it is started again");
        }
    }

    async fn start_once(
        program: &Path,
        settings: &BrowserSettings,
        scratch: &Path,
        folders: &[PathBuf],
    ) -> Result<Start, Failure> {
        let unavailable = |what: String| {
            Failure::new(
                FailureReason::BrowserUnavailable,
                format!("{} {what}", program.display()),
            )
        };
        let mut environment = settings.environment.clone();
        environment.retain(|(name, _)| name != "TMPDIR");
        environment.push(("TMPDIR".into(), scratch.into()));
        // Lower levels write what is typed into the log.
        let arguments = ["--port=0", "--log-level=WARNING"];
        let mut tied = Tied::start(program, &arguments, &environment, folders)
            .map_err(|error| unavailable(format!("cannot be started: {error}")))?;
        let (Some(stdout), Some(stderr)) = (tied.stdout(), tied.stderr()) else {
            return Err(unavailable("has no output to read its port from".into()));
        };
        let words = LastWords::of(stderr, |_| false);
        let mut lines = BufReader::new(stdout).lines();
        let port = tokio::time::timeout(START_TIMEOUT, async {
            tokio::select! {
                port = port_from(&mut lines) => port,
                () = port_is_in_use(&words) => None,
            }
        });
        match port.await {
            Ok(Some(port)) => {
                // Read on, or the driver stops when the pipe is full.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                words.forget();
                Ok(Start::Driver(Box::new(Self {
                    program: tied,
                    url: local(port),
                })))
            }
            Ok(None) => {
                let status = tokio::time::timeout(END_WITHIN, tied.ended()).await;
                let status = status.ok().and_then(Result::ok);
                Ok(Start::Ended(Ended {
                    code: status.and_then(code),
                    words: words.to_the_end().await,
                }))
            }
            Err(_) => {
                let said = match &*words.lines() {
                    [] => String::new(),
                    lines => format!(", but \u{201c}{}\u{201d}", lines.join(" ")),
                };
                Err(unavailable(format!(
                    "did not say its port within {} seconds{said}. {BY_HAND}",
                    START_TIMEOUT.as_secs()
                )))
            }
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Ends the driver with everything that it started, and waits until all of it has ended.
    pub(crate) async fn end(self) {
        self.program.end().await;
    }
}

/// The exit code as a shell reports it, also for a program that a signal has ended.
fn code(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Some(128 + signal);
    }
    status.code()
}

/// Waits until the driver has said that its port is in use, and has had the time to go on all the same.
async fn port_is_in_use(words: &LastWords) {
    words.until_said(&[PORT_IN_USE]).await;
    tokio::time::sleep(END_WITHIN).await;
}

async fn port_from(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<u16> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(port) = port_in(&line) {
            return Some(port);
        }
    }
    None
}

/// "ChromeDriver was started successfully on port 40123."
fn port_in(line: &str) -> Option<u16> {
    let (_, after) = line.split_once("started successfully on port ")?;
    after.trim_end_matches('.').trim().parse().ok()
}

fn local(port: u16) -> Url {
    let mut url = Url::parse("http://127.0.0.1").unwrap_or_else(|_| unreachable!("a constant URL"));
    let _ = url.set_port(Some(port));
    url
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::settings::DriverSource;

    /// A program that ends this many times without a port, and then prints one.
    #[cfg(unix)]
    #[rstest]
    #[case::at_once(0, Some(40_123))]
    #[case::at_the_last_start(2, Some(40_123))]
    #[case::never(3, None)]
    #[tokio::test]
    async fn a_driver_that_finds_its_port_taken_is_started_again(
        #[case] failures: u32,
        #[case] port: Option<u16>,
    ) {
        let script = format!(
            "echo x >> \"$0.starts\"\n[ $(wc -l < \"$0.starts\") -gt {failures} ] || exit 1\n\
             echo 'ChromeDriver was started successfully on port 40123.'\nexec sleep 60\n",
        );
        let started = started(&script).await;
        assert_eq!(started.ok().and_then(|driver| driver.url().port()), port);
    }

    /// Its launcher holds its output open, so that only its words tell of its end.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_driver_behind_a_launcher_that_finds_its_port_taken_is_started_again() {
        let script = "echo x >> \"$0.starts\"\n\
             if [ $(wc -l < \"$0.starts\") = 1 ]; then\n\
             echo '[1795984611.799][SEVERE]: bind() failed: Address already in use (98)' >&2; exec sleep 60\nfi\n\
             echo 'ChromeDriver was started successfully on port 40123.'\nexec sleep 60\n";
        let started = started(script).await;
        assert_eq!(started.unwrap().url().port(), Some(40_123));
    }

    #[cfg(unix)]
    #[rstest]
    #[case::library(
        "echo 'chromedriver: error while loading shared libraries: libnss3.so: cannot open shared object file' >&2; exit 127",
        "ended with exit code 127 and said \u{201c}chromedriver: error while loading shared libraries: libnss3.so",
        "ldd"
    )]
    #[case::its_own_words(
        "echo 'no such flag' >&2; exit 3",
        "ended with exit code 3 and said \u{201c}no such flag\u{201d}",
        "Start it by hand"
    )]
    #[case::silent("exit 4", "ended with exit code 4 and said nothing", "Start it by hand")]
    #[case::killed("kill -SEGV $$", "SEGV", "Start it by hand")]
    #[tokio::test]
    async fn a_driver_that_ends_is_told_with_its_code_and_its_last_words(
        #[case] script: &str,
        #[case] told: &str,
        #[case] advice: &str,
    ) {
        let failure = started(script).await.unwrap_err();
        assert!(failure.detail.contains(told), "{}", failure.detail);
        assert!(failure.detail.contains(advice), "{}", failure.detail);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_driver_of_another_kind_of_machine_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("driver");
        write(&program, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0");
        let failure = start(&program, dir.path()).await.unwrap_err();
        assert!(failure.detail.contains("uname -m"), "{}", failure.detail);
    }

    #[cfg(unix)]
    async fn started(script: &str) -> Result<Driver, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("driver");
        write(&program, format!("#!/bin/sh\n{script}").as_bytes());
        start(&program, dir.path()).await
    }

    #[cfg(unix)]
    fn write(program: &Path, content: &[u8]) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(program, content).unwrap();
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[cfg(unix)]
    async fn start(program: &Path, dir: &Path) -> Result<Driver, Failure> {
        let settings = BrowserSettings {
            authorize_base: local(1),
            driver: DriverSource::Start(program.to_owned()),
            binary: None,
            headless: true,
            profiles: dir.into(),
            evidence: dir.into(),
            human_timeout: Duration::from_secs(1),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        Driver::start(program, &settings, dir, &[]).await
    }

    #[test]
    fn the_port_is_read_from_the_drivers_own_line() {
        assert_eq!(
            port_in("ChromeDriver was started successfully on port 40123."),
            Some(40_123)
        );
        assert_eq!(port_in("Starting ChromeDriver 156.0 on port 0"), None);
    }
}
