//! Route permissions: every route with every kind of caller, compared with a table that was written by hand, apart from the
//! server's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use tokio::task::JoinSet;
use vega_tests::{Caller, Desk, Front, Request, Server, Upstox, until};

/// No run and no key has it.
pub(crate) const NOBODY: &str = "6a1f0c9e-7d1b-4a53-9a0e-3f3d6f2b8c11";

/// The expected result for each caller, in the order of `CALLERS`: `+` is admitted; 401 and 403 are the status of the refusal.
const EXPECTED: &[(&str, &str, &str)] = &[
    //                                       stranger bad status runs admin token other expired revoked console ended
    (
        "GET",
        "/livez",
        "                      +   +   +   +   +   +   +   +   +   +   +",
    ),
    (
        "GET",
        "/readyz",
        "                     +   +   +   +   +   +   +   +   +   +   +",
    ),
    (
        "GET",
        "/readyz/tokens",
        "              +   +   +   +   +   +   +   +   +   +   +",
    ),
    (
        "GET",
        "/metrics",
        "                    401 401 +   403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/apis",
        "                401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/apis/{api}",
        "          401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/apis/{api}/token",
        "    401 401 403 403 403 +   403 401 401 403 401",
    ),
    (
        "GET",
        "/api/v1/apis/{api}/events",
        "   401 401 +   +   +   +   403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/apis/{api}/rejections",
        " 401 401 403 403 403 +   403 401 401 403 401",
    ),
    (
        "POST",
        "/api/v1/verifications",
        "      401 401 403 +   403 403 403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/runs",
        "               401 401 403 +   403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/runs/current",
        "        401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/runs/{id}",
        "           401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "DELETE",
        "/api/v1/runs/{id}",
        "        401 401 403 +   403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/runs/{id}/prompt",
        "    401 401 403 +   403 403 403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/runs/{id}/answers",
        "  401 401 403 +   403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/events",
        "              401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/audit",
        "               401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/audit/export",
        "        401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/audit/verdict",
        "       401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/session",
        "            +   +   +   +   +   +   +   +   +   +   +",
    ),
    (
        "GET",
        "/api/v1/session",
        "             401 401 403 403 403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/consumers",
        "           401 401 +   +   +   403 403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/consumers/stop",
        "      401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "POST",
        "/api/v1/consumers/open",
        "      401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/config",
        "              401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/system",
        "              401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/evidence",
        "            401 401 403 403 403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/evidence/{id}/picture",
        " 401 401 403 403 403 403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/keys",
        "                401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "DELETE",
        "/api/v1/keys/{id}",
        "        401 401 403 403 +   403 403 401 401 +   401",
    ),
    (
        "GET",
        "/api/v1/openapi.json",
        "        401 401 +   +   +   403 403 401 401 +   401",
    ),
    // The last one: it ends the console's session.
    (
        "DELETE",
        "/api/v1/session",
        "          401 401 403 403 403 403 403 401 401 +   401",
    ),
];

const CALLERS: [&str; 11] = [
    "a stranger",
    "a bad key",
    "a key for status",
    "a key for runs",
    "a key for admin",
    "a key for this token",
    "a key for another token",
    "an expired key",
    "a revoked key",
    "the console",
    "an ended session",
];

const EVERYTHING: &str = "status,runs,admin,token:PRIMARY,token:OPTIONCHAIN1";

#[rstest]
#[case::plain(Front::Plain)]
#[case::over_tls(Front::Tls)]
#[case::behind_nginx(Front::Nginx)]
#[case::behind_caddy(Front::Caddy)]
#[tokio::test]
async fn every_route_admits_exactly_the_callers_it_is_for(#[case] front: Front) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Arc::new(Server::start_behind(&desk, front).await?);
    let callers = callers(&desk, &server).await?;

    let operations = operations(&server, &callers[2]).await?;
    let rows = EXPECTED
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"));
    assert_eq!(
        operations,
        rows.collect(),
        "a route without a row here, or a row without a route"
    );

    let mut wrong = Vec::new();
    for (method, path, expected) in EXPECTED {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(expected.len(), CALLERS.len(), "{method} {path}");
        for (place, status) in statuses(&server, method, path, &callers).await? {
            let is_right = match expected[place] {
                "+" => status != 401 && status != 403,
                refusal => status.to_string() == refusal,
            };
            if !is_right {
                let (caller, expected) = (CALLERS[place], expected[place]);
                wrong.push(format!("{method} {path} by {caller}: {status}, not {expected}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    Ok(())
}

/// Every route of the server, by its method and path, as whoever may read that is told.
pub(crate) async fn operations(server: &Server, reader: &Caller) -> Result<BTreeSet<String>> {
    let document = server.get("/api/v1/openapi.json", reader).await?.json()?;
    let paths = document["paths"].as_object().context("paths")?;
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flat_map(|methods| methods.keys());
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let mut operations: BTreeSet<String> = operations.collect();
    operations.insert("GET /api/v1/openapi.json".into());
    Ok(operations)
}

/// All callers at once: answers to bad credentials are delayed.
async fn statuses(
    server: &Arc<Server>,
    method: &str,
    path: &str,
    callers: &[Caller],
) -> Result<Vec<(usize, u16)>> {
    let path = path.replace("{api}", "PRIMARY").replace("{id}", NOBODY);
    let mut requests = JoinSet::new();
    for (place, caller) in callers.iter().cloned().enumerate() {
        let mut request = Request::to(server, method, &path).by(&caller);
        if matches!(caller, Caller::Console(..)) {
            request = request.with("Sec-Fetch-Site", "same-origin");
        }
        if method == "POST" {
            // A body that no route accepts: refused after the permission check, and not with 401 or 403.
            request = request
                .with("Content-Type", "application/json")
                .body(r#"{"no_such_field": true}"#);
        }
        let (server, path) = (Arc::clone(server), path.clone());
        let is_stream = path.ends_with("/events");
        requests.spawn(async move {
            let status = if is_stream {
                server.events_at(&path, &caller).await?.status
            } else {
                server.send(&request).await?.status
            };
            anyhow::Ok((place, status))
        });
    }
    let mut statuses = Vec::new();
    while let Some(status) = requests.join_next().await {
        statuses.push(status??);
    }
    Ok(statuses)
}

/// One of each kind, in the order of `CALLERS`.
async fn callers(desk: &Desk, server: &Server) -> Result<[Caller; 11]> {
    let expired = key(desk, "expired", EVERYTHING, &["--expires", "1s"]).await?;
    let revoked = key(desk, "revoked", EVERYTHING, &[]).await?;
    let ran = desk.vega(&["key", "revoke", "revoked"]).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let ended = server.console().await?;
    let end = server.delete("/api/v1/session", &ended).await?;
    ensure!(end.status == 204, "{end:?}");
    let console = new_console(desk, server).await?;
    let callers = [
        Caller::Stranger,
        Caller::Key("vega_CANARY-nobody-made-this-key".into()),
        key(desk, "status", "status", &[]).await?,
        key(desk, "runs", "runs", &[]).await?,
        key(desk, "admin", "admin", &[]).await?,
        key(desk, "token", "token:PRIMARY", &[]).await?,
        key(desk, "other", "token:OPTIONCHAIN1", &[]).await?,
        expired,
        revoked,
        console,
        ended,
    ];
    // The server follows the database, which takes a moment.
    for (path, caller, status) in [
        ("/api/v1/apis", &callers[6], 403),
        ("/api/v1/apis", &callers[7], 401),
        ("/api/v1/apis", &callers[8], 401),
    ] {
        let knows = until(async || {
            let answer = server.get(path, caller).await;
            answer.is_ok_and(|answer| answer.status == status)
        });
        ensure!(knows.await, "{caller:?} is not known");
    }
    Ok(callers)
}

/// Makes a key with these scopes.
pub(crate) async fn key(desk: &Desk, name: &str, scopes: &str, more: &[&str]) -> Result<Caller> {
    let arguments = [&["key", "add", name, "--scope", scopes], more].concat();
    let ran = desk.vega(&arguments).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(Caller::Key(ran.stdout.trim().to_owned()))
}

/// The code of a new link into the console of `server`.
pub(crate) async fn link(desk: &Desk, server: &Server) -> Result<String> {
    let under = [vec!["env".to_owned()], server.settings()].concat();
    let ran = desk.vega_under(&under, &["console"]).await?;
    let (_, code) = ran
        .stdout
        .split_once("/enter#")
        .with_context(|| format!("{ran:?}"))?;
    Ok(code.split_whitespace().next().context("a code")?.to_owned())
}

/// A console with a session of its own.
pub(crate) async fn new_console(desk: &Desk, server: &Server) -> Result<Caller> {
    server.open_console(&link(desk, server).await?).await
}
