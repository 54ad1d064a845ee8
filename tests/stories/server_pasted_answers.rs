//! What is pasted over HTTP in place of an OTP or a PIN: nothing of it goes to Upstox, and the question stays open.

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Desk, Server, Upstox};

use crate::server_route_permissions::key;

/// None of these is on any page that Vega was built from.
const PASTED: &[&str] = &[
    "OTP: 271828",
    "271828.",
    "2718281",
    "27182",
    "271828\n314159",
    "271828/314159",
    "<271828>",
    "(271828)",
    "{\"otp\":\"271828\"}",
    "otp=271828",
    "PIN 271828",
    "2.71828e5",
    "0x271828",
    "-27182",
    "2718２８x",
    "२७१८२",
    "null",
    "undefined",
    "••••••",
    "******",
    "271828 is the OTP for your Upstox account",
    "271_828",
];

#[tokio::test]
async fn what_is_no_otp_or_pin_is_asked_for_again() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let pin = upstox.seed().accounts[0].pin.clone();
    let server = Server::start(&desk).await?;
    let runs = key(&desk, "runs", "runs", &[]).await?;
    let run = server.start_run(&runs, json!({ "apis": ["PRIMARY"] })).await?;
    let answers = format!("{run}/answers");

    for kind in ["otp", "pin"] {
        let asked = server.prompt(&run, &runs, kind).await?;
        for pasted in PASTED {
            let typed = json!({ "kind": kind, "prompt": asked["id"], kind: pasted });
            let refused = server.post(&answers, &runs, typed).await?;
            assert_eq!(
                (refused.status, &refused.json()?["code"]),
                (422, &json!("wrong_body")),
                "{pasted}: {refused:?}"
            );
            assert!(!refused.text.contains("2718"), "{pasted}: {refused:?}");
        }
        let right = match kind {
            "otp" => upstox.phone().await?.context("an OTP on the phone")?,
            _ => pin.clone(),
        };
        // As an editor or a chat leaves it.
        let dressed = format!("\u{feff}“{} {}”\r\n", &right[..3], &right[3..]);
        let typed = json!({ "kind": kind, "prompt": asked["id"], kind: dressed });
        assert_eq!(server.post(&answers, &runs, typed).await?.status, 204);
    }
    let ended = server.ended(&run, &runs).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    assert_eq!(upstox.count("otp_presses").await?, 1);
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}
