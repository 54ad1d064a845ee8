//! Everything is logged, and still no secret leaves its place, whether the sign-ins work or fail.

use std::time::Duration;

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Leaks, Opener, OwnBrowser, Ran, Terminal, Upstox};

/// One sign-in through a browser of the operator's own.
const ROUTE: &[&str] = &["--yes", "--route", "own-browser", "PRIMARY"];

#[tokio::test]
async fn never_8_a_secret_anywhere_at_the_loudest_log_level() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("RUST_LOG", "trace");
    upstox
        .scenario(json!({ "scope": "all", "on": "exchange", "kind": "with_extended_token" }))
        .await?;

    let (ran, command_lines) = watched(&desk, desk.vega(&["--yes", "--json"])).await?;
    assert_eq!(ran.code, Some(0), "{:?}", ran.stdout);
    assert_eq!(upstox.count("tokens_issued").await?, 6);

    let leaks = all_secrets(&upstox, 6, 6).await?;
    // Six client secrets, a PIN, an OTP, six states, six codes, twelve tokens of two parts.
    assert_eq!(leaks.sought(), 44);
    nothing_in(
        &leaks,
        &[
            ("stdout", ran.stdout.as_bytes(), "OPTIONCHAIN2"),
            ("stderr", ran.stderr.as_bytes(), "TRACE"),
            ("the desk's files", &desk.bytes_on_disk()?, "OPTIONCHAIN2"),
            ("a command line", command_lines.as_bytes(), "--incognito"),
        ],
    );
    Ok(())
}

/// Here Vega itself holds the OTP and the PIN.
#[tokio::test]
async fn what_is_typed_at_the_prompt_goes_into_the_page_and_nowhere_else() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    loud_in_a_terminal(&upstox, &mut desk).await?;
    upstox.human_at_the_desk(false).await?;
    let pin = &upstox.seed().accounts[0].pin;

    let signing_in = async {
        let mut vega = desk.start_in_terminal(&["PRIMARY", "--yes"])?;
        let mut terminal = Terminal::of(&mut vega)?;
        terminal.wait_for("OTP for account default (PRIMARY)").await?;
        let otp = upstox.phone().await?.context("an OTP on the phone")?;
        terminal.type_keys(&format!("{otp}\n")).await?;
        terminal.wait_for("PIN for account default (PRIMARY)").await?;
        terminal.type_keys(&format!("{pin}\n")).await?;
        let shown = terminal.to_its_end().await?;
        assert_eq!(vega.wait().await?.code(), Some(0), "{shown}");
        Ok(shown)
    };
    let (shown, command_lines) = watched(&desk, signing_in).await?;

    let leaks = all_secrets(&upstox, 1, 1).await?;
    // Six client secrets, a PIN, an OTP, a state, a code, two tokens of two parts.
    assert_eq!(leaks.sought(), 14);
    nothing_in(
        &leaks,
        &[
            ("the terminal", shown.as_bytes(), "TRACE"),
            ("the desk's files", &desk.bytes_on_disk()?, "PRIMARY"),
            ("a command line", command_lines.as_bytes(), "--incognito"),
        ],
    );
    Ok(())
}

#[tokio::test]
async fn a_link_that_vega_opens_and_the_callback_leave_no_secret() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let mut desk = Desk::new(&upstox)?;
    loud_in_a_terminal(&upstox, &mut desk).await?;
    let opener = Opener::at(&mut desk)?;
    let browser = OwnBrowser::at(&desk).await?;

    let signing_in = async {
        let vega = desk.start(&[ROUTE, &["--open", "--json"]].concat())?;
        let link_used = async {
            let address = opener.address_after(0).await?;
            browser.go_to(&address).await?;
            browser.until_it_says("Vega has received").await?;
            Ok(address)
        };
        tokio::try_join!(Ran::to_its_end(vega), link_used)
    };
    let ((ran, address), command_lines) = watched(&desk, signing_in).await?;
    browser.end().await?;
    assert_eq!(ran.code, Some(0), "{:?}", ran.stdout);

    let leaks = all_secrets(&upstox, 1, 1).await?;
    assert_eq!(leaks.sought(), 14);
    nothing_in(
        &leaks,
        &[
            ("stdout", ran.stdout.as_bytes(), "PRIMARY"),
            ("stderr", ran.stderr.as_bytes(), "TRACE"),
            ("what was opened", address.as_bytes(), "vega-sign-in-"),
            ("the desk's files", &desk.bytes_on_disk()?, "PRIMARY"),
            ("a command line", command_lines.as_bytes(), "--open"),
        ],
    );
    Ok(())
}

/// The link is for the operator's eyes, and its `state` with it: on the terminal, once.
#[tokio::test]
async fn a_pasted_address_leaves_no_secret_but_the_link_on_the_terminal() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let mut desk = Desk::new(&upstox)?;
    loud_in_a_terminal(&upstox, &mut desk).await?;
    let port = upstox.redirect_uri().split([':', '/']).nth(4).context("a port")?;
    let other_program = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    tokio::spawn(async move { while other_program.accept().await.is_ok() {} });
    let browser = OwnBrowser::at(&desk).await?;

    let signing_in = async {
        let mut vega = desk.start_in_terminal(ROUTE)?;
        let mut terminal = Terminal::of(&mut vega)?;
        terminal.wait_for("paste the address").await?;
        let link = authorize_link_in(terminal.shown(), &upstox)?;
        browser.go_to(&link).await?;
        let address = browser.until_at(upstox.redirect_uri()).await?;
        terminal.type_keys(&format!("{address}\n")).await?;
        let shown = terminal.to_its_end().await?;
        assert_eq!(vega.wait().await?.code(), Some(0), "{shown}");
        Ok((shown, link))
    };
    let ((shown, link), command_lines) = watched(&desk, signing_in).await?;
    browser.end().await?;

    let leaks = all_secrets(&upstox, 1, 1).await?;
    assert_eq!(leaks.sought(), 14);
    assert_eq!(leaks.found_in(link.as_bytes()), ["states"]);
    let screen = shown.replacen(&link, "", 1);
    nothing_in(
        &leaks,
        &[
            ("the terminal", screen.as_bytes(), "TRACE"),
            ("the desk's files", &desk.bytes_on_disk()?, "PRIMARY"),
            ("a command line", command_lines.as_bytes(), "own-browser"),
        ],
    );
    Ok(())
}

#[rstest]
#[case::otp("wrong_otp", "otpNum", &[])]
#[case::pin("wrong_pin", "pinCode", &[])]
#[case::otp_that_the_page_repeats("wrong_otp", "otpNum", &["repeat_entry"])]
#[case::pin_that_the_page_repeats("wrong_pin", "pinCode", &["repeat_entry"])]
#[tokio::test]
async fn a_sign_in_that_fails_leaves_no_secret_either(
    #[case] what: &str,
    #[case] id: &str,
    #[case] pages: &[&str],
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("RUST_LOG", "trace");
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "12s");
    upstox.human_mistypes(what).await?;
    for kind in pages {
        upstox.pages(kind, json!({})).await?;
    }
    let ran = desk.vega(&["--yes", "--json"]).await?;
    assert_eq!(ran.code, Some(7), "{:?}", ran.stdout);
    assert!(ran.stdout.contains("4 attempts left"), "{:?}", ran.stdout);
    assert_eq!(
        ran.stdout.contains("You entered [number]"),
        !pages.is_empty(),
        "{:?}",
        ran.stdout
    );

    let mut leaks = all_secrets(&upstox, 1, 0).await?;
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    let account = &upstox.seed().accounts[0];
    // Only what was: other digits come up by chance.
    let right = if what == "wrong_otp" { &otp } else { &account.pin };
    leaks.look_for("what was mistyped", &other_than(right));
    // Six client secrets, a PIN, an OTP, a state, and what was mistyped.
    assert_eq!(leaks.sought(), 10);
    nothing_in(
        &leaks,
        &[
            ("stdout", ran.stdout.as_bytes(), "OPTIONCHAIN2"),
            ("stderr", ran.stderr.as_bytes(), "TRACE"),
            ("the desk's files", &desk.bytes_on_disk()?, id),
        ],
    );

    let (path, record) = ran.report()?.evidence("PRIMARY")?;
    assert!(record["screenshot"].is_null(), "{record}");
    leaks.look_for("the mobile number", &account.mobile);
    let typed = std::fs::read(&path)?;
    assert_eq!(leaks.found_in(&typed), [""; 0], "in {record}");
    std::fs::write(path, format!("{record} {otp}"))?;
    assert_eq!(leaks.found_in(&desk.bytes_on_disk()?)[0], "otps", "planted there");
    Ok(())
}

/// Everything is logged, in plain characters also to a terminal, and every kind of token arises.
async fn loud_in_a_terminal(upstox: &Upstox, desk: &mut Desk) -> Result<()> {
    desk.set("RUST_LOG", "trace");
    desk.set("NO_COLOR", "1");
    upstox
        .scenario(json!({ "scope": "all", "on": "exchange", "kind": "with_extended_token" }))
        .await
}

/// Does the work, and looks meanwhile how everything at the desk was started.
async fn watched<T>(desk: &Desk, work: impl Future<Output = Result<T>>) -> Result<(T, String)> {
    let mut command_lines = String::new();
    let watching = async {
        loop {
            command_lines.push_str(&desk.command_lines());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::select! {
        done = work => done?,
        never = watching => never,
    };
    Ok((done, command_lines))
}

/// Looks into places, each with its name and with words that must be there.
pub(crate) fn nothing_in(leaks: &Leaks, places: &[(&str, &[u8], &str)]) {
    for (place, bytes, proof) in places {
        assert!(
            String::from_utf8_lossy(bytes).contains(proof),
            "{place}: the look must see what is there"
        );
        assert_eq!(leaks.found_in(bytes), [""; 0], "in {place}");
    }
}

/// The link as a terminal shows it among loud logs.
fn authorize_link_in(shown: &str, upstox: &Upstox) -> Result<String> {
    let dialog = format!("{}/v2/login/authorization/dialog?", upstox.base_url());
    let begins = shown.find(&dialog).context("no link is shown")?;
    let link = shown[begins..].split(char::is_whitespace).next();
    Ok(link.context("a link")?.to_owned())
}

pub(crate) async fn all_secrets(upstox: &Upstox, sign_ins: usize, tokens: usize) -> Result<Leaks> {
    let mut leaks = Leaks::default();
    let account = &upstox.seed().accounts[0];
    leaks.look_for("the PIN", &account.pin);
    for app in &account.apps {
        leaks.look_for(&format!("the client secret of {}", app.name), &app.client_secret);
    }
    let secrets = upstox.secrets().await?;
    let of = |kind: &str, expected: usize| -> Result<Vec<String>> {
        let all: Vec<String> = serde_json::from_value(secrets[kind].clone()).context("a list")?;
        assert_eq!(all.len(), expected, "{kind}");
        Ok(all)
    };
    for (kind, expected) in [("otps", 1), ("states", sign_ins), ("codes", tokens)] {
        for secret in of(kind, expected)? {
            leaks.look_for(kind, &secret);
        }
    }
    for kind in ["access_tokens", "extended_tokens"] {
        for token in of(kind, tokens)? {
            leaks.look_for_token(kind, &token);
        }
    }
    Ok(leaks)
}

/// What the simulated human types by mistake: six digits with the last one changed.
fn other_than(right: &str) -> String {
    let (head, last) = right.split_at(right.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}
