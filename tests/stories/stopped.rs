//! Ctrl-C and a polite kill, at every moment: what is on its way is brought home, nothing is left running, the terminal is
//! as it was, and Vega says how to go on. What ends without a chance to do so is told in `killed`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use vega_tests::{Desk, Opener, OwnBrowser, Ran, Stop, Terminal, Upstox, until};

const CTRL_C: &str = "\x03";
const STOPPED: &str =
    "Stopped before a sign-in began. What is stored stays; run the same command again to go on.\n";
const APIS: [&str; 2] = ["PRIMARY", "WEBSOCKET1"];

/// Where a run stands when it is asked to stop.
#[derive(Debug, Clone, Copy)]
enum ClockReading {
    SigningIn,
    Exchanging,
    Verifying,
    Waiting,
}

impl ClockReading {
    /// Sees to it that the run comes here and stays for a while.
    async fn is_prepared(self, upstox: &Upstox) -> Result<()> {
        match self {
            Self::SigningIn => upstox.human_at_the_desk(false).await,
            Self::Exchanging => upstox.is_slow("exchange").await,
            Self::Verifying => upstox.is_slow("profile").await,
            Self::Waiting => upstox.otp_limit(0).await,
        }
    }

    async fn has_come(self, upstox: &Upstox, desk: &Desk) -> Result<()> {
        let calls = |counter| async move { upstox.count(counter).await.is_ok_and(|calls| calls == 1) };
        let has_come = match self {
            Self::SigningIn => upstox.until_otp_is_asked_for().await,
            Self::Exchanging => until(|| calls("exchanges")).await,
            Self::Verifying => until(|| calls("profile_calls")).await,
            Self::Waiting => until(|| waits(desk)).await,
        };
        ensure!(has_come, "{self:?} never came");
        Ok(())
    }

    /// What becomes of the first API.
    fn leaves(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::SigningIn => ("failed", Some("cancelled")),
            Self::Exchanging | Self::Verifying => ("done", None),
            Self::Waiting => ("failed", Some("throttled")),
        }
    }

    /// 11, but where something graver happened.
    fn exit(self) -> i32 {
        match self {
            Self::Waiting => 4,
            _ => 11,
        }
    }
}

async fn waits(desk: &Desk) -> bool {
    let told = desk.vega(&["audit", "--json"]).await;
    told.is_ok_and(|told| told.stdout.contains("waiting: account default is cooling down"))
}

#[rstest]
#[tokio::test]
async fn a_run_that_is_asked_to_stop_can_be_taken_up_again(
    #[values(
        ClockReading::SigningIn,
        ClockReading::Exchanging,
        ClockReading::Verifying,
        ClockReading::Waiting
    )]
    moment: ClockReading,
    #[values(Stop::Interrupt, Stop::Terminate)] stop: Stop,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    moment.is_prepared(&upstox).await?;
    let vega = desk.start(&[&["--yes", "--json"], &APIS[..]].concat())?;
    moment.has_come(&upstox, &desk).await?;
    stop.ask(&vega)?;
    let ended = tokio::time::timeout(Duration::from_mins(1), Ran::to_its_end(vega)).await;
    let ran = ended.context("it goes on")??;
    assert_eq!(ran.code, Some(moment.exit()), "{ran:?}");
    assert!(ran.stderr.contains("Run `vega` again to go on."), "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    nothing_is_left(&desk).await;
    upstox.no_scenarios().await?;

    assert_eq!(ran.json()?["run"]["state"], "incomplete", "{ran:?}");
    let report = ran.report()?;
    let (state, reason) = moment.leaves();
    let first = report.step(APIS[0])?;
    assert_eq!(
        (&first["state"], &first["reason"]),
        (&json!(state), &json!(reason)),
        "{report:?}"
    );
    assert_eq!(report.steps_in_state("pending"), APIS[1..], "{report:?}");
    let is_made = state == "done";
    if is_made {
        let token = desk.token(APIS[0]).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "it was brought home");
    }
    let counters = upstox.counters().await?;
    assert_eq!(counters["dialogs_opened"], 1, "{counters}");
    assert_eq!(counters["tokens_issued"], u64::from(is_made), "{counters}");
    all_is_on_record(&desk).await
}

/// A second Ctrl-C changes nothing: what came back is still brought home.
#[tokio::test]
async fn a_second_ctrl_c_is_answered_and_loses_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    ClockReading::Exchanging.is_prepared(&upstox).await?;
    let mut vega = desk.start_in_terminal_that_is_examined(&[&["--yes"], &APIS[..]].concat())?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("Get OTP pressed").await?;
    ClockReading::Exchanging.has_come(&upstox, &desk).await?;
    for answer in [
        "Stopping: the browser is closed",
        "Still stopping: a code that came back",
    ] {
        terminal.type_keys(CTRL_C).await?;
        terminal.wait_for(answer).await?;
    }
    terminal.type_keys(CTRL_C).await?;
    let shown = terminal.to_its_end().await?;
    assert_eq!(vega.wait().await?.code(), Some(11), "{shown}");
    is_as_it_was(&shown);
    nothing_is_left(&desk).await;
    let token = desk.token(APIS[0]).await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    assert_eq!(upstox.count("max_exchanges_of_one_code").await?, 1);
    all_is_on_record(&desk).await
}

/// No run has begun, so none is ended: Vega asks about a stored token, for `verify` or before it makes a plan.
#[rstest]
#[case::of_verify(&["verify"], Stop::Interrupt)]
#[case::of_verify_by_a_closed_terminal(&["verify"], Stop::HangUp)]
#[case::before_a_plan(&["--yes"], Stop::Terminate)]
#[tokio::test]
async fn a_verification_is_dropped(#[case] arguments: &[&str], #[case] stop: Stop) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__VERIFICATION__TIMEOUT", "50s");
    assert_eq!(desk.vega(&["--yes", APIS[0]]).await?.code, Some(0));
    let before = upstox.counters().await?;
    upstox
        .scenario(json!({ "scope": "all", "on": "profile", "kind": "delay", "params": { "ms": 40_000 } }))
        .await?;
    let vega = desk.start(arguments)?;
    let is_asked = async || {
        let now = upstox.count("profile_calls").await;
        now.is_ok_and(|now| before["profile_calls"] != now)
    };
    assert!(until(is_asked).await, "Upstox is never asked");
    stop.ask(&vega)?;
    let ended = tokio::time::timeout(Duration::from_secs(20), Ran::to_its_end(vega)).await;
    let ran = ended.context("it waits for the answer")??;
    assert_eq!((ran.code, &*ran.stdout), (Some(11), ""), "{ran:?}");
    assert_eq!(ran.stderr, STOPPED, "{ran:?}");
    for same in ["dialogs_opened", "otp_presses", "tokens_issued"] {
        assert_eq!(upstox.counters().await?[same], before[same], "{same}");
    }
    desk.token(APIS[0]).await?;
    all_is_on_record(&desk).await
}

/// At a question: the plan's, and the one after nobody was at the desk, which stands in the middle of a run.
#[rstest]
#[case::ctrl_c(Question::ForThePlan, None)]
#[case::a_polite_kill(Question::ForThePlan, Some(Stop::Terminate))]
#[case::ctrl_c_in_a_run(Question::OnceMore, None)]
#[case::a_polite_kill_in_a_run(Question::OnceMore, Some(Stop::Terminate))]
#[tokio::test]
async fn a_question_is_taken_back(#[case] asked: Question, #[case] kill: Option<Stop>) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "2s");
    desk.set("VEGA__SIGN_IN__COOLDOWN", "1s");
    upstox.human_at_the_desk(false).await?;
    let arguments = [asked.arguments(), &APIS].concat();
    let mut vega = desk.start_in_terminal_that_is_examined(&arguments)?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("Sign in for 2 APIs now?").await?;
    match kill {
        Some(kill) => desk.stop_vega(kill)?,
        None => terminal.type_keys(CTRL_C).await?,
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), terminal.to_its_end()).await;
    let shown = ended.context("it waits for an answer")??;
    assert_eq!(vega.wait().await?.code(), Some(asked.exit()), "{shown}");
    is_as_it_was(&shown);
    let (words, dialogs) = match asked {
        Question::ForThePlan => (STOPPED.trim_end(), 0),
        Question::OnceMore => ("Stopping: the browser is closed", 1),
    };
    assert!(shown.contains(words), "{shown}");
    assert!(!shown.contains("panicked"), "{shown}");
    assert_eq!(upstox.count("dialogs_opened").await?, dialogs);
    nothing_is_left(&desk).await;
    match asked {
        Question::ForThePlan => Ok(()),
        Question::OnceMore => all_is_on_record(&desk).await,
    }
}

/// Which question stands on the terminal.
#[derive(Debug, Clone, Copy)]
enum Question {
    ForThePlan,
    OnceMore,
}

impl Question {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::ForThePlan => &[],
            Self::OnceMore => &["--yes"],
        }
    }

    /// The OTP timeout is graver.
    fn exit(self) -> i32 {
        match self {
            Self::ForThePlan => 11,
            Self::OnceMore => 6,
        }
    }
}

/// An earlier Vega died with the answer sealed; this one asks Upstox about the token and is stopped.
#[tokio::test]
async fn a_token_that_a_dead_vega_received_is_brought_home_first() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    desk.crash_at(Some("after_answer_sealed"))?;
    assert_eq!(desk.vega(&["--yes", APIS[0]]).await?.code, None);
    desk.crash_at(None)?;
    stopped_while_it_recovers(&upstox, &desk, ClockReading::Verifying).await
}

/// An earlier Vega died in the moment in which the code came back; this one sends it and is stopped.
#[tokio::test]
async fn a_code_that_a_dead_vega_was_brought_is_made_into_its_token_first() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let mut desk = Desk::with_test_hooks(&upstox)?;
    let opener = Opener::at(&mut desk)?;
    let browser = OwnBrowser::at(&desk).await?;
    desk.crash_at(Some("after_code_delivered"))?;
    let mut vega = desk.start(&["--yes", "--route", "own-browser", "--open", APIS[0]])?;
    browser.go_to(&opener.address_after(0).await?).await?;
    assert_eq!(vega.wait().await?.code(), None);
    browser.end().await?;
    desk.crash_at(None)?;
    stopped_while_it_recovers(&upstox, &desk, ClockReading::Exchanging).await
}

async fn stopped_while_it_recovers(upstox: &Upstox, desk: &Desk, moment: ClockReading) -> Result<()> {
    moment.is_prepared(upstox).await?;
    let vega = desk.start(&["--yes"])?;
    moment.has_come(upstox, desk).await?;
    Stop::Terminate.ask(&vega)?;
    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(11), "{ran:?}");
    assert!(
        ran.stderr.contains("what an earlier Vega left is finished first"),
        "{ran:?}"
    );
    assert!(ran.stderr.ends_with(STOPPED), "{ran:?}");
    upstox.no_scenarios().await?;
    let token = desk.token(APIS[0]).await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    let counters = upstox.counters().await?;
    let once = ["dialogs_opened", "exchanges", "tokens_issued"].map(|name| counters[name].clone());
    assert_eq!(once, [1, 1, 1].map(|count| json!(count)), "{counters}");
    nothing_is_left(desk).await;
    all_is_on_record(desk).await
}

/// The database is whole, and nothing in it stands open.
async fn all_is_on_record(desk: &Desk) -> Result<()> {
    let chain = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(chain.code, Some(0), "{chain:?}");
    let told = desk.vega(&["audit", "--json"]).await?.json()?;
    let kinds: Vec<&Value> = told["entries"]
        .as_array()
        .context("entries")?
        .iter()
        .map(|entry| &entry["kind"])
        .collect();
    let count = |kinds_of_it: &[&str]| {
        kinds
            .iter()
            .filter(|kind| kinds_of_it.iter().any(|one| **kind == one))
            .count()
    };
    let opened = count(&["attempt_opened"]);
    assert_eq!(count(&["attempt_closed", "token_stored"]), opened, "{told}");
    assert_eq!(kinds.last(), Some(&&json!("run_ended")), "{told}");
    Ok(())
}

async fn nothing_is_left(desk: &Desk) {
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
}

/// The terminal shows what is typed, and takes it line by line.
fn is_as_it_was(shown: &str) {
    let settings: Vec<&str> = shown.split_whitespace().collect();
    for word in ["icanon", "echo", "isig"] {
        assert!(settings.contains(&word), "{word}: {shown}");
    }
    let cursor = |code: &str| shown.rfind(code);
    assert!(
        cursor("\u{1b}[?25h") >= cursor("\u{1b}[?25l"),
        "the cursor is gone: {shown}"
    );
}
