//! Who is refused is on record, whatever the kind of the refusal, and no flood fills the disk.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vega_tests::{Caller, Desk, Request, Server, Upstox, until};

use crate::server_route_permissions::{key, link};

/// What the trail tells of refused calls.
async fn told(server: &Server, caller: &Caller, kind: &str) -> Result<Vec<String>> {
    let answer = server
        .get(&format!("/api/v1/audit?limit=500&kind={kind}"), caller)
        .await?;
    words(&answer.json()?)
}

fn words(trail: &Value) -> Result<Vec<String>> {
    let entries = trail["entries"].as_array().context("entries")?;
    let details = entries.iter().filter_map(|entry| entry["detail"].as_str());
    Ok(details.map(str::to_owned).collect())
}

async fn is_told(server: &Server, caller: &Caller, why: &str) -> bool {
    until(async || {
        let told = told(server, caller, "call_refused").await;
        told.is_ok_and(|told| told.iter().any(|one| one.contains(why)))
    })
    .await
}

/// The one entry about what is not on record one by one.
async fn the_summary(desk: &Desk) -> Result<String> {
    let trail = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = trail["entries"].as_array().context("entries")?;
    let left_out = entries
        .iter()
        .filter(|entry| entry["kind"] == "refusals_left_out");
    let left_out: Vec<&str> = left_out.filter_map(|entry| entry["detail"].as_str()).collect();
    let [summary] = left_out[..] else {
        anyhow::bail!("not one summary: {left_out:?}");
    };
    Ok(summary.to_owned())
}

#[tokio::test]
async fn every_refusal_is_on_record_and_a_flood_hides_none() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let reader = key(&desk, "reader", "token:PRIMARY", &[]).await?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let get = |path: &str| Request::to(&server, "GET", path);
    let Caller::Console(cookie, _) = console.clone() else {
        anyhow::bail!("no console");
    };

    let used = link(&desk, &server).await?;
    server.open_console(&used).await?;
    let opens = json!({ "code": used }).to_string();
    let refused = [
        (
            get("/api/v1/apis").by(&Caller::Key("vega_CANARY".into())),
            401,
            "its access key was not known",
        ),
        (
            get("/api/v1/apis").with("Authorization", "Basic Q0FOQVJZ"),
            401,
            "held no access key",
        ),
        (
            get("/api/v1/apis").with("Cookie", &cookie),
            401,
            "its console session was over",
        ),
        (
            get("/api/v1/apis").with("Origin", "http://evil.example"),
            403,
            "a page of another site",
        ),
        (
            Request::bare("GET", "/livez").with("Host", "evil.example"),
            421,
            "its Host was not one",
        ),
        (
            get("/api/v1/apis").by(&reader),
            403,
            "access key reader lacks the scope for GET /api/v1/apis",
        ),
        (
            Request::to(&server, "POST", "/api/v1/session")
                .with("Content-Type", "application/json")
                .body(opens),
            401,
            "its console link was used",
        ),
    ];
    for (request, status, why) in &refused {
        let answer = server.send(request).await?;
        assert_eq!(answer.status, *status, "{request:?}: {answer:?}");
        assert!(is_told(&server, &admin, why).await, "not told: {why}");
    }

    // Whoever shows nothing is not on record: it is no attempt.
    assert_eq!(server.send(&get("/api/v1/apis")).await?.status, 401);
    // A flood of two kinds, and then one that was not there before.
    for number in 0..300 {
        let flood = match number % 2 {
            0 => Request::bare("GET", "/livez").with("Host", "evil.example"),
            _ => get("/api/v1/apis").with("Origin", "http://evil.example"),
        };
        assert!(server.send(&flood).await?.status > 400);
    }
    let rare = get("/api/v1/runs/current").by(&reader);
    assert_eq!(server.send(&rare).await?.status, 403);
    assert!(
        is_told(&server, &admin, "GET /api/v1/runs/").await,
        "the flood hides it"
    );
    let on_record = told(&server, &admin, "call_refused").await?;
    assert!((100..=101).contains(&on_record.len()), "{}", on_record.len());
    assert!(
        !on_record.iter().any(|one| one.contains("CANARY")),
        "{on_record:?}"
    );

    assert_eq!(server.stop().await?, Some(0));
    let summary = the_summary(&desk).await?;
    for why in ["because its Host", "because a page of another site"] {
        assert!(summary.contains(why), "{summary}");
    }
    let all = 300 + refused.len() + 1;
    let more = format!("{} more in the hour from ", all - on_record.len());
    assert!(summary.starts_with(&more), "{all} in all: {summary}");
    let link = desk
        .bytes_on_disk()?
        .windows(used.len())
        .any(|part| part == used.as_bytes());
    assert!(!link, "the code of a link is kept nowhere");
    Ok(())
}
