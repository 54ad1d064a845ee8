//! An account's analytics token: it is proven by a price, goes on over 03:30, and only who may have it and asks for it gets it.

use std::time::Duration;

use anyhow::{Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use vega_client::{TokenSource, Verdict};
use vega_tests::{Answer, Caller, Desk, Engine, Request, Server, Upstox, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";
const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

async fn status_of(server: &Server, path: &str, program: &Caller) -> Result<(u16, Value)> {
    let answer = server.get(path, program).await?;
    Ok((answer.status, answer.json().unwrap_or_default()))
}

async fn report(server: &Server, program: &Caller, body: &Value) -> Result<Answer> {
    let request = Request::to(server, "POST", "/api/v1/apis/PRIMARY/rejections")
        .by(program)
        .with("Content-Type", "application/json")
        .body(body.to_string());
    server.send(&request).await
}

#[rstest]
#[tokio::test]
async fn it_is_given_to_who_may_have_it_and_to_nobody_who_trades(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?.over(engine);
    desk.set("UPSTOX_USER_ID", &upstox.seed().accounts[0].user_id);
    let server = Server::start(&desk).await?;
    let trader = key(&desk, "trader", "token:PRIMARY", &[]).await?;
    let charts = key(&desk, "charts", "read:PRIMARY", &[]).await?;
    let both = key(&desk, "both", "token:PRIMARY,read:PRIMARY", &[]).await?;
    let known = until(async || {
        let (status, _) = status_of(&server, &format!("{TOKEN}?kind=read"), &both)
            .await
            .unwrap_or_default();
        status == 409
    });
    assert!(known.await, "{}", server.log());
    let (_, none) = status_of(&server, &format!("{TOKEN}?kind=read"), &charts).await?;
    ensure!(
        none["detail"]
            .to_string()
            .contains("vega adopt --analytics default"),
        "{none}"
    );

    let made = upstox.analytics_token("default").await?;
    let profiles = upstox.count("profile_calls").await?;
    let adopted = desk
        .vega_with_input(&["adopt", "--analytics", "default"], &made)
        .await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert_eq!(
        upstox.count("profile_calls").await?,
        profiles,
        "never by the profile"
    );

    let has_it = until(async || {
        status_of(&server, &format!("{TOKEN}?kind=read"), &charts)
            .await
            .is_ok_and(|(status, _)| status == 200)
    });
    assert!(has_it.await, "{}", server.log());
    let (_, given) = status_of(&server, &format!("{TOKEN}?kind=read"), &charts).await?;
    assert_eq!(
        (
            &given["access_token"],
            &given["kind"],
            &given["api"],
            &given["generation"]
        ),
        (&json!(made), &json!("read"), &json!(API), &json!(1))
    );
    // Nobody who trades gets it, nor who may not have it.
    for (path, program, expected) in [
        (TOKEN.to_owned(), &trader, 409),
        (TOKEN.to_owned(), &charts, 403),
        (format!("{TOKEN}?kind=read"), &trader, 403),
        (format!("{TOKEN}?accept=read"), &trader, 403),
        (format!("{TOKEN}?accept=read"), &charts, 403),
        (format!("{TOKEN}?accept=read"), &both, 200),
        (format!("{TOKEN}?kind=everything"), &both, 400),
    ] {
        let (status, answer) = status_of(&server, &path, program).await?;
        assert_eq!(status, expected, "{path}: {answer}");
        ensure!(expected == 200 || !answer.to_string().contains(&made), "{answer}");
    }
    // The day's token goes first, where there is one.
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let day = desk.token(API).await?;
    let has_days = until(async || {
        status_of(&server, &format!("{TOKEN}?accept=read"), &both)
            .await
            .is_ok_and(|(_, answer)| answer["access_token"] == json!(day))
    });
    assert!(has_days.await, "{}", server.log());

    // The library's reader of it.
    let key_file = desk.path().join("charts.header");
    let Caller::Key(access_key) = &charts else {
        anyhow::bail!("no key")
    };
    std::fs::write(&key_file, format!("Authorization: Bearer {access_key}\n"))?;
    let library = vega_client::Server::at(format!("http://127.0.0.1:{}", server.own_port()))
        .key_file(&key_file)
        .build()?;
    let tokens = library.read_tokens(API)?;
    let read = tokens.current(Duration::from_hours(24)).await?;
    assert_eq!((read.expose(), read.generation().get()), (&*made, 1));
    assert_eq!(tokens.report_rejected(read.generation()).await?, Verdict::Alive);
    let refused = library.tokens(API)?.current(Duration::ZERO).await.unwrap_err();
    assert!(
        matches!(refused, vega_client::Error::Refused { .. }),
        "{refused:?}"
    );

    // A report of it is examined with a price.
    let alive = report(&server, &charts, &json!({ "generation": 1, "kind": "read" })).await?;
    assert_eq!(
        (&alive.json()?["answer"], &alive.json()?["kind"]),
        (&json!("alive"), &json!("read"))
    );
    let not_his = report(&server, &trader, &json!({ "generation": 1, "kind": "read" })).await?;
    assert_eq!(not_his.status, 403, "{not_his:?}");

    let status = desk.vega(&["status"]).await?;
    ensure!(
        status.stderr.contains("has an analytics token until"),
        "{status:?}"
    );
    let status = desk.vega(&["status", "--json"]).await?.json()?;
    assert_eq!(status["accounts"][0]["analytics"]["status"], "valid", "{status}");
    ensure!(!status.to_string().contains(&made), "{status}");
    let verified = desk.vega(&["verify"]).await?;
    ensure!(
        verified.stderr.contains("has an analytics token until"),
        "{verified:?}"
    );

    // A new one ends the old one, and takes its place.
    let second = upstox.analytics_token("default").await?;
    let dead = report(&server, &charts, &json!({ "generation": 1, "kind": "read" })).await;
    ensure!(dead.is_ok(), "{dead:?}");
    let adopted = desk
        .vega_with_input(&["adopt", "--analytics", "default"], &second)
        .await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let has_second = until(async || {
        status_of(&server, &format!("{TOKEN}?kind=read"), &charts)
            .await
            .is_ok_and(|(_, answer)| answer["generation"] == json!(2))
    });
    assert!(has_second.await, "{}", server.log());

    let revoked = desk.vega(&["revoke", "--analytics", "default", "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    ensure!(revoked.stderr.contains("end it there"), "{revoked:?}");
    let gone = until(async || {
        status_of(&server, &format!("{TOKEN}?kind=read"), &charts)
            .await
            .is_ok_and(|(status, _)| status == 409)
    });
    assert!(gone.await, "{}", server.log());
    assert_eq!(status_of(&server, TOKEN, &trader).await?.0, 200);
    let intact = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(intact.code, Some(0), "{intact:?}");
    server.stop().await?;
    Ok(())
}
