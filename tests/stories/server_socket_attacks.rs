//! What programs of this machine can try at the server's socket: every route as every kind of caller, compared with a table that was written by
//! hand; headers that say something else than the kernel; paths, methods and texts that are read differently elsewhere; callers that never
//! finish. Root plays the other users.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use vega_tests::{Caller, Server, until};

use crate::server_route_permissions::{NOBODY as NO_RUN, key, operations};
use crate::server_socket::{AtSocket, NOBODY, STRANGER, TOKEN, answer, as_other, curl, may_become_others};

/// In the group that may connect, and in another one, which a rule names.
const MEMBER: u32 = 54_322;
const DESK_GROUP: u32 = 54_400;

const OTHER_TOKEN: &str = "/api/v1/apis/WEBSOCKET1/token";

fn rules() -> String {
    format!(
        "[[socket]]\nuser = {NOBODY}\nscopes = [\"token:PRIMARY\"]\n\n[[socket]]\ngroup = {DESK_GROUP}\nscopes = [\"status\"]\n"
    )
}

/// The expected result for each caller, in the order of `CALLERS`: `+` is admitted; 401 and 403 are the status of the refusal.
#[rustfmt::skip]
const EXPECTED: &[(&str, &str)] = &[
    //                                                   own  user group none admin token none+key bad
    ("GET /livez",                                      " +    +    +    403  +    +    403  +  "),
    ("GET /readyz",                                     " +    +    +    403  +    +    403  +  "),
    ("GET /readyz/tokens",                              " +    +    +    403  +    +    403  +  "),
    ("GET /metrics",                                    " +    403  +    403  +    403  403  401"),
    ("GET /api/v1/apis",                                " +    403  +    403  +    403  403  401"),
    ("GET /api/v1/apis/{api}",                          " +    403  +    403  +    403  403  401"),
    ("GET /api/v1/apis/{api}/token",                    " +    +    403  403  403  +    403  401"),
    ("GET /api/v1/apis/{api}/events",                   " +    +    +    403  +    +    403  401"),
    ("POST /api/v1/apis/{api}/rejections",              " +    +    403  403  403  +    403  401"),
    ("POST /api/v1/verifications",                      " 403  403  403  403  403  403  403  401"),
    ("POST /api/v1/runs",                               " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/runs/current",                        " +    403  +    403  +    403  403  401"),
    ("GET /api/v1/runs/{id}",                           " +    403  +    403  +    403  403  401"),
    ("DELETE /api/v1/runs/{id}",                        " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/runs/{id}/prompt",                    " 403  403  403  403  403  403  403  401"),
    ("POST /api/v1/runs/{id}/answers",                  " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/events",                              " +    403  +    403  +    403  403  401"),
    ("GET /api/v1/audit",                               " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/audit/export",                        " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/audit/verdict",                       " 403  403  403  403  +    403  403  401"),
    ("POST /api/v1/session",                            " +    +    +    403  +    +    403  +  "),
    ("GET /api/v1/session",                             " 403  403  403  403  403  403  403  401"),
    ("DELETE /api/v1/session",                          " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/config",                              " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/system",                              " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/evidence",                            " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/evidence/{id}/picture",               " 403  403  403  403  403  403  403  401"),
    ("GET /api/v1/consumers",                           " +    403  +    403  +    403  403  401"),
    ("POST /api/v1/consumers/stop",                     " 403  403  403  403  +    403  403  401"),
    ("POST /api/v1/consumers/open",                     " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/keys",                                " 403  403  403  403  +    403  403  401"),
    ("DELETE /api/v1/keys/{id}",                        " 403  403  403  403  +    403  403  401"),
    ("GET /api/v1/openapi.json",                        " +    403  +    403  +    403  403  401"),
];

const CALLERS: [&str; 8] = [
    "the server's own user",
    "a user with a rule for this token",
    "a user whose group has a rule for status",
    "a user without a rule",
    "the own user with a key for admin",
    "the own user with a key for this token",
    "a user without a rule with a key for admin",
    "the own user with a bad key",
];

/// Who calls, and with which key.
#[derive(Clone)]
struct AtTheSocket {
    user: Option<(u32, u32, &'static [u32])>,
    key: Option<String>,
}

impl AtTheSocket {
    fn own() -> Self {
        Self {
            user: None,
            key: None,
        }
    }

    fn user(user: u32, group: u32, others: &'static [u32]) -> Self {
        Self {
            user: Some((user, group, others)),
            key: None,
        }
    }

    fn with(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }

    /// What is answered: the status, and the text.
    async fn asks(&self, at: &AtSocket, path: &str, more: &[&str]) -> Result<(u16, String)> {
        let key = self
            .key
            .as_ref()
            .map(|key| format!("Authorization: Bearer {key}"));
        let key: Vec<&str> = key.iter().flat_map(|key| ["--header", key]).collect();
        let asks = curl(&at.socket(), path, &[more, &key].concat());
        let output = match self.user {
            None => {
                let mut asks = asks;
                asks.output().await?
            }
            Some((user, group, others)) => {
                let asks = asks.as_std();
                let mut command: Command = as_other(user, group, others);
                command.arg(asks.get_program()).args(asks.get_args());
                command.output().await?
            }
        };
        answer(&output)
    }
}

async fn key_of(at: &AtSocket, name: &str, scopes: &str) -> Result<String> {
    match key(&at.desk, name, scopes, &[]).await? {
        Caller::Key(key) => Ok(key),
        other => anyhow::bail!("{other:?} is no key"),
    }
}

/// One of each kind, in the order of `CALLERS`.
async fn callers(at: &AtSocket) -> Result<[AtTheSocket; 8]> {
    let admin = key_of(at, "admin", "admin").await?;
    let token = key_of(at, "token", "token:PRIMARY").await?;
    let own = AtTheSocket::own;
    let stranger = || AtTheSocket::user(STRANGER, NOBODY, &[]);
    let callers = [
        own(),
        AtTheSocket::user(NOBODY, NOBODY, &[]),
        AtTheSocket::user(MEMBER, DESK_GROUP, &[NOBODY]),
        stranger(),
        own().with(&admin),
        own().with(&token),
        stranger().with(&admin),
        own().with("vega_CANARY-nobody-made-this-key"),
    ];
    // The server follows the database, which takes a moment.
    let knows = until(async || {
        let asked = callers[5].asks(at, TOKEN, &[]).await;
        asked.is_ok_and(|(status, _)| status == 200)
    });
    ensure!(knows.await, "the keys are not known");
    Ok(callers)
}

#[tokio::test]
async fn every_route_admits_at_the_socket_exactly_the_callers_it_is_for() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let at = Arc::new(AtSocket::new(&rules()).await?);
    let server = Server::start(&at.desk).await?;
    let callers = callers(&at).await?;
    let admin = Caller::Key(callers[4].key.clone().context("a key")?);
    let rows = EXPECTED.iter().map(|(route, _)| (*route).to_owned());
    assert_eq!(
        operations(&server, &admin).await?,
        rows.collect(),
        "a route without a row here, or a row without a route"
    );
    let mut wrong = Vec::new();
    for (route, expected) in EXPECTED {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(expected.len(), CALLERS.len(), "{route}");
        for (place, status) in statuses(&at, route, &callers).await? {
            let is_right = match expected[place] {
                "+" => status != 401 && status != 403,
                refusal => status.to_string() == refusal,
            };
            if !is_right {
                let (caller, expected) = (CALLERS[place], expected[place]);
                wrong.push(format!("{route} by {caller}: {status}, not {expected}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    // A token of another API is nobody's but the own user's.
    for (caller, expected) in callers.iter().zip([200, 403, 403, 403, 403, 403, 403, 401]) {
        // It has no token yet.
        let expected = if expected == 200 { 409 } else { expected };
        assert_eq!(caller.asks(&at, OTHER_TOKEN, &[]).await?.0, expected);
    }
    drop(server);
    Ok(())
}

/// All callers at once: answers to bad credentials are delayed.
async fn statuses(at: &Arc<AtSocket>, route: &str, callers: &[AtTheSocket]) -> Result<Vec<(usize, u16)>> {
    let (method, path) = route.split_once(' ').context("a method")?;
    let path = path.replace("{api}", "PRIMARY").replace("{id}", NO_RUN);
    let mut asking = JoinSet::new();
    for (place, caller) in callers.iter().cloned().enumerate() {
        let (at, path, method) = (Arc::clone(at), path.clone(), method.to_owned());
        asking.spawn(async move {
            let mut more = vec!["--request", &*method];
            if method == "POST" {
                // A body that no route accepts: refused after the permission check, and not with 401 or 403.
                more.extend(["--json", r#"{"no_such_field": true}"#]);
            }
            if path.ends_with("/events") {
                // Its status is enough.
                more.extend(["--max-time", "2"]);
            }
            anyhow::Ok((place, caller.asks(&at, &path, &more).await?.0))
        });
    }
    let mut statuses = Vec::new();
    while let Some(status) = asking.join_next().await {
        statuses.push(status??);
    }
    Ok(statuses)
}

/// What a program says of itself changes nothing: not who it is, not what it may do, and not whose stop it gets.
#[tokio::test]
async fn no_header_changes_who_calls() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let at = AtSocket::new(&rules()).await?;
    let server = Server::start(&at.desk).await?;
    let token = at.desk.token("PRIMARY").await?;
    let console = match server.console().await? {
        Caller::Console(cookie, second) => (format!("Cookie: {cookie}"), format!("x-vega-session: {second}")),
        other => anyhow::bail!("{other:?} is no console"),
    };
    let forged: &[&[&str]] = &[
        &["X-Vega-Consumer: root"],
        &["X-Vega-Consumer: curl", "X-Vega-Uid: 0", "X-Remote-User: root"],
        &[
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: https",
            "Forwarded: for=127.0.0.1",
        ],
        &["X-Forwarded-Host: localhost", "X-Real-IP: 127.0.0.1"],
        &["Cookie: vega_session=CANARY"],
        &[
            "Cookie: vega_session=CANARY; __Host-vega_session=CANARY",
            "x-vega-session: CANARY",
        ],
        &["Authorization: Basic cm9vdDo="],
        &["Authorization: Bearer "],
        &["Authorization: Bearer garbage"],
        &["Host: localhost:28020"],
        &["Host: evil.example"],
        &["Origin: http://localhost", "Sec-Fetch-Site: same-origin"],
        &[
            "Connection: Upgrade",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ],
        &["Expect: 100-continue"],
    ];
    let member = AtTheSocket::user(MEMBER, DESK_GROUP, &[NOBODY]);
    let ruled = AtTheSocket::user(NOBODY, NOBODY, &[]);
    let stranger = AtTheSocket::user(STRANGER, NOBODY, &[]);
    for headers in forged {
        let more: Vec<&str> = headers.iter().flat_map(|header| ["--header", header]).collect();
        // Without a rule nothing is even read.
        for path in [TOKEN, "/livez", "/api/v1/apis"] {
            let (status, text) = stranger.asks(&at, path, &more).await?;
            assert_eq!(status, 403, "{headers:?}: {text}");
            assert!(!text.contains(&token), "{headers:?}");
        }
        // With one, nothing beyond it.
        for (caller, path) in [
            (&member, TOKEN),
            (&ruled, OTHER_TOKEN),
            (&ruled, "/api/v1/apis"),
            (&member, "/api/v1/audit"),
            (&AtTheSocket::own(), "/api/v1/audit"),
            (&AtTheSocket::own(), "/api/v1/session"),
            (&AtTheSocket::own(), "/api/v1/keys"),
        ] {
            let (status, text) = caller.asks(&at, path, &more).await?;
            assert!(
                [401, 403, 421].contains(&status),
                "{path} with {headers:?}: {status} {text}"
            );
            assert!(!text.contains(&token), "{headers:?}");
        }
    }
    // A real session of the console is no more than it is elsewhere: it reads no tokens, and a stranger cannot even show it.
    let more = [
        "--header",
        &*console.0,
        "--header",
        &*console.1,
        "--header",
        "Sec-Fetch-Site: same-origin",
    ];
    assert_eq!(AtTheSocket::own().asks(&at, TOKEN, &more).await?.0, 403);
    assert_eq!(stranger.asks(&at, "/api/v1/session", &more).await?.0, 403);
    // The stop is for what the kernel says, whatever name comes along. It is of whoever was seen, which is written down in a moment.
    let named = ["--header", "X-Vega-Consumer: somebody"];
    assert_eq!(ruled.asks(&at, TOKEN, &named).await?.0, 200);
    let stop = ["consumers", "stop", &format!("user:{NOBODY}")];
    let is_known = until(async || at.desk.vega(&stop).await.is_ok_and(|ran| ran.code == Some(0)));
    assert!(is_known.await, "{:?}", at.desk.vega(&stop).await?);
    let is_stopped = until(async || {
        let asked = ruled
            .asks(&at, TOKEN, &["--header", "X-Vega-Consumer: somebody-else"])
            .await;
        asked.is_ok_and(|(status, text)| status == 403 && text.contains("consumer_stopped"))
    });
    assert!(is_stopped.await, "{}", server.log());
    assert_eq!(AtTheSocket::own().asks(&at, TOKEN, &[]).await?.0, 200);
    drop(server);
    Ok(())
}

/// A path that is written in another way, and a method that is none of the route's, lead to no token of another API.
#[tokio::test]
async fn no_spelling_of_a_path_leads_past_a_rule() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let at = AtSocket::new(&rules()).await?;
    let signed_in = at.desk.vega(&["--yes", "WEBSOCKET1"]).await?;
    assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
    let secret = at.desk.token("WEBSOCKET1").await?;
    let server = Server::start(&at.desk).await?;
    assert!(
        AtTheSocket::own()
            .asks(&at, OTHER_TOKEN, &[])
            .await?
            .1
            .contains(&secret)
    );
    let ruled = AtTheSocket::user(NOBODY, NOBODY, &[]);
    for path in [
        OTHER_TOKEN,
        "//api/v1/apis/WEBSOCKET1/token",
        "/api//v1/apis/WEBSOCKET1/token",
        "/api/v1/apis/PRIMARY/../WEBSOCKET1/token",
        "/api/v1/apis/PRIMARY/%2e%2e/WEBSOCKET1/token",
        "/api/v1/apis/PRIMARY%2f..%2fWEBSOCKET1/token",
        "/api/v1/apis/%57EBSOCKET1/token",
        "/api/v1/apis/websocket1/token",
        "/api/v1/apis/WEBSOCKET1/token/",
        "/api/v1/apis/WEBSOCKET1/token?min_valid=0",
        "/api/v1/apis/WEBSOCKET1/token?wait=1s",
        "/api/v1/apis/PRIMARY;WEBSOCKET1/token",
        "/api/v1/apis/PRIMARY%00WEBSOCKET1/token",
        "/./api/v1/apis/WEBSOCKET1/token",
        "/api/v1/../v1/apis/WEBSOCKET1/token",
        "/API/V1/apis/WEBSOCKET1/token",
        "/api/v1/apis/WEBSOCKET1/events",
        "/%61pi/v1/audit",
        "//api/v1/audit",
    ] {
        let (status, text) = ruled.asks(&at, path, &["--path-as-is"]).await?;
        assert!((400..500).contains(&status), "{path}: {status} {text}");
        assert!(!text.contains(&secret), "{path}");
    }
    for method in [
        "PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "get", "PROPFIND",
    ] {
        for caller in [&ruled, &AtTheSocket::own()] {
            let (status, text) = caller.asks(&at, TOKEN, &["--request", method]).await?;
            assert_eq!(status, 405, "{method}: {text}");
        }
        let more = [
            "--request",
            "POST",
            "--header",
            &format!("X-HTTP-Method-Override: {method}"),
        ];
        assert_eq!(AtTheSocket::own().asks(&at, TOKEN, &more).await?.0, 405);
    }
    drop(server);
    Ok(())
}

/// Sends this, and reads until the server hangs up.
async fn said_to(at: &AtSocket, text: &[u8], within: Duration) -> Result<String> {
    let mut stream = UnixStream::connect(at.socket()).await?;
    // It may be refused before its end.
    let _ = stream.write_all(text).await;
    let mut said = Vec::new();
    let reading = timeout(within, stream.read_to_end(&mut said)).await;
    // A reset is an end, too.
    let _ = reading.context("it is still open")?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn no_text_is_read_as_two_requests_and_what_is_too_large_or_too_slow_ends() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    let soon = Duration::from_secs(15);
    let hidden = format!("GET {TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for headers in [
        format!("Content-Length: 4\r\nContent-Length: {}", hidden.len()),
        format!("Content-Length: {}\r\nContent-Length: 4", hidden.len()),
        format!("Content-Length: {}\r\nTransfer-Encoding: gzip", hidden.len()),
        "Content-Length: +4".into(),
        "Content-Length: 4, 5".into(),
        "Transfer-Encoding : chunked".into(),
        "Transfer-Encoding: chunked, identity".into(),
        "X-Null: a\0b".into(),
        " Folded: a".into(),
    ] {
        let text = format!("POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{hidden}");
        let said = said_to(&at, text.as_bytes(), soon).await?;
        assert!(said.starts_with("HTTP/1.1 400 "), "{headers:?}: {said}");
        assert_eq!(
            said.matches("HTTP/1.1 ").count(),
            1,
            "a second answer to {headers:?}"
        );
    }
    let long = "x".repeat(20 * 1024);
    let text = format!("GET {TOKEN} HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n");
    let said = said_to(&at, text.as_bytes(), soon).await?;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    let many = many.concat();
    let text = format!("GET {TOKEN} HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert!(
        said_to(&at, text.as_bytes(), soon)
            .await?
            .starts_with("HTTP/1.1 431 ")
    );
    let body = format!("{{\"generation\":1{}}}", " ".repeat(64 * 1024));
    let text = format!(
        "POST /api/v1/apis/PRIMARY/rejections HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let said = said_to(&at, text.as_bytes(), soon).await?;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    // What is no request at all.
    for text in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let said = said_to(&at, text, soon).await?;
        assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    }
    let slow = [
        String::new(),
        format!("GET {TOKEN} HTTP/1.1\r\nHost: "),
        "POST /api/v1/apis/PRIMARY/rejections HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \
         9\r\n\r\n"
            .to_owned(),
    ];
    let [silent, half, no_body] = slow
        .each_ref()
        .map(|text| said_to(&at, text.as_bytes(), Duration::from_secs(20)));
    let begun = Instant::now();
    let other = async {
        // Nobody else waits for them.
        let asked = AtTheSocket::own().asks(&at, TOKEN, &[]).await;
        (asked, begun.elapsed())
    };
    let (silent, half, no_body, (asked, took)) = tokio::join!(silent, half, no_body, other);
    assert_eq!(silent.context("silent")?, "");
    assert_eq!(half.context("half a head")?, "");
    assert!(no_body.context("without its body")?.starts_with("HTTP/1.1 408 "));
    assert_eq!(asked?.0, 200);
    ensure!(took < Duration::from_secs(5), "it took {took:?}");
    drop(server);
    Ok(())
}
