//! A sign-in failed, and somebody wants to see afterwards what the page was like.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vega_tests::{Desk, Leaks, Ran, Upstox, Window};

#[tokio::test]
async fn of_a_page_without_a_secret_there_is_a_picture_and_status_points_to_it() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox
        .pages("cloudflare_html", json!({ "at": "after_pin" }))
        .await?;
    let ran = desk.vega(&["--yes", "--json", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");

    let (path, record) = desk.status().await?.evidence("PRIMARY")?;
    assert_eq!(path.parent(), Some(&*desk.evidence()));
    let told = ["api", "account", "reason", "screen"].map(|field| &record[field]);
    assert_eq!(told, ["PRIMARY", "default", "blocked", "unknown"], "{record}");
    let screens = record["screens"].as_array().context("screens")?;
    let names: Vec<&Value> = screens.iter().map(|seen| &seen["screen"]).collect();
    // The human may be faster than the looks.
    assert_eq!(names[..2], ["unknown", "mobile"], "{record}");
    assert_eq!(names.last(), Some(&&json!("unknown")), "{record}");
    assert!(
        screens.is_sorted_by_key(|seen| seen["after_ms"].as_u64()),
        "{record}"
    );
    let address = record["address"].as_str().context("an address")?;
    assert!(
        address.starts_with("http://127.0.0.1/") && !address.contains('?'),
        "{address}"
    );
    let picture = desk
        .evidence()
        .join(record["screenshot"].as_str().context("a picture")?);
    assert!(std::fs::read(&picture)?.starts_with(b"\x89PNG"), "{record}");
    assert_eq!(
        [&path, &picture, &desk.evidence()]
            .map(|kept| mode(kept))
            .into_iter()
            .collect::<Result<Vec<_>>>()?,
        [0o600, 0o600, 0o700]
    );

    let status = desk.vega(&["status"]).await?;
    let pointer = format!("Evidence: {}", path.display());
    assert!(status.stderr.contains(&pointer), "{status:?}");
    // What was stored since settles it.
    upstox.no_scenarios().await?;
    desk.end_cooldown().await?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let status = desk.vega(&["status"]).await?;
    assert!(!status.stderr.contains("Evidence:"), "{status:?}");
    assert!(path.exists(), "it may still be looked at");
    Ok(())
}

#[tokio::test]
async fn of_a_page_with_the_typed_mobile_number_there_is_no_picture() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "3s");
    upstox.human_at_the_desk(false).await?;
    upstox.pages("challenge", json!({})).await?;
    let ran = desk.vega(&["--yes", "--json", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");

    let (path, record) = ran.report()?.evidence("PRIMARY")?;
    assert_eq!(record["reason"], "challenge", "{record}");
    assert_eq!(
        (&record["screenshot"], &record["screenshot_withheld"]),
        (&Value::Null, &json!("a box of the page holds what was typed")),
        "{record}"
    );
    let ids = record["elements"].as_array().context("elements")?;
    assert!(
        ids.contains(&json!({ "tag": "input", "id": "mobileNum" })),
        "{record}"
    );
    let mobile = &upstox.seed().accounts[0].mobile;
    assert!(!std::fs::read_to_string(&path)?.contains(mobile), "{record}");
    assert_eq!(std::fs::read_dir(desk.evidence())?.count(), 1, "no picture");
    Ok(())
}

#[tokio::test]
async fn what_stands_typed_in_a_box_is_in_no_record() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "5s");
    let window = Window::at(&mut desk).await?;
    upstox.human_at_the_desk(false).await?;
    let vega = desk.start(&["--yes", "--json", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    window.type_into("otpNum", &otp).await?;
    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(6), "{ran:?}");
    window.end().await?;

    let (path, record) = ran.report()?.evidence("PRIMARY")?;
    assert_eq!(
        (&record["screen"], &record["screenshot_withheld"]),
        (&json!("otp"), &json!("the page has a box for a second factor")),
        "{record}"
    );
    let ids = record["elements"].as_array().context("elements")?;
    assert!(
        ids.contains(&json!({ "tag": "input", "id": "otpNum" })),
        "{record}"
    );
    let mut leaks = Leaks::default();
    leaks.look_for("the OTP", &otp);
    leaks.look_for("the mobile number", &upstox.seed().accounts[0].mobile);
    assert_eq!(leaks.found_in(&std::fs::read(&path)?), [""; 0], "{record}");
    assert_eq!(std::fs::read_dir(desk.evidence())?.count(), 1, "no picture");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_changes_no_failure() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.pages("cloudflare_html", json!({ "at": "page" })).await?;
    std::fs::create_dir_all(desk.evidence().parent().context("its folder")?)?;
    std::fs::write(desk.evidence(), "a file stands in its place")?;
    let ran = desk.vega(&["--yes", "--json", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(8), "{ran:?}");
    let report = ran.report()?;
    assert_eq!(report.reason("PRIMARY")?, "blocked", "{report:?}");
    let failure = &report.api("PRIMARY")?["last_failure"];
    assert!(failure["evidence"].is_null(), "{failure}");
    assert!(
        ran.stderr
            .contains("move it away. Vega signs in without keeping evidence"),
        "the operator was told: {ran:?}"
    );
    Ok(())
}

fn mode(path: &Path) -> Result<u32> {
    Ok(path.metadata()?.permissions().mode() & 0o777)
}
