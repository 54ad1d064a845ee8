//! Two operators, or one in two terminals: only one `vega` signs in at a time.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::{Value, json};
use vega_tests::{Desk, Opener, Ran, Terminal, Upstox, end_politely, until};

/// The first round at a desk makes its key and its database as well; the later ones find the names of earlier holders.
const DESKS: usize = 5;
const ROUNDS_AT_A_DESK: usize = 10;

#[tokio::test]
async fn a_second_vega_names_the_first_and_presses_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let first = desk.start(&["--yes"])?;
    let first_id = first.id().context("a living vega")?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");

    // One that signs in as well would wait for the human who is away.
    let second = tokio::time::timeout(Duration::from_mins(1), desk.vega(&["--yes"]))
        .await
        .context("the second vega does not end")??;
    assert_eq!(second.code, Some(11), "{second:?}");
    let named = format!("process {first_id} ");
    assert!(second.stderr.contains(&named), "{named:?} is not in {second:?}");
    let counters = upstox.counters().await?;
    assert_eq!(
        (&counters["otp_presses"], &counters["dialogs_opened"]),
        (&1.into(), &1.into()),
        "{counters}"
    );

    // The first was not disturbed: it still waits for the OTP, and ends only when it is asked to.
    end_politely(&first)?;
    let ended = first.wait_with_output().await?;
    let said = String::from_utf8(ended.stderr)?;
    assert_eq!(ended.status.code(), Some(11), "{said}");
    assert!(said.contains("Run `vega` again"), "{said}");
    assert!(
        until(async || desk.processes().is_empty()).await,
        "left: {:?}",
        desk.processes()
    );
    Ok(())
}

/// The second began while the first had its question open: the yes comes too late, and a program hears of it as well.
#[tokio::test]
async fn a_yes_that_comes_after_another_began_is_reported_too() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let mut late = desk.start_in_terminal(&["--json"])?;
    let mut terminal = Terminal::of(&mut late)?;
    terminal.wait_for("Sign in for 6 APIs now?").await?;

    let first = desk.start(&["--yes"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    terminal.type_keys("y").await?;
    let told = terminal.to_its_end().await?;
    assert_eq!(late.wait().await?.code(), Some(11), "{told}");
    assert!(told.contains(r#""code": "held_elsewhere""#), "{told}");
    assert!(told.contains(r#""apis": ["#), "{told}");
    let counters = upstox.counters().await?;
    let signing_in = ["otp_presses", "dialogs_opened"].map(|name| counters[name].clone());
    assert_eq!(signing_in, [json!(1), json!(1)], "{counters}");

    end_politely(&first)?;
    Ran::to_its_end(first).await?;
    Ok(())
}

/// Both start in the same moment, fifty times. The winner waits for a human who never comes, so that the other meets it.
#[tokio::test]
async fn never_1_two_sign_ins_at_once() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    for _ in 0..DESKS {
        let mut desk = Desk::new(&upstox)?;
        // Each round counts for a press; this story is not about the budget.
        desk.set("VEGA__SIGN_IN__OTP_BUDGET", "99");
        let opener = Opener::at(&mut desk)?;
        for round in 0..ROUNDS_AT_A_DESK {
            let at = format!("round {round} at {}", desk.path().display());
            one_round(&upstox, &desk, &opener).await.context(at)?;
        }
        never_two_at_once(&desk).await?;
    }
    Ok(())
}

async fn one_round(upstox: &Upstox, desk: &Desk, opener: &Opener) -> Result<()> {
    const VEGA: &[&str] = &["--yes", "--route", "own-browser", "--open", "PRIMARY"];
    upstox.count_anew().await?;
    let opened_before = opener.addresses().len();
    let began = upstox.machine_time().await?;
    let (mut one, mut two) = (desk.start(VEGA)?, desk.start(VEGA)?);
    let first_to_end = async {
        tokio::select! {
            _ = one.wait() => true,
            _ = two.wait() => false,
        }
    };
    let one_ended = tokio::time::timeout(Duration::from_mins(1), first_to_end).await;
    let ended = upstox.machine_time().await?;
    let (loser, winner) = if one_ended.context("both go on")? {
        (one, two)
    } else {
        (two, one)
    };

    let loser = Ran::to_its_end(loser).await?;
    opener.address_after(opened_before).await?;
    for address in &opener.addresses()[opened_before..] {
        // The file of one that has ended is gone.
        if let Some(link) = Opener::leads_to(address) {
            upstox.visit(&link).await?;
        }
    }
    let counters = upstox.counters().await?;
    let signing_in = ["dialogs_opened", "max_parallel_sign_ins"].map(|name| counters[name].clone());
    assert_eq!(signing_in, [json!(1), json!(1)], "{counters}");
    let held_by = names_of(winner.id().context("a living winner")?, (began, ended))?;
    assert_eq!(loser.code, Some(11), "{loser:?}");
    assert!(
        held_by.iter().any(|name| loser.stderr.contains(name)),
        "{held_by:?} is not in {loser:?}"
    );

    end_politely(&winner)?;
    let winner = Ran::to_its_end(winner).await?;
    assert_eq!(winner.code, Some(11), "{winner:?}");
    assert!(winner.stderr.contains("Run `vega` again"), "{winner:?}");
    Ok(())
}

/// How the holder may be named: it took the lease in one of these seconds.
fn names_of(process: u32, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Result<Vec<String>> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let india = FixedOffset::east_opt(19_800).context("half past five")?;
    let seconds = (to.timestamp() - from.timestamp()) + 1;
    let name = |second| {
        let since = (from + TimeDelta::seconds(second)).with_timezone(&india);
        format!(
            "another Vega signs in now: process {process} on {}, since {} IST",
            host.trim(),
            since.format("%H:%M:%S")
        )
    };
    Ok((0..=seconds).map(name).collect())
}

/// The database is the witness: each run has ended before the next began, and each has one sign-in.
async fn never_two_at_once(desk: &Desk) -> Result<()> {
    let told = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = told["entries"].as_array().context("entries")?;
    let of_runs = |entry: &Value| match entry["kind"].as_str() {
        // The first round's run is taken up by the later ones.
        Some("run_started" | "run_taken_up") => Some("begun"),
        Some("attempt_opened") => Some("signs in"),
        Some("attempt_closed") => Some("signs in no more"),
        Some("run_ended") => Some("ended"),
        _ => None,
    };
    let in_order: Vec<&str> = entries.iter().filter_map(of_runs).collect();
    let one_round = ["begun", "signs in", "signs in no more", "ended"];
    assert_eq!(in_order, one_round.repeat(ROUNDS_AT_A_DESK), "{told}");
    Ok(())
}
