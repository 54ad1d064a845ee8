//! The login page has changed, so the operator copies the day's token from Upstox's page for developers, and gives it to Vega: programs
//! get it like any other. What does not belong is refused with its cause, and nothing is stored.

use anyhow::{Result, ensure};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Engine, Server, Terminal, Upstox, end_at_once, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";

#[rstest]
#[tokio::test]
async fn a_copied_token_is_like_any_other(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?.over(engine);
    let server = Server::start(&desk).await?;
    let program = key(&desk, "trader", "token:PRIMARY", &[]).await?;
    let copied = upstox.generated_token(API).await?;
    let adopted = desk
        .vega_with_input(&["adopt", API], &format!("{copied}\n"))
        .await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    ensure!(
        adopted.stderr.contains("PRIMARY generation 1, until"),
        "{adopted:?}"
    );
    ensure!(
        !adopted.stderr.contains(&copied) && adopted.stdout.is_empty(),
        "{adopted:?}"
    );

    assert_eq!(desk.token(API).await?, copied);
    let path = format!("/api/v1/apis/{API}/token");
    let has_it = until(async || {
        let answer = server.get(&path, &program).await;
        answer
            .and_then(|answer| answer.json())
            .is_ok_and(|answer| answer["access_token"] == json!(copied))
    });
    assert!(has_it.await, "{}", server.log());
    let answer = server.get(&path, &program).await?.json()?;
    assert_eq!(answer["kind"], "trade");
    assert_eq!(desk.vega(&["verify", API]).await?.code, Some(0));
    let told = desk.vega(&["audit", "--api", API]).await?;
    ensure!(
        told.stdout.contains("generation 1, adopted from the operator"),
        "{told:?}"
    );

    let again = desk.vega_with_input(&["adopt", API], &copied).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    ensure!(again.stderr.contains("has it already"), "{again:?}");

    // Another one was made there: this one is dead, and the next is taken.
    let next = upstox.generated_token(API).await?;
    assert_eq!(desk.vega(&["verify", API]).await?.code, Some(3));
    let adopted = desk.vega_with_input(&["adopt", API], &next).await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert_eq!(desk.token(API).await?, next);

    assert_eq!(desk.vega(&["revoke", API, "--yes"]).await?.code, Some(0));
    let back = desk.vega_with_input(&["adopt", API], &next).await?;
    assert_eq!(back.code, Some(3), "{back:?}");
    ensure!(back.stderr.contains("you revoked"), "{back:?}");
    let intact = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(intact.code, Some(0), "{intact:?}");
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_does_not_belong_is_refused_with_its_cause() -> Result<()> {
    let upstox = Upstox::start_with_two_accounts().await?;
    let desk = Desk::new(&upstox)?;
    let analytics = upstox.analytics_token("default").await?;
    let strangers = upstox.seed().accounts[1].apps[0].name.clone();
    let strangers = upstox.generated_token(&strangers).await?;
    let dead = upstox.generated_token(API).await?;
    let _newer = upstox.generated_token(API).await?;
    // Whose the account is, its first token says.
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let stored = desk.token(API).await?;
    for (given, code, words) in [
        ("", 2, "must not be empty"),
        ("eyJ0", 2, "is not the whole of it"),
        ("two words of a mail that was pasted", 2, "holds a blank"),
        (&*analytics, 2, "it only reads"),
        (&*strangers, 2, "and account default to"),
        (&*dead, 3, "calls this token dead"),
    ] {
        let refused = desk.vega_with_input(&["adopt", API], given).await?;
        assert_eq!(refused.code, Some(code), "{words}: {refused:?}");
        ensure!(refused.stderr.contains(words), "{words}: {refused:?}");
        ensure!(given.len() < 20 || !refused.stderr.contains(given), "{refused:?}");
    }
    assert_eq!(desk.token(API).await?, stored);
    let nobody = desk.vega(&["adopt", "NONE"]).await?;
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    let neither = desk.vega(&["adopt"]).await?;
    assert_eq!(neither.code, Some(2), "{neither:?}");
    Ok(())
}

#[tokio::test]
async fn at_a_terminal_it_is_asked_for_and_not_shown() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let copied = upstox.generated_token(API).await?;
    let mut vega = desk.start_in_terminal(&["adopt", API])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("The day's token of PRIMARY").await?;
    terminal.type_keys("eyJ0\n").await?;
    terminal.wait_for("is not the whole of it").await?;
    terminal.type_keys(&format!("{copied}\n")).await?;
    let shown = terminal.to_its_end().await?;
    ensure!(
        shown.contains("programs get it now") && !shown.contains(&copied),
        "{shown}"
    );
    assert_eq!(vega.wait().await?.code(), Some(0));
    assert_eq!(desk.token(API).await?, copied);
    Ok(())
}

/// The operator looks for the token while somebody begins to sign in for it: that one goes first, and what was copied can be given again.
#[tokio::test]
async fn a_run_that_begins_while_the_token_is_copied_goes_first() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let copied = upstox.generated_token(API).await?;
    let mut vega = desk.start_in_terminal(&["adopt", API])?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("The day's token of PRIMARY").await?;
    let mut run = desk.start(&["--yes", API])?;
    ensure!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    terminal.type_keys(&format!("{copied}\n")).await?;
    let shown = terminal.to_its_end().await?;
    ensure!(
        shown.contains("signs in for PRIMARY. Wait for its end, or end it with `vega cancel`"),
        "{shown}"
    );
    assert_eq!(vega.wait().await?.code(), Some(11));

    // One that the run does not make is nothing to it.
    let other = upstox.generated_token("WEBSOCKET1").await?;
    let adopted = desk.vega_with_input(&["adopt", "WEBSOCKET1"], &other).await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");

    end_at_once(&run)?;
    run.wait().await?;
    let cleared_up = desk.vega(&["verify"]).await?;
    assert_eq!(cleared_up.code, Some(3), "{cleared_up:?}");
    let adopted = desk.vega_with_input(&["adopt", API], &copied).await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert_eq!(desk.token(API).await?, copied);
    Ok(())
}
