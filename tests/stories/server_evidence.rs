//! A sign-in failed, and the console shows what was kept of it.

use anyhow::{Context, Result};
use serde_json::json;
use vega_tests::{Desk, Server, Upstox, until};

#[tokio::test]
async fn the_console_shows_what_was_kept_of_a_failed_sign_in() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let none = server.get("/api/v1/evidence", &console).await?;
    assert_eq!(
        (none.status, none.json()?["evidence"].clone()),
        (200, json!([])),
        "{none:?}"
    );
    let stream = server.curl_events(&desk, &console).await?;

    upstox
        .pages("cloudflare_html", json!({ "at": "after_pin" }))
        .await?;
    let body = json!({ "apis": ["PRIMARY"], "wait": false });
    let run = server.start_run(&console, body).await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["steps"][0]["reason"], "blocked", "{ended}");

    let of_api = async || -> Result<Option<String>> {
        let api = server.get("/api/v1/apis/PRIMARY", &console).await?.json()?;
        assert!(
            api["last_failure"]
                .as_object()
                .is_none_or(|failure| failure.contains_key("evidence")),
            "{api}"
        );
        Ok(api["last_failure"]["evidence"].as_str().map(str::to_owned))
    };
    let is_told = until(async || of_api().await.is_ok_and(|path| path.is_some()));
    assert!(is_told.await, "the API does not point to it");
    let path = of_api().await?.context("a path")?;
    let told = stream
        .until("token", |api| api["last_failure"]["evidence"] == *path)
        .await?;
    assert_eq!(told["last_failure"]["reason"], "blocked", "{told}");

    let all = server.get("/api/v1/evidence", &console).await?.json()?;
    let [evidence] = &all["evidence"].as_array().context("evidence")?[..] else {
        anyhow::bail!("one failure: {all}")
    };
    let fields = ["api", "reason", "path", "has_picture"].map(|field| evidence[field].clone());
    assert_eq!(
        fields,
        [json!("PRIMARY"), json!("blocked"), json!(path), json!(true)],
        "{all}"
    );
    let screens = |fact: &serde_json::Value| {
        fact["about"] == "Screens"
            && fact["says"]
                .as_str()
                .is_some_and(|says| says.contains("mobile after"))
    };
    assert!(
        evidence["facts"]
            .as_array()
            .is_some_and(|facts| facts.iter().any(screens)),
        "{all}"
    );

    let id = evidence["id"].as_str().context("an id")?;
    let picture = server
        .get(&format!("/api/v1/evidence/{id}/picture"), &console)
        .await?;
    assert_eq!(picture.status, 200, "{:?}", picture.headers);
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(picture.header(name), Some(value), "{:?}", picture.headers);
    }
    assert!(picture.text[..8].contains("PNG"), "no picture");

    // No name leads out of the folder, or to another file in it.
    std::fs::write(desk.evidence().join("notes.png"), "CANARY-notes")?;
    std::fs::write(desk.evidence().with_file_name("outside.png"), "CANARY-outside")?;
    for odd in [
        "notes",
        "..%2Foutside",
        "..%2F..%2Fvega%2Foutside",
        "%2Fetc%2Fpasswd",
        "x%00",
        ".",
        &format!("{id}.png"),
    ] {
        let answer = server
            .get(&format!("/api/v1/evidence/{odd}/picture"), &console)
            .await?;
        assert!(
            answer.status == 404 && !answer.text.contains("CANARY"),
            "{odd}: {answer:?}"
        );
    }
    Ok(())
}
