//! Reads the version that a browser or its driver prints. Text that cannot be read counts as no version: a wrapper may
//! print anything, and a browser of another maker has its own numbers.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long to wait: a first start from a slow disk can take seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The beginnings of the output of programs whose versions can be compared.
const NAMES: &[&str] = &[
    "Chromium",
    "Google Chrome for Testing",
    "Google Chrome",
    "ChromeDriver",
];

/// A version such as `140.0.7339.16`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    text: String,
    pub(crate) major: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Asks the program; the error says why there is no version.
pub(crate) async fn read(program: &Path, environment: &[(OsString, OsString)]) -> Result<Version, String> {
    let asked = Command::new(program)
        .arg("--version")
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => Err(format!("it did not answer within {} seconds", PATIENCE.as_secs())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(output)) => {
            parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| "it printed none".to_owned())
        }
    }
}

/// The version in the output, which may contain other lines.
fn parse(printed: &str) -> Option<Version> {
    printed.lines().find_map(|line| {
        let line = line.trim();
        let text = NAMES
            .iter()
            .find_map(|name| line.strip_prefix(name)?.strip_prefix(' '))?
            .split_whitespace()
            .next()?;
        let (major, rest) = text.split_once('.')?;
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        rest.split('.').all(is_number).then_some(())?;
        Some(Version {
            text: text.to_owned(),
            major: major.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::debian(
        "Chromium 140.0.7339.16 built on Debian GNU/Linux 13 (trixie)\n",
        "140.0.7339.16"
    )]
    #[case::snap("Chromium 140.0.7339.80 snap\n", "140.0.7339.80")]
    #[case::chrome("Google Chrome 140.0.7339.80 \n", "140.0.7339.80")]
    #[case::for_testing("Google Chrome for Testing 99.0.4844.51\n", "99.0.4844.51")]
    #[case::driver(
        "ChromeDriver 140.0.7339.16 (a21ce95-refs/branch-heads/7339@{#1704})\n",
        "140.0.7339.16"
    )]
    #[case::lines_before("Gtk-Message: no module\nChromium 141.0.1\n", "141.0.1")]
    fn a_known_program_is_read(#[case] printed: &str, #[case] version: &str) {
        let read = parse(printed).unwrap();
        let major = version.split('.').next().unwrap();
        assert_eq!(
            (read.to_string(), read.major.to_string()),
            (version.into(), major.into())
        );
    }

    #[rstest]
    #[case::nothing("")]
    #[case::another_maker("Vivaldi 7.5.3735.54 stable\n")]
    #[case::a_wrapper("starting Chromium 140.0.7339.16\n")]
    #[case::no_number("Chromium unknown\n")]
    #[case::not_a_version("Chromium 140\n")]
    #[case::half_a_version("Chromium 140.\n")]
    #[case::words("Chromium 140.beta.1\n")]
    #[case::too_large("Chromium 99999999999.0\n")]
    #[case::another_name("ChromiumFork 140.0\n")]
    fn whatever_else_is_no_version(#[case] printed: &str) {
        assert_eq!(parse(printed), None);
    }

    /// Time is paused: it jumps to the end of the wait as soon as nothing else is left to do.
    #[tokio::test(start_paused = true)]
    async fn a_program_that_never_answers_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("chromium");
        // A shell writes it: while this process had it open for writing, it could not be started.
        let write = "printf '#!/bin/sh\nexec /bin/sleep 600\n' > \"$1\" && chmod 700 \"$1\"";
        let written = std::process::Command::new("/bin/sh")
            .args(["-c", write, "sh"])
            .arg(&program)
            .status();
        assert!(written.unwrap().success());
        let start = tokio::time::Instant::now();
        let why = read(&program, &[]).await.unwrap_err();
        assert_eq!(why, "it did not answer within 10 seconds");
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_started_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let why = read(&folder.path().join("chromium"), &[]).await.unwrap_err();
        assert!(why.contains("No such file"), "{why}");
    }
}
