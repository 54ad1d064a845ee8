//! Programs say that Upstox refuses their token. One question to Upstox answers all of them; what is dead is out of every
//! reader, and what is refused for another cause, or by one call alone, stays.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use vega_tests::{Answer, Caller, Desk, Request, Server, Upstox, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";
const REJECTIONS: &str = "/api/v1/apis/PRIMARY/rejections";
const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

/// A desk with a token and a server, and a program that has a key for it.
async fn at_work(upstox: &Upstox) -> Result<(Desk, std::sync::Arc<Server>, Caller)> {
    let desk = Desk::new(upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let server = std::sync::Arc::new(Server::start(&desk).await?);
    let program = key(&desk, "trader", "token:PRIMARY", &[]).await?;
    let knows = until(async || {
        server
            .get(TOKEN, &program)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    anyhow::ensure!(knows.await, "the key is not known");
    Ok((desk, server, program))
}

async fn report(server: &Server, program: &Caller, body: &Value) -> Result<Answer> {
    let request = Request::to(server, "POST", REJECTIONS)
        .by(program)
        .with("Content-Type", "application/json")
        .body(body.to_string());
    server.send(&request).await
}

#[tokio::test]
async fn a_thousand_reports_are_one_question_and_a_dead_token_is_gone() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (desk, server, program) = at_work(&upstox).await?;
    let generation = server.get(TOKEN, &program).await?.json()?["generation"].clone();
    let alive = report(&server, &program, &json!({ "generation": generation })).await?;
    assert_eq!(alive.json()?["answer"], "alive", "{alive:?}");
    let before = upstox.count("profile_calls").await?;
    let words = alive.json()?["detail"].as_str().unwrap_or_default().to_owned();
    assert!(
        words.contains("UDAPI1221, the call must come from the static IP"),
        "{words}"
    );
    let future = report(&server, &program, &json!({ "generation": 7 })).await?;
    assert_eq!(
        (future.status, &future.json()?["code"]),
        (400, &json!("unknown_generation"))
    );
    assert_eq!(
        report(&server, &program, &json!({ "generation": 0 }))
            .await?
            .status,
        400
    );

    sleep(Duration::from_secs(6)).await;
    upstox.revoke_tokens().await?;
    // Younger than a minute: Upstox is asked six times over 20 s before the token is called dead.
    let mut reports = JoinSet::new();
    for number in 0..1_000 {
        let (server, program, generation) = (server.clone(), program.clone(), generation.clone());
        reports.spawn(async move {
            // They come within a second, and whoever is too slow to say anything on a busy machine calls again.
            sleep(Duration::from_millis(number)).await;
            let body = json!({ "generation": generation });
            for _ in 0..4 {
                if let Ok(answer) = report(&server, &program, &body).await {
                    return Ok(answer);
                }
            }
            report(&server, &program, &body).await
        });
    }
    while let Some(answer) = reports.join_next().await {
        let answer = answer??;
        assert_eq!(answer.json()?["answer"], "dead", "{answer:?}");
    }
    assert_eq!(upstox.count("profile_calls").await?, before + 6);
    assert_eq!(upstox.count("last_price_calls").await?, 1, "a second call agreed");
    assert_eq!(server.get(TOKEN, &program).await?.status, 409);
    assert_eq!(desk.vega(&["token", API]).await?.code, Some(3));
    let audit = desk.vega(&["audit", "--api", API, "--json"]).await?;
    assert_eq!(audit.stdout.matches("\"token_reported\"").count(), 2, "{audit:?}");
    assert!(audit.stdout.contains("by access key trader"), "{audit:?}");
    Ok(())
}

/// Upstox's profile call fails for everybody, or wants another address: no token dies of that.
#[tokio::test]
async fn a_refusal_for_another_cause_takes_no_token_away() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let token = desk.token(API).await?;
    for (code, reason) in [("UDAPI1221", "static_ip"), ("UDAPI100050", "answers_disagree")] {
        let params = json!({ "status": 401, "code": code });
        upstox
            .scenario(json!({ "scope": "all", "on": "profile", "kind": "status", "params": params }))
            .await?;
        let verified = desk.vega(&["verify", "--json"]).await?;
        let seen = verified.json()?;
        let apis = seen["apis"].as_array().context("apis")?;
        let primary = apis.iter().find(|seen| seen["api"] == API).context("PRIMARY")?;
        assert_eq!(
            (&primary["status"], &primary["check_failure"]["reason"]),
            (&json!("unknown"), &json!(reason)),
            "{verified:?}"
        );
        assert!(primary["checked_at"].is_string() && primary["verified_at"].is_string());
        let reported = desk.vega(&["token", API, "--rejected", "1"]).await?;
        assert_eq!((reported.code, &*reported.stdout), (Some(5), ""), "{reported:?}");
        assert_eq!(desk.token(API).await?, token, "programs keep it");
        upstox.no_scenarios().await?;
    }
    let reported = desk.vega(&["token", API, "--rejected", "1"]).await?;
    assert_eq!((reported.code, reported.stdout.trim()), (Some(0), &*token));
    assert_eq!(desk.vega(&["token", API, "--rejected", "2"]).await?.code, Some(2));
    assert_eq!(upstox.count("otp_presses").await?, 1);
    Ok(())
}

/// Upstox knows a new token everywhere only after some seconds.
#[tokio::test]
async fn a_new_token_that_is_refused_for_three_seconds_is_kept() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox
        .scenario(json!({ "scope": "all", "on": "profile", "kind": "new_token_refused", "params": { "ms": 3_000 } }))
        .await?;
    let ran = desk.vega(&["--yes", API]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(upstox.profile_status(&desk.token(API).await?).await?, 200);
    Ok(())
}
