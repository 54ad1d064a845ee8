//! `vega exec`: a command with its tokens in its environment. Codes, signals, changes and expiry come through as they are, and the command
//! never outlives Vega.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;
use vega_tests::{Desk, Engine, Stop, Upstox, it_is, until};

const API: &str = "PRIMARY";
const OTHER: &str = "WEBSOCKET1";
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A `vega exec` that runs, and what its command says.
struct Running {
    vega: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(desk: &Desk, arguments: &[&str], script: &str) -> Result<Self> {
        let line = [&["exec"], arguments, &["--", "sh", "-c", script]].concat();
        let mut vega = desk.start(&line)?;
        let lines = BufReader::new(vega.stdout.take().context("its output")?).lines();
        Ok(Self { vega, lines })
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.context("the command says nothing")??.context("it has ended")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.vega.id().context("it has ended")?;
        Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
    }

    /// Its code, and what Vega said.
    async fn end(self) -> Result<(Option<i32>, String)> {
        // Its pipe stays open until then.
        let _lines = self.lines;
        let output = timeout(PATIENCE, self.vega.wait_with_output()).await;
        let output = output.context("it does not end")??;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    }
}

async fn another_token(desk: &Desk) -> Result<()> {
    let force = ["--yes", API, "--force", "--reason", "another token"];
    let ran = desk.vega(&force).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

fn is_alive(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid).join("exe").exists()
}

#[rstest]
#[tokio::test]
async fn a_command_gets_its_tokens_and_its_own_ending_comes_through(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let exec = async |arguments: &[&str], command: &[&str]| {
        desk.vega(&[&["exec"], arguments, &["--"], command].concat())
            .await
    };
    let none = exec(&[API], &["touch", "started"]).await?;
    assert_eq!(none.code, Some(125), "{none:?}");
    ensure!(none.stderr.contains("Run `vega` to sign in"), "{none:?}");
    ensure!(
        !desk.path().join("started").exists(),
        "it was started without a token"
    );

    assert_eq!(desk.vega(&["--yes", API, OTHER]).await?.code, Some(0));
    let (token, other) = (desk.token(API).await?, desk.token(OTHER).await?);

    for (script, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 42", 42),
        ("exit 125", 125),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ] {
        let ran = exec(&[API], &["sh", "-c", script]).await?;
        assert_eq!((ran.code, &*ran.stderr), (Some(code), ""), "{script}");
    }
    for (arguments, command, code, words) in [
        (
            &[API][..],
            "no-such-command",
            127,
            "Name it as your shell finds it",
        ),
        (&[API], "/etc/passwd", 126, "a program that you may run"),
        (&["NOBODY"], "true", 125, "not configured"),
        (
            &[API, "--min-valid", "24h"],
            "true",
            125,
            "sooner than --min-valid asks",
        ),
        (
            &[API, "--on-change", "signal:KILL"],
            "true",
            125,
            "cannot hear SIGKILL",
        ),
        (&[API, "--on-change", "sometimes"], "true", 125, "it is restart"),
        (&[], "true", 125, "required arguments"),
    ] {
        let ran = exec(arguments, &[command]).await?;
        assert_eq!(ran.code, Some(code), "{arguments:?} {command}: {ran:?}");
        ensure!(ran.stderr.contains(words), "{arguments:?} {command}: {ran:?}");
    }

    let told = "echo $UPSTOX_ACCESS_TOKEN,$UPSTOX_PRIMARY_ACCESS_TOKEN,$UPSTOX_WEBSOCKET1_ACCESS_TOKEN,$VEGA_PRIMARY_GENERATION; umask; \
                tr '\\0' ' ' < /proc/$PPID/cmdline";
    let one = exec(&[API], &["sh", "-c", told]).await?;
    ensure!(one.code == Some(0), "{one:?}");
    let lines: Vec<&str> = one.stdout.lines().collect();
    assert_eq!(lines[0], format!("{token},{token},,1"));
    let mask = tokio::process::Command::new("sh")
        .args(["-c", "umask"])
        .output()
        .await?;
    assert_eq!(
        lines[1],
        String::from_utf8(mask.stdout)?.trim(),
        "the mask of its own user"
    );
    ensure!(
        lines[2].contains("exec PRIMARY") && !lines[2].contains(&token),
        "{lines:?}"
    );
    let two = exec(&["PRIMARY,WEBSOCKET1"], &["sh", "-c", told]).await?;
    assert_eq!(two.stdout.lines().next(), Some(&*format!(",{token},{other},1")));

    // A token of another time does not pass for one of these.
    let stale = ["env", "UPSTOX_ACCESS_TOKEN=of-yesterday"].map(str::to_owned);
    let line = [
        "exec",
        "PRIMARY,WEBSOCKET1,PRIMARY",
        "--",
        "sh",
        "-c",
        "echo ${UPSTOX_ACCESS_TOKEN-none}",
    ];
    let unset = desk.vega_under(&stale, &line).await?;
    assert_eq!(unset.stdout, "none\n", "{unset:?}");

    let vega = desk.program("vega")?.display().to_string();
    let inner = [
        "sh",
        "-c",
        "echo $UPSTOX_ACCESS_TOKEN,$UPSTOX_PRIMARY_ACCESS_TOKEN",
    ];
    let nested = exec(&[API], &[&[&*vega, "exec", OTHER, "--"], &inner[..]].concat()).await?;
    ensure!(
        nested
            .stderr
            .contains("inside another `vega exec`, which gives PRIMARY"),
        "{nested:?}"
    );
    assert_eq!(nested.stdout, format!("{other},{token}\n"));
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_command_is_started_with_each_new_token_and_never_outlives_vega(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let script =
        "trap 'echo ended; exit 7' TERM; echo $VEGA_PRIMARY_GENERATION $$; while :; do sleep 0.05; done";
    let mut running = Running::start(&desk, &[API, "--wait", "5m"], script)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let first = running.line().await?;
    ensure!(first.starts_with("1 "), "{first}");

    another_token(&desk).await?;
    assert_eq!(running.line().await?, "ended", "the old one hears of it");
    let second = running.line().await?;
    let (generation, pid) = second.split_once(' ').context("two words")?;
    assert_eq!(generation, "2");
    ensure!(is_alive(pid));

    running.signal(Signal::SIGKILL)?;
    ensure!(until(async || !is_alive(pid)).await, "it lives without vega exec");

    // Whoever asks Vega to end asks the command.
    let mut running = Running::start(&desk, &[API], script)?;
    running.line().await?;
    running.signal(Signal::SIGTERM)?;
    assert_eq!(running.line().await?, "ended");
    assert_eq!(running.end().await?.0, Some(7));

    // Other ways to hear of a new token.
    let hears = "trap 'echo heard' USR1; echo $VEGA_PRIMARY_GENERATION; while :; do sleep 0.05; done";
    let mut told = Running::start(&desk, &[API, "--on-change", "signal:usr1"], hears)?;
    let mut left = Running::start(&desk, &[API, "--on-change", "ignore"], script)?;
    assert_eq!(told.line().await?, "2");
    ensure!(left.line().await?.starts_with("2 "));
    another_token(&desk).await?;
    assert_eq!(told.line().await?, "heard");
    let next = timeout(Duration::from_secs(1), left.lines.next_line()).await;
    ensure!(next.is_err(), "it was to be left alone: {next:?}");
    for running in [told, left] {
        running.signal(Signal::SIGTERM)?;
        running.end().await?;
    }
    Ok(())
}

/// A signal reaches the command once, in Vega's process group or in one of its own.
#[tokio::test]
async fn every_signal_comes_to_the_command() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let signals = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGWINCH,
        Signal::SIGCONT,
        Signal::SIGPROF,
        Signal::SIGPWR,
        Signal::SIGTERM,
    ];
    let traps = signals.map(|signal| {
        let name = signal.as_str().trim_start_matches("SIG");
        format!("trap 'echo {name}' {name}")
    });
    let traps = traps.join("; ");
    let script = format!("{traps}; echo ready; while :; do sleep 0.05; done");
    for own_group in [false, true] {
        let script = if own_group {
            format!("exec setsid sh -c \"{}\"", script.replace('"', "\\\""))
        } else {
            script.clone()
        };
        let mut running = Running::start(&desk, &[API], &script)?;
        assert_eq!(running.line().await?, "ready");
        for signal in signals {
            running.signal(signal)?;
            let name = signal.as_str().trim_start_matches("SIG");
            assert_eq!(running.line().await?, name, "own group: {own_group}");
        }
        running.signal(Signal::SIGKILL)?;
        running.end().await?;
    }
    Ok(())
}

/// What a terminal sends, the command has from it, and gets no second time from Vega.
#[tokio::test]
async fn ctrl_c_comes_to_the_command_once() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    // A shell's trap would make one of two that come at once.
    let script = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\nprint('ready', flush=True)\n\
                  while signal.sigwait([signal.SIGINT]):\n    print('hit', flush=True)\n";
    std::fs::write(desk.path().join("command.py"), script)?;
    let mut terminal = desk.start_in_terminal(&["exec", API, "--", "python3", "command.py"])?;
    let mut lines = BufReader::new(terminal.stdout.take().context("its output")?).lines();
    let mut keys = terminal.stdin.take().context("its keys")?;
    let mut shown = String::new();
    while !shown.contains("ready") {
        let line = timeout(PATIENCE, lines.next_line()).await??;
        shown += &line.context("it has ended")?;
    }
    keys.write_all(b"\x03").await?;
    while !shown.contains("hit") {
        let line = timeout(PATIENCE, lines.next_line()).await??;
        shown += &line.context("it has ended")?;
    }
    while let Ok(line) = timeout(Duration::from_secs(1), lines.next_line()).await {
        shown += &line?.context("it has ended")?;
    }
    assert_eq!(shown.matches("hit").count(), 1, "{shown}");
    Ok(())
}

/// Whoever asks Vega to end is heard before what Vega wants: a new token starts nothing any more. What `nohup` ignores ends nothing.
#[tokio::test]
async fn a_command_that_is_asked_to_end_is_not_started_again() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let slow = "trap 'echo asked; ends=1' TERM; echo started; while [ -z \"$ends\" ]; do sleep 0.05; done; \
                while [ ! -e go ]; do sleep 0.05; done; exit 6";
    let mut running = Running::start(&desk, &[API], slow)?;
    assert_eq!(running.line().await?, "started");
    running.signal(Signal::SIGTERM)?;
    assert_eq!(running.line().await?, "asked");
    another_token(&desk).await?;
    std::fs::write(desk.path().join("go"), "")?;
    assert_eq!(running.end().await?.0, Some(6));

    assert_eq!(desk.vega(&["revoke", API, "--yes"]).await?.code, Some(0));
    let ignores = ["sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""].map(str::to_owned);
    let waits = ["exec", API, "--wait", "3s", "--", "true"];
    let waiting = desk.vega_under(&ignores, &waits);
    let hang_up = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.stop_vega(Stop::HangUp)
    };
    let (ended, asked) = tokio::join!(waiting, hang_up);
    asked?;
    assert_eq!(ended?.code, Some(125), "it waited to the end");
    Ok(())
}

#[tokio::test]
async fn at_0330_a_command_is_left_alone_or_ended_until_there_is_a_token() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    it_is(1, (5, 0, 0), &upstox, &desk).await?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let script =
        "trap 'echo ended; exit 7' TERM; echo $VEGA_PRIMARY_GENERATION; while :; do sleep 0.05; done";
    let mut left = Running::start(&desk, &[API], script)?;
    let mut ended = Running::start(&desk, &[API, "--on-expiry", "stop"], script)?;
    for running in [&mut left, &mut ended] {
        assert_eq!(running.line().await?, "1");
    }

    it_is(1, (22, 0, 1), &upstox, &desk).await?;
    assert_eq!(ended.line().await?, "ended");
    let next = timeout(Duration::from_secs(1), left.lines.next_line()).await;
    ensure!(next.is_err(), "it was to be left alone: {next:?}");

    it_is(2, (3, 0, 0), &upstox, &desk).await?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    assert_eq!(left.line().await?, "ended", "a newer token is there");
    for running in [&mut left, &mut ended] {
        assert_eq!(running.line().await?, "2");
        running.signal(Signal::SIGTERM)?;
    }
    let (_, said) = left.end().await?;
    assert_eq!(said.matches("the command goes on without").count(), 1, "{said}");
    ended.end().await?;
    Ok(())
}
