//! The operator signs in through a browser of their own: by callback, by paste, or not at all.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::process::Child;
use vega_tests::{Desk, Opener, OwnBrowser, Terminal, Upstox, link_in};

const ROUTE: &[&str] = &["--yes", "--route", "own-browser"];

/// `vega` in a terminal, waiting at its first link.
async fn waiting(desk: &Desk, more: &[&str]) -> Result<(Child, Terminal, String)> {
    let mut vega = desk.start_in_terminal(&[ROUTE, more].concat())?;
    let mut terminal = Terminal::of(&mut vega)?;
    let link = next_link(&mut terminal, more[0]).await?;
    Ok((vega, terminal, link))
}

async fn next_link(terminal: &mut Terminal, api: &str) -> Result<String> {
    terminal
        .wait_for(&format!("Sign in for {api} (account default)"))
        .await?;
    terminal.wait_for("address").await?;
    link_in(terminal.shown())
}

async fn operator() -> Result<Upstox> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    Ok(upstox)
}

#[tokio::test]
async fn a_browser_on_this_machine_brings_the_codes_back() -> Result<()> {
    let upstox = operator().await?;
    let desk = Desk::new(&upstox)?;
    let browser = OwnBrowser::at(&desk).await?;
    let (mut vega, mut terminal, link) = waiting(&desk, &["PRIMARY", "WEBSOCKET1"]).await?;

    // What does not belong to this sign-in is refused and explained, there and here.
    let foreign = format!("{}?code=mk404x&state=of-somebody-else", upstox.redirect_uri());
    browser.go_to(&foreign).await?;
    browser.until_it_says("nobody here sent its state").await?;
    terminal
        .wait_for("wrong or old state arrived and was refused")
        .await?;
    assert!(
        !terminal.shown().contains("left:   PRIMARY:"),
        "it stands behind the prompt: {}",
        terminal.shown()
    );

    browser.go_to(&link).await?;
    let first = browser.until_at(upstox.redirect_uri()).await?;
    browser
        .until_it_says("Vega has received the sign-in for PRIMARY")
        .await?;
    browser.until_it_says("You can close this window").await?;

    let link = next_link(&mut terminal, "WEBSOCKET1").await?;
    browser.reload().await?;
    browser.until_it_says("Nothing was done a second time").await?;
    browser.go_to(&link).await?;
    browser
        .until_it_says("Vega has received the sign-in for WEBSOCKET1")
        .await?;
    terminal
        .wait_for("WEBSOCKET1     token stored and verified")
        .await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());

    let code = first
        .split("code=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    assert!(
        !terminal.shown().contains(code.context("a code")?),
        "{}",
        terminal.shown()
    );
    let counters = upstox.counters().await?;
    let once = ["otp_presses", "exchanges", "tokens_issued"].map(|name| counters[name].clone());
    assert_eq!(once, [1, 2, 2].map(|count| json!(count)), "{counters}");
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(status["accounts"][0]["otp_presses_left"], 3, "{status}");
    for api in ["PRIMARY", "WEBSOCKET1"] {
        let token = desk.token(api).await?;
        assert_eq!(upstox.profile_status(&token).await?, 200, "{api}");
    }
    browser.end().await
}

#[tokio::test]
async fn where_nobody_can_listen_the_address_is_pasted() -> Result<()> {
    let upstox = operator().await?;
    let desk = Desk::new(&upstox)?;
    let port = upstox.redirect_uri().split([':', '/']).nth(4).context("a port")?;
    let other_program = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    // It hangs up on everybody, as a program with another protocol does.
    tokio::spawn(async move { while other_program.accept().await.is_ok() {} });
    let browser = OwnBrowser::at(&desk).await?;
    let (mut vega, mut terminal, link) = waiting(&desk, &["PRIMARY"]).await?;
    assert!(
        terminal.shown().contains("another program listens at port"),
        "{}",
        terminal.shown()
    );
    browser.go_to(&link).await?;
    let address = browser.until_at(upstox.redirect_uri()).await?;

    terminal.type_keys("482913\n").await?;
    terminal
        .wait_for("not the address at which the sign-in ends")
        .await?;
    terminal.wait_for("paste the address").await?;
    let foreign = format!("{}?code=mk404x&state=of-somebody-else", upstox.redirect_uri());
    terminal.type_keys(&format!("{foreign}\n")).await?;
    terminal
        .wait_for("wrong or old state arrived and was refused")
        .await?;
    terminal.wait_for("paste the address").await?;
    terminal.type_keys(&format!("{address}\n")).await?;
    terminal.wait_for("token stored and verified").await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    let (_, query) = address.split_once('?').context("a query")?;
    let shown = terminal.shown();
    assert!(!shown.contains(query) && !shown.contains("482913"), "{shown}");
    assert_eq!(upstox.count("exchanges").await?, 1);
    browser.end().await
}

#[tokio::test]
async fn nobody_uses_the_link() -> Result<()> {
    let upstox = operator().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "3s");
    let chosen = ["PRIMARY", "WEBSOCKET1", "--no-wait"];
    let (mut vega, mut terminal, _) = waiting(&desk, &chosen).await?;
    terminal.wait_for("the sign-in did not finish in time").await?;
    assert_eq!(vega.wait().await?.code(), Some(6), "{}", terminal.shown());
    assert!(
        !terminal.shown().contains("Sign in for WEBSOCKET1"),
        "{}",
        terminal.shown()
    );
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    let status = desk.status().await?;
    assert_eq!(
        status.api("PRIMARY")?["last_failure"]["reason"],
        "redirect_timeout"
    );
    Ok(())
}

#[tokio::test]
async fn ctrl_c_while_the_code_is_waited_for() -> Result<()> {
    let upstox = operator().await?;
    let mut desk = Desk::new(&upstox)?;
    let mut vega = desk.start_in_terminal_that_is_examined(&[ROUTE, &["PRIMARY"]].concat())?;
    let mut terminal = Terminal::of(&mut vega)?;
    terminal.wait_for("PRIMARY: waiting for the browser").await?;
    terminal.wait_for(" left: ").await?;
    terminal.type_keys("\x03").await?;
    terminal.wait_for("Stopping: the browser is closed").await?;
    terminal.wait_for(" icanon").await?;
    assert_eq!(vega.wait().await?.code(), Some(11), "{}", terminal.shown());
    let shown = terminal.shown();
    assert!(
        !shown.contains("left: Stopping"),
        "it stands behind the prompt: {shown}"
    );
    let (_, settings) = shown.split_once("Stopping").context("a stop")?;
    let echo = settings.split_whitespace().find(|word| word.ends_with("echo"));
    assert_eq!(echo, Some("echo"), "{shown}");

    let port = upstox.redirect_uri().split([':', '/']).nth(4).context("a port")?;
    tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let status = desk.status().await?;
    assert_eq!(status.api("PRIMARY")?["last_failure"]["reason"], "cancelled");
    desk.set("RUST_LOG", "info");
    let next = desk.vega(&["verify", "PRIMARY"]).await?;
    assert!(!next.stderr.contains("left open"), "{next:?}");
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    Ok(())
}

/// Nobody could paste the code, so nothing begins and nothing is spent.
#[tokio::test]
async fn where_nobody_can_listen_or_paste_nothing_begins() -> Result<()> {
    let upstox = operator().await?;
    let mut desk = Desk::new(&upstox)?;
    let port = upstox.redirect_uri().split([':', '/']).nth(4).context("a port")?;
    let _other_program = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let opener = Opener::at(&mut desk)?;
    let refused = desk.vega(&[ROUTE, &["--open", "PRIMARY"]].concat()).await?;
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(
        refused.stderr.contains("another program listens at port")
            && refused
                .stderr
                .contains("no terminal at which the code could be pasted"),
        "{refused:?}"
    );
    assert_eq!(opener.addresses(), [""; 0], "no link was opened");
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(status["accounts"][0]["otp_presses_left"], 4, "{status}");
    Ok(())
}

/// The human has signed in and Vega dies in the moment in which the code arrives: the next start brings the token home.
#[tokio::test]
async fn a_code_that_arrived_is_not_lost_with_the_process() -> Result<()> {
    let upstox = operator().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    let browser = OwnBrowser::at(&desk).await?;
    desk.crash_at(Some("after_code_delivered"))?;
    let (mut vega, _terminal, link) = waiting(&desk, &["PRIMARY"]).await?;
    browser.go_to(&link).await?;
    browser.until_at(upstox.redirect_uri()).await?;
    assert_ne!(vega.wait().await?.code(), Some(0));
    desk.crash_at(None)?;
    assert_eq!(upstox.count("exchanges").await?, 0);

    let next = desk.vega(&["verify", "PRIMARY", "--json"]).await?;
    assert_eq!(next.report()?.api("PRIMARY")?["status"], "valid", "{next:?}");
    let counters = upstox.counters().await?;
    let once = ["dialogs_opened", "exchanges", "tokens_issued"].map(|name| counters[name].clone());
    assert_eq!(once, [1, 1, 1].map(|count| json!(count)), "{counters}");
    browser.end().await
}

#[tokio::test]
async fn without_a_terminal_the_link_is_opened_or_nothing_begins() -> Result<()> {
    let upstox = operator().await?;
    let mut desk = Desk::new(&upstox)?;
    let nothing = desk.vega(&[ROUTE, &["PRIMARY"]].concat()).await?;
    assert_eq!(nothing.code, Some(3), "{nothing:?}");
    assert!(nothing.stderr.contains("add --open"), "{nothing:?}");

    let browser = OwnBrowser::at(&desk).await?;
    let opener = Opener::at(&mut desk)?;
    let vega = desk.start(&[ROUTE, &["--open", "PRIMARY"]].concat())?;
    let address = opener.address_after(0).await?;
    assert!(
        !address.contains("state"),
        "it stands on a command line: {address}"
    );
    browser.go_to(&address).await?;
    browser
        .until_it_says("Vega has received the sign-in for PRIMARY")
        .await?;
    let ran = vega_tests::Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let states = upstox.secrets().await?["states"].clone();
    assert_eq!(states.as_array().map(Vec::len), Some(1));
    let state = states[0].as_str().context("a state")?;
    assert!(!ran.stderr.contains(state), "the link is for no log: {ran:?}");
    assert_eq!(upstox.counters().await?["tokens_issued"], json!(1));
    browser.end().await
}
