//! A server whose database is not there at its start: it says so to whoever calls, and serves at the same port as soon as it is there.

use anyhow::Result;
use rstest::rstest;
use vega_testing::PostgresServer;
use vega_tests::{Caller, Desk, Front, Request, Server, Upstox, until};

use crate::server_route_permissions::key;

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";
const CHALLENGE: &str = "/livez?challenge=0123456789abcdef0123456789abcdef";

#[rstest]
#[case::plain(Front::Plain)]
#[case::over_tls(Front::Tls)]
#[case::behind_nginx(Front::Nginx)]
#[tokio::test]
async fn a_server_says_that_it_waits_for_its_database_and_goes_on_when_it_is_there(
    #[case] front: Front,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let postgres = PostgresServer::alone("");
    let mut desk = Desk::new(&upstox)?;
    desk.use_database(&postgres.fresh_database());
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let program = key(&desk, "bot", "token:PRIMARY", &[]).await?;
    postgres.crash();

    let server = Server::begin_behind(&desk, front).await?;
    assert!(!server.has_started(), "{}", server.log());
    // It lives, and proves nothing.
    let live = server.get(CHALLENGE, &Caller::Stranger).await?;
    assert_eq!(live.json()?["program"], "vega-server");
    assert!(live.json()?.get("proof").is_none(), "{live:?}");
    let no_challenge = server.get("/livez?challenge=x", &Caller::Stranger).await?;
    assert_eq!(no_challenge.status, 400, "{no_challenge:?}");
    for path in ["/readyz", "/readyz/tokens"] {
        let ready = server.get(path, &Caller::Stranger).await?;
        assert_eq!(ready.status, 503, "{ready:?}");
        assert_eq!(ready.json()?["ready"], false, "{ready:?}");
        assert!(ready.header("retry-after").is_some(), "{ready:?}");
    }
    for (method, path) in [
        ("GET", TOKEN),
        ("GET", "/"),
        ("GET", "/callback?code=CANARY-code&state=CANARY-state"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/runs"),
        ("POST", "/livez"),
        ("DELETE", "/nothing"),
    ] {
        let answer = server.call(method, path, &program, &[], None).await?;
        assert_eq!(answer.status, 503, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()?["code"], "starting", "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        for header in ["x-request-id", "content-security-policy", "cache-control"] {
            assert!(answer.header(header).is_some(), "{header}: {answer:?}");
        }
        // Where the database is, is nobody's business.
        assert!(
            !answer.text.contains("postgres") && !answer.text.contains("CANARY"),
            "{answer:?}"
        );
    }
    if front == Front::Plain {
        let foreign = Request::bare("GET", "/livez").with("Host", "evil.example");
        let refused = server.send(&foreign).await?;
        assert_eq!(refused.status, 421, "{refused:?}");
    }

    postgres.start_again();
    let serves = until(async || {
        let token = server.get(TOKEN, &program).await;
        token.is_ok_and(|token| token.status == 200)
    });
    assert!(serves.await, "{}", server.log());
    assert!(server.has_started(), "{}", server.log());
    assert_eq!(server.get("/readyz", &Caller::Stranger).await?.status, 200);
    let live = server.get(CHALLENGE, &Caller::Stranger).await?;
    assert!(live.json()?["proof"].is_string(), "{live:?}");
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_server_that_waits_for_its_database_ends_when_it_is_asked_to() -> Result<()> {
    let upstox = Upstox::start().await?;
    let postgres = PostgresServer::alone("");
    let mut desk = Desk::new(&upstox)?;
    desk.use_database(&postgres.fresh_database());
    assert_eq!(desk.vega(&["status"]).await?.code, Some(3));
    postgres.crash();
    let server = Server::begin_behind(&desk, Front::Plain).await?;
    assert_eq!(server.stop().await?, Some(0));
    Ok(())
}
