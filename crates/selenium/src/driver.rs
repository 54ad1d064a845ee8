//! The ChromeDriver process: started on a free port, in its own process group, dead with Vega on every path.
//! Its port has no credential, so it lives for one session only.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use url::Url;
use vega_domain::failure::{Failure, FailureReason};

use crate::settings::BrowserSettings;

const START_TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// ChromeDriver takes any free port of IPv4 and then wants the same of IPv6. Where that one is taken it ends, so it is
/// started again: another port is another chance.
const STARTS: u32 = 3;

/// A running ChromeDriver. Dropping it kills its whole group.
#[derive(Debug)]
pub(crate) struct Driver {
    child: Box<dyn ChildWrapper>,
    url: Url,
}

impl Driver {
    /// Starts `program` and reads the port it chose.
    /// The browser puts its short-lived files into `scratch`.
    pub(crate) async fn start(
        program: &Path,
        settings: &BrowserSettings,
        scratch: &Path,
    ) -> Result<Self, Failure> {
        for _ in 1..STARTS {
            if let Some(driver) = Self::start_once(program, settings, scratch).await? {
                return Ok(driver);
            }
            tracing::debug!("the driver ended without a port; it is started again");
        }
        let driver = Self::start_once(program, settings, scratch).await?;
        driver.ok_or_else(|| {
            let words = format!(
                "{} did not say its port; is it a ChromeDriver?",
                program.display()
            );
            Failure::new(FailureReason::BrowserUnavailable, words)
        })
    }

    /// None when it ended without a port.
    async fn start_once(
        program: &Path,
        settings: &BrowserSettings,
        scratch: &Path,
    ) -> Result<Option<Self>, Failure> {
        let unavailable = |what: String| {
            Failure::new(
                FailureReason::BrowserUnavailable,
                format!("{} {what}", program.display()),
            )
        };
        let mut command = command(program);
        command
            // Lower levels write what is typed into the log.
            .args(["--port=0", "--log-level=WARNING"])
            .env_clear()
            .envs(settings.environment.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        let mut child = command
            .spawn()
            .map_err(|error| unavailable(format!("cannot be started: {error}")))?;

        let Some(stdout) = child.stdout().take() else {
            return Err(unavailable("has no output to read its port from".into()));
        };
        let mut lines = BufReader::new(stdout).lines();
        let port = tokio::time::timeout(START_TIMEOUT, port_from(&mut lines)).await;
        let driver = Self {
            child,
            url: local(port.as_ref().ok().copied().flatten().unwrap_or_default()),
        };
        match port {
            Ok(Some(_)) => {
                // Read on, or the driver stops when the pipe is full.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                Ok(Some(driver))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(unavailable("did not say its port; is it a ChromeDriver?".into())),
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Kills the group and waits until it is gone.
    pub(crate) async fn end(mut self) {
        let _ = self.child.start_kill();
        let _ = tokio::time::timeout(END_TIMEOUT, self.child.wait()).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // `KillOnDrop` reaches the leader only; this reaches the group.
        let _ = self.child.start_kill();
    }
}

/// On Linux the driver is killed by the kernel when Vega dies, however it dies. The browser, which talks to the driver
/// through a pipe, then ends by itself.
#[cfg(target_os = "linux")]
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

#[cfg(not(target_os = "linux"))]
fn command(program: &Path) -> Command {
    Command::new(program)
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

    /// A program that ends without a port so many times, and then says one.
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
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("driver");
        let script = format!(
            "#!/bin/sh\necho x >> {0}/starts\n[ $(wc -l < {0}/starts) -gt {failures} ] || exit 1\n\
             echo 'ChromeDriver was started successfully on port 40123.'\nexec sleep 60\n",
            dir.path().display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let settings = BrowserSettings {
            authorize_base: local(1),
            driver: DriverSource::Start(program.clone()),
            binary: None,
            headless: true,
            profiles: dir.path().into(),
            evidence: dir.path().into(),
            human_timeout: Duration::from_secs(1),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        let started = Driver::start(&program, &settings, dir.path()).await;
        assert_eq!(started.ok().and_then(|driver| driver.url().port()), port);
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
