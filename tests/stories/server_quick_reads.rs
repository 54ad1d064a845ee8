//! Token reads take a short way through the server. It says what the long way says, and what changes between two requests
//! of one connection counts for the second one.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vega_tests::{Answer, Caller, Desk, Request, Server, Upstox, until};

use crate::server_route_permissions::key;

const TOKEN: &str = "/api/v1/apis/PRIMARY/token";
/// A query changes nothing here, and goes the long way.
const LONG_WAY: &str = "/api/v1/apis/PRIMARY/token?min_valid=0";
const PATIENCE: Duration = Duration::from_mins(1);

/// Signed in for two APIs, with a server and a key for one of them that the server knows.
async fn at_work(upstox: &Upstox) -> Result<(Desk, Server, Caller)> {
    let desk = Desk::new(upstox)?;
    let signed_in = desk.vega(&["--yes", "PRIMARY", "OPTIONCHAIN1"]).await?;
    assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
    let server = Server::start(&desk).await?;
    let program = key(&desk, "trader", "token:PRIMARY", &[]).await?;
    let knows = until(async || {
        server
            .get(TOKEN, &program)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(knows.await, "the key is not known");
    Ok((desk, server, program))
}

/// What the answer says, apart from what no two answers share.
fn without_its_own(answer: &Answer) -> Vec<String> {
    let mut says: Vec<String> = answer
        .headers
        .iter()
        .filter(|header| !header.starts_with("x-request-id:") && !header.starts_with("date:"))
        .cloned()
        .collect();
    says.sort();
    says.extend([answer.status.to_string(), answer.text.clone()]);
    says
}

#[tokio::test]
async fn the_short_way_says_what_the_long_way_says() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (desk, server, program) = at_work(&upstox).await?;
    let tag = server.get(TOKEN, &program).await?;
    let tag = tag.header("etag").context("a tag")?.to_owned();
    let other = key(&desk, "other", "token:OPTIONCHAIN1", &[]).await?;
    let knows = until(async || {
        server
            .get(TOKEN, &other)
            .await
            .is_ok_and(|answer| answer.status == 403)
    });
    assert!(knows.await, "the key is not known");

    let host = server.host();
    let origin = format!("http://{host}");
    let nobody = Caller::Key("vega_CANARY-nobody-made-this-key".into());
    let plain: &[(&str, &str)] = &[];
    for (method, caller, headers, status) in [
        ("GET", &program, plain, 200),
        ("GET", &program, &[("If-None-Match", &*tag)], 304),
        ("GET", &program, &[("If-None-Match", "\"1000\", W/\"1001\"")], 200),
        ("GET", &program, &[("Origin", &*origin)], 200),
        ("GET", &program, &[("Origin", "http://elsewhere.example")], 403),
        ("GET", &program, &[("Sec-Fetch-Site", "cross-site")], 403),
        ("GET", &program, &[("Host", host)], 421),
        ("GET", &program, &[("Content-Length", "0")], 200),
        ("GET", &other, plain, 403),
        ("GET", &nobody, plain, 401),
        ("GET", &Caller::Stranger, plain, 401),
        ("HEAD", &program, plain, 200),
        ("POST", &program, plain, 405),
    ] {
        let ask = async |path| {
            let request = Request::to(&server, method, path).by(caller);
            let with = |request: Request, &(name, value): &(&str, &str)| request.with(name, value);
            server.send(&headers.iter().fold(request, with)).await
        };
        let (short, long) = (ask(TOKEN).await?, ask(LONG_WAY).await?);
        let what = format!("{method} by {caller:?} with {headers:?}");
        assert_eq!(short.status, status, "{what}: {short:?}");
        assert_eq!(without_its_own(&short), without_its_own(&long), "{what}");
        assert!(
            short.header("x-request-id").is_some_and(|id| id.len() == 36),
            "{what}"
        );
    }
    let named = Request::to(&server, "GET", TOKEN)
        .by(&program)
        .with("x-request-id", "mine");
    assert_eq!(server.send(&named).await?.header("x-request-id"), Some("mine"));
    for odd in ["/api/v1/apis/primary/token", "/api/v1/apis/PRIM%41RY/token"] {
        let answer = server.get(odd, &program).await?;
        assert_eq!(answer.status, 200, "{odd}: {answer:?}");
    }
    for wrong in [
        "/api/v1/apis/PRIMARY/token/",
        "/api/v1/apis//token",
        "/api/v1/apis/PRIMARY/x/token",
    ] {
        let answer = server.get(wrong, &program).await?;
        assert!([403, 404].contains(&answer.status), "{wrong}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn reads_of_both_ways_are_measured() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (desk, server, program) = at_work(&upstox).await?;
    let reader = key(&desk, "reader", "status", &[]).await?;
    let knows = until(async || {
        server
            .get("/metrics", &reader)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(knows.await, "the key is not known");
    let counted = async || -> Result<u64> {
        let text = server.get("/metrics", &reader).await?.text;
        let of_reads = |line: &&str| {
            line.starts_with("vega_request_seconds_count")
                && ["{api}/token", "status=\"200\"", "method=\"GET\""]
                    .iter()
                    .all(|part| line.contains(part))
        };
        let line = text.lines().find(of_reads).with_context(|| text.clone())?;
        Ok(line.rsplit(' ').next().context("a count")?.parse()?)
    };
    let before = counted().await?;
    for path in [TOKEN, TOKEN, LONG_WAY] {
        assert_eq!(server.get(path, &program).await?.status, 200);
    }
    assert_eq!(counted().await?, before + 3);
    Ok(())
}

/// One connection that stays.
struct Connection<'a> {
    server: &'a Server,
    stream: TcpStream,
}

impl Connection<'_> {
    /// The status of the answer to a read, and its body.
    async fn read(&mut self, caller: &Caller) -> Result<(u16, String)> {
        let Caller::Key(key) = caller else {
            bail!("only keys read tokens");
        };
        let host = self.server.host();
        let request = format!("GET {TOKEN} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let answer = async {
            let mut bytes = Vec::new();
            loop {
                if let Some(answer) = whole(&String::from_utf8_lossy(&bytes))? {
                    return Ok(answer);
                }
                if self.stream.read_buf(&mut bytes).await? == 0 {
                    bail!("it hung up: {}", String::from_utf8_lossy(&bytes));
                }
            }
        };
        timeout(PATIENCE, answer).await.context("no answer")?
    }

    /// Waits until the answer to a read is so.
    async fn until(&mut self, caller: &Caller, so: impl Fn(&(u16, String)) -> bool) -> Result<()> {
        let waits = async {
            loop {
                if so(&self.read(caller).await?) {
                    return anyhow::Ok(());
                }
            }
        };
        timeout(PATIENCE, waits).await.context("it does not come")?
    }
}

/// Status and body, once both are there.
fn whole(text: &str) -> Result<Option<(u16, String)>> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("a length")?.parse()?;
    Ok((body.len() == length).then(|| (status, body.to_owned())))
}

#[tokio::test]
async fn what_changes_counts_for_the_next_request_of_a_connection() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (desk, server, program) = at_work(&upstox).await?;
    let other = key(&desk, "other", "token:OPTIONCHAIN1", &[]).await?;
    let second = key(&desk, "second", "token:PRIMARY", &[]).await?;
    let stream = server.connect().await?;
    let mut connection = Connection {
        server: &server,
        stream,
    };

    // Each request counts by its own key.
    connection.until(&second, |(status, _)| *status == 200).await?;
    connection.until(&other, |(status, _)| *status == 403).await?;
    for _ in 0..3 {
        let (status, first) = connection.read(&program).await?;
        assert!(
            status == 200 && first.contains(&desk.token("PRIMARY").await?),
            "{first}"
        );
        assert_eq!(connection.read(&other).await?.0, 403);
        assert_eq!(connection.read(&second).await?.0, 200);
    }

    // A new generation takes the place of what was written of the old one.
    let (_, old) = connection.read(&program).await?;
    let forced = ["--yes", "--force", "--reason", "a story", "PRIMARY"];
    assert_eq!(desk.vega(&forced).await?.code, Some(0));
    let token = desk.token("PRIMARY").await?;
    connection.until(&program, |(_, body)| *body != old).await?;
    let (status, new) = connection.read(&program).await?;
    assert!(status == 200 && new.contains(&token), "{new}");

    // A key that is revoked opens nothing any more, also where it did a moment ago; the others go on.
    assert_eq!(desk.vega(&["key", "revoke", "trader"]).await?.code, Some(0));
    connection.until(&program, |(status, _)| *status == 401).await?;
    assert_eq!(connection.read(&second).await?.0, 200);

    // A dead token is not served from what was written of it.
    upstox.revoke_tokens().await?;
    desk.vega(&["verify"]).await?;
    connection.until(&second, |(status, _)| *status == 409).await?;
    for _ in 0..3 {
        let (status, body) = connection.read(&second).await?;
        assert!(status == 409 && !body.contains(&token), "{body}");
    }
    Ok(())
}
