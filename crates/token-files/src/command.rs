//! Runs the commands around a file: without a shell, with no more of the environment than any child of Vega has, for a limited time, and
//! with nothing of the token in what is told of it.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;
use vega_domain::token_file::CommandWords;
use vega_domain::visible::on_one_line;

use crate::redaction::without;

/// Of what a command says, so much is looked at: its end.
const HEARD: usize = 8 * 1024;
/// In characters, so much of it is told.
const TOLD: usize = 300;
/// For what it said last: a process that it left behind may keep its output open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why a command did not do what it is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommandFailure {
    /// It could not be started, or did not end with 0.
    Failed(String),
    /// It was ended after this time.
    TooSlow(String),
}

/// Runs a command to its end, which must be 0. What it started and what is left of it is ended with it when it takes longer than `limit`.
pub(crate) async fn run(
    words: &CommandWords,
    path: &str,
    environment: &[(OsString, OsString)],
    limit: Duration,
    secret: &str,
) -> Result<(), CommandFailure> {
    let child = Command::new(words.program())
        .args(words.arguments(path))
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // So that all of it can be ended.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = child
        .map_err(|error| CommandFailure::Failed(format!("{} cannot be started: {error}", words.program())))?;
    let group = child.id();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listening = child
        .stderr
        .take()
        .map(|output| tokio::spawn(listen(output, Arc::clone(&heard))));
    let ended = timeout(limit, child.wait()).await;
    if ended.is_err() {
        if let Some(group) = group.and_then(|group| i32::try_from(group).ok()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = child.wait().await;
    }
    if let Some(listening) = listening {
        let stop = listening.abort_handle();
        let _ = timeout(LAST_WORDS, listening).await;
        stop.abort();
    }
    let said = told(&heard.lock().unwrap_or_else(PoisonError::into_inner), secret);
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(CommandFailure::Failed(format!(
            "{} {}{said}",
            words.program(),
            ending(status)
        ))),
        Ok(Err(error)) => Err(CommandFailure::Failed(format!("{}: {error}", words.program()))),
        Err(_) => Err(CommandFailure::TooSlow(format!(
            "{} was ended after {} s{said}",
            words.program(),
            limit.as_secs()
        ))),
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
        (None, None) => "did not end as programs do".to_owned(),
    }
}

/// Keeps the end of what comes.
async fn listen(mut output: impl AsyncRead + Unpin, heard: Arc<Mutex<Vec<u8>>>) {
    let mut part = [0; 1024];
    while let Ok(length) = output.read(&mut part).await
        && length > 0
    {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(&part[..length]);
        let too_much = heard.len().saturating_sub(HEARD);
        heard.drain(..too_much);
    }
}

/// The end of what was said, behind ": ", on one line and without the token.
fn told(heard: &[u8], secret: &str) -> String {
    let text = String::from_utf8_lossy(heard);
    let text = without(text.trim(), secret);
    let text = on_one_line(text.trim());
    let length = text.chars().count();
    let end: String = text.chars().skip(length.saturating_sub(TOLD)).collect();
    if end.is_empty() { end } else { format!(": {end}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;

    const SECRET: &str = "eyJ0eXAiOiJKV1QifQ.c2VjcmV0LXRva2Vu.bm90LXRvbGQ";

    fn words(words: &[&str]) -> CommandWords {
        CommandWords::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap()
    }

    async fn ran(script: &str, limit: Duration) -> Result<(), CommandFailure> {
        let environment = [("PATH".into(), "/usr/bin:/bin".into())];
        run(
            &words(&["sh", "-c", script, "sh", "{path}"]),
            "/run/a b",
            &environment,
            limit,
            SECRET,
        )
        .await
    }

    #[rstest]
    #[case::code("echo no >&2; exit 3", "sh ended with 3: no")]
    #[case::silent("exit 1", "sh ended with 1")]
    #[case::signal("kill -TERM $$", "sh was ended by SIGTERM")]
    #[case::lines("printf 'a\\nb\\033[1m' >&2; exit 1", "sh ended with 1: a\\nb\\u{1b}[1m")]
    #[tokio::test]
    async fn what_it_said_last_is_told(#[case] script: &str, #[case] words: &str) {
        let failed = ran(script, Duration::from_mins(1)).await.unwrap_err();
        assert_eq!(failed, CommandFailure::Failed(words.into()));
    }

    #[tokio::test]
    async fn it_gets_the_path_as_one_word_and_its_environment_alone() {
        let script = r#"[ "$1" = "/run/a b" ] && [ -z "$UPSTOX_CLIENT_SECRET_0$HOME" ]"#;
        assert_eq!(ran(script, Duration::from_mins(1)).await, Ok(()));
    }

    #[tokio::test]
    async fn no_part_of_the_token_is_told_however_much_it_says() {
        for script in [
            format!("echo '{SECRET}' >&2; exit 1"),
            format!("i=0; while [ $i -lt 400 ]; do echo '{SECRET}' >&2; i=$((i+1)); done; exit 1"),
            format!("printf '%s' '{}' >&2; exit 1", &SECRET[5..30]),
        ] {
            let failed = ran(&script, Duration::from_mins(1)).await.unwrap_err();
            let CommandFailure::Failed(said) = failed else {
                panic!("{failed:?}")
            };
            let parts = (0..SECRET.len() - 8).map(|at| &SECRET[at..at + 8]);
            assert!(
                said.contains("[redacted]") && parts.clone().all(|part| !said.contains(part)),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let script = format!("(sleep 2; touch '{}') & sleep 60", mark.display());
        let failed = ran(&script, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failed, CommandFailure::TooSlow("sh was ended after 1 s".into()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!mark.exists(), "what it started goes on");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_holds_nobody_up() {
        let began = Instant::now();
        assert_eq!(ran("sleep 20 & exit 0", Duration::from_mins(1)).await, Ok(()));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_named() {
        let failed = run(
            &words(&["no-such-command"]),
            "",
            &[],
            Duration::from_mins(1),
            SECRET,
        )
        .await;
        let Err(CommandFailure::Failed(said)) = failed else {
            panic!("{failed:?}")
        };
        assert!(said.starts_with("no-such-command cannot be started: "), "{said}");
    }
}
