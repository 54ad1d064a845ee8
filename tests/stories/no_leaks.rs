//! Everything is logged, and still no secret leaves its place, whether the sign-ins work or fail.

use std::time::Duration;

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::json;
use vega_tests::{Desk, Leaks, Ran, Upstox};

#[tokio::test]
async fn at_the_loudest_log_level_no_secret_is_anywhere() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("RUST_LOG", "trace");
    upstox
        .scenario(json!({ "scope": "all", "on": "exchange", "kind": "with_extended_token" }))
        .await?;

    let vega = desk.start(&["--yes", "--json"])?;
    let mut command_lines = String::new();
    let watching = async {
        loop {
            command_lines.push_str(&desk.command_lines());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let ran = tokio::select! {
        ran = Ran::to_its_end(vega) => ran?,
        never = watching => never,
    };
    assert_eq!(ran.code, Some(0), "{:?}", ran.stdout);
    assert_eq!(upstox.count("tokens_issued").await?, 6);

    let leaks = all_secrets(&upstox, 6, 6).await?;
    // Six client secrets, a PIN, an OTP, six states, six codes, twelve tokens of two parts.
    assert_eq!(leaks.sought(), 44);
    for (place, bytes, proof) in [
        ("stdout", ran.stdout.as_bytes(), "OPTIONCHAIN2"),
        ("stderr", without_times(&ran.stderr).as_bytes(), "TRACE"),
        ("the desk's files", &desk.bytes_on_disk()?, "OPTIONCHAIN2"),
        ("a command line", command_lines.as_bytes(), "--incognito"),
    ] {
        assert!(
            String::from_utf8_lossy(bytes).contains(proof),
            "{place}: the look must see what is there"
        );
        assert_eq!(leaks.found_in(bytes), [""; 0], "in {place}");
    }
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
    for (name, right) in [("a mistyped OTP", &otp), ("a mistyped PIN", &account.pin)] {
        leaks.look_for(name, &other_than(right));
    }
    // Six client secrets, a PIN, an OTP, a state, and what was mistyped.
    assert_eq!(leaks.sought(), 11);
    for (place, bytes, proof) in [
        ("stdout", ran.stdout.as_bytes(), "OPTIONCHAIN2"),
        ("stderr", without_times(&ran.stderr).as_bytes(), "TRACE"),
        ("the desk's files", &desk.bytes_on_disk()?, id),
    ] {
        assert!(
            String::from_utf8_lossy(bytes).contains(proof),
            "{place}: the look must see what is there"
        );
        assert_eq!(leaks.found_in(bytes), [""; 0], "in {place}");
    }

    let (path, record) = ran.report()?.evidence("PRIMARY")?;
    assert!(record["screenshot"].is_null(), "{record}");
    leaks.look_for("the mobile number", &account.mobile);
    let typed = std::fs::read(&path)?;
    assert_eq!(leaks.found_in(&typed), [""; 0], "in {record}");
    std::fs::write(path, format!("{record} {otp}"))?;
    assert_eq!(leaks.found_in(&desk.bytes_on_disk()?)[0], "otps", "planted there");
    Ok(())
}

async fn all_secrets(upstox: &Upstox, sign_ins: usize, tokens: usize) -> Result<Leaks> {
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

/// The log without the times of its lines: their microseconds have six digits, as an OTP has.
fn without_times(log: &str) -> String {
    let line = |line: &str| match line.split_once("Z ") {
        Some((time, rest)) if time.starts_with("20") && !time.contains(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    log.lines().map(line).collect()
}
