//! What would use up the server: bodies, headers, slow connections and streams end at a limit, and others go on.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vega_tests::{Caller, Desk, Request, Server, Upstox, until};

use crate::server_attacks::lacks_headers;
use crate::server_route_permissions::key;

const LARGEST_BODY: usize = 64 * 1024;
/// The server gives the first head two seconds, and a further one more than a minute.
const FIRST_HEAD_CUT_OFF_WITHIN: Duration = Duration::from_secs(10);
const CUT_OFF_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn bodies_and_headers_end_at_a_limit() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let runs = key(&desk, "runs", "runs", &[]).await?;
    let knows = until(async || {
        let answer = server.get("/api/v1/apis", &runs).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    assert!(knows.await, "the key is not known");

    let post = |path: &str, caller: &Caller| {
        let request = Request::to(&server, "POST", path).by(caller);
        request.with("Content-Type", "application/json")
    };
    for (path, caller, wrong_body) in [
        ("/api/v1/session", &Caller::Stranger, 422),
        ("/api/v1/runs", &runs, 422),
        ("/api/v1/verifications", &runs, 422),
        (
            "/api/v1/runs/6a1f0c9e-7d1b-4a53-9a0e-3f3d6f2b8c11/answers",
            &runs,
            422,
        ),
    ] {
        // JSON that holds nothing of what it must.
        let padded = |length: usize| format!("{{\"x\":0{}}}", " ".repeat(length - 7));
        let fits = server
            .send(&post(path, caller).body(padded(LARGEST_BODY)))
            .await?;
        assert_eq!(fits.status, wrong_body, "{path}: {fits:?}");
        let too_large = server
            .send(&post(path, caller).body(padded(LARGEST_BODY + 1)))
            .await?;
        assert_eq!(too_large.status, 413, "{path}: {too_large:?}");
        assert_eq!(lacks_headers(&too_large), None);

        // Without a length that could be looked at beforehand.
        let authorization = match caller {
            Caller::Key(key) => format!("Authorization: Bearer {key}\r\n"),
            _ => String::new(),
        };
        let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{authorization}Content-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
            server.host(),
            chunk.repeat(3)
        );
        let too_large = server.send_text(&chunked).await?;
        assert_eq!(too_large.status, 413, "{path}: {too_large:?}");
    }

    let long = "x".repeat(20 * 1024);
    let long_header = Request::to(&server, "GET", "/livez").with("X-Long", &long);
    assert_eq!(server.send(&long_header).await?.status, 431);
    let long_path = Request::to(&server, "GET", &format!("/{long}"));
    assert!([414, 431].contains(&server.send(&long_path).await?.status));
    let many = (0..200).fold(Request::to(&server, "GET", "/livez"), |request, number| {
        request.with(&format!("X-{number}"), "x")
    });
    assert_eq!(server.send(&many).await?.status, 431);
    assert_eq!(server.get("/livez", &Caller::Stranger).await?.status, 200);
    Ok(())
}

/// Two programs that read one text differently can be played against each other, a reverse proxy and this one, say.
#[tokio::test]
async fn no_text_is_read_as_two_requests() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let host = server.host();
    let hidden = "GET /livez HTTP/1.1\r\nHost: hidden\r\n\r\n";
    for headers in [
        format!("Content-Length: 4\r\nContent-Length: {}", hidden.len()),
        format!("Content-Length: {}\r\nTransfer-Encoding: gzip", hidden.len()),
        "Content-Length: +4".into(),
        "Content-Length: 4, 5".into(),
        "Transfer-Encoding : chunked".into(),
        "Transfer-Encoding: chunked, identity".into(),
        "X-Bare: a\rb".into(),
        "X-Null: a\0b".into(),
        " Folded: a".into(),
    ] {
        let text = format!("POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n{hidden}");
        let answer = server.send_text(&text).await?;
        let all = format!("{answer:?}");
        assert_eq!(answer.status, 400, "{headers:?}: {all}");
        assert!(!all.contains("HTTP/1.1 "), "a second answer: {all}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_does_not_finish_a_request_is_cut_off() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let soon = FIRST_HEAD_CUT_OFF_WITHIN;
    let silent = cut_off(server.connect().await?, "", "", soon);
    let half = cut_off(server.connect().await?, "GET /livez HTTP/1.1\r\nHost: ", "", soon);
    let slow = "GET /livez HTTP/1.1\r\nX-Slow: ";
    let drop_by_drop = cut_off(server.connect().await?, slow, "x", soon);
    let host = server.host();
    let no_body = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    );
    let no_body = cut_off(server.connect().await?, &no_body, "", Duration::from_secs(15));
    let answered = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let idle = cut_off(server.connect().await?, answered, "", CUT_OFF_WITHIN);
    let (silent, half, drop_by_drop, no_body, idle) = tokio::join!(silent, half, drop_by_drop, no_body, idle);
    silent.context("silent")?;
    half.context("half a head")?;
    drop_by_drop.context("drop by drop")?;
    assert!(no_body.context("without its body")?.starts_with("HTTP/1.1 408"));
    assert!(idle.context("idle after an answer")?.starts_with("HTTP/1.1 421"));
    Ok(())
}

/// Sends this, then one drop each second, and returns what came until the server hung up.
async fn cut_off(mut stream: TcpStream, first: &str, each_second: &str, within: Duration) -> Result<String> {
    stream.write_all(first.as_bytes()).await?;
    let (mut reads, mut writes) = stream.split();
    let mut said = Vec::new();
    let drops = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // It may be gone already.
            let _ = writes.write_all(each_second.as_bytes()).await;
        }
    };
    let ended = async {
        tokio::select! {
            // A reset is an end, too.
            _ = reads.read_to_end(&mut said) => {}
            () = drops => {}
        }
    };
    timeout(within, ended).await.context("it is still open")?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// What a program waits for its token twice, at most, however many are silent.
const TOKENS_WITHIN: Duration = Duration::from_millis(500);

#[tokio::test]
async fn programs_get_their_tokens_while_hundreds_are_silent() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    anyhow::ensure!(ran.code == Some(0), "{ran:?}");
    let reader = key(&desk, "reader", "token:PRIMARY", &[]).await?;
    let server = Server::start(&desk).await?;
    let knows = until(async || {
        let answer = server.get("/api/v1/apis/PRIMARY/token", &reader).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    assert!(knows.await, "the key is not known");
    let console = server.console().await?;
    let mut stream = server.events(&console).await?;
    stream.until("event: snapshot").await?;

    let host = server.host().to_owned();
    let starts = [
        String::new(),
        "GET /livez HTTP/1.1\r\nX-Slow: ".to_owned(),
        format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!(
            "POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        ),
    ];
    for crowd in [300, 1_200] {
        let mut silent = Vec::new();
        for number in 0..crowd {
            let mut one = server.connect().await?;
            // It may have been sent off again already.
            let _ = one.write_all(starts[number % starts.len()].as_bytes()).await;
            silent.push(one);
        }
        for _ in 0..20 {
            let path = "/api/v1/apis/PRIMARY/token";
            // By a connection of its own, and by one that stays.
            let began = tokio::time::Instant::now();
            let alone = server
                .send(&Request::to(&server, "GET", path).by(&reader))
                .await?;
            let kept = server.get(path, &reader).await?;
            let took = began.elapsed();
            assert_eq!(
                (alone.status, kept.status),
                (200, 200),
                "{crowd}: {alone:?} {kept:?}"
            );
            assert!(took < TOKENS_WITHIN, "{crowd} silent: {took:?}");
        }
        drop(silent);
    }
    // The stream was there before them, and is still.
    assert_eq!(server.stop().await?, Some(0));
    assert!(stream.to_its_end().await?.contains("event: snapshot"));
    Ok(())
}

#[tokio::test]
async fn no_callers_streams_keep_others_away_and_the_console_has_places_of_its_own() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let mut keys = Vec::new();
    for number in 0..5 {
        keys.push(key(&desk, &format!("watcher-{number}"), "status", &[]).await?);
    }
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let mut streams = Vec::new();
    let refused = async |caller: &Caller, words: &str| -> Result<()> {
        let refused = server.get("/api/v1/events", caller).await?;
        assert_eq!(refused.status, 503, "{refused:?}");
        let problem = refused.json()?;
        assert_eq!(problem["code"], "too_many_streams");
        assert!(problem["detail"].to_string().contains(words), "{problem}");
        Ok(())
    };
    for watcher in &keys[..4] {
        for number in 0..8 {
            let mut stream = server.events(watcher).await?;
            stream
                .until("event: snapshot")
                .await
                .with_context(|| number.to_string())?;
            streams.push(stream);
        }
        refused(watcher, "You have 8").await?;
    }
    refused(&keys[4], "Others have 32").await?;
    for _ in 0..8 {
        let mut stream = server.events(&console).await?;
        stream.until("event: snapshot").await?;
        let head = stream.text();
        assert!(head.contains("x-accel-buffering: no"), "{head}");
        assert!(head.contains("cache-control: no-store, no-transform"), "{head}");
        streams.push(stream);
    }
    refused(&console, "You have 8").await?;
    assert_eq!(server.get("/api/v1/apis", &console).await?.status, 200);

    // One of the console's is closed: the last.
    streams.pop();
    let has_place = until(async || {
        let stream = server.events(&console).await;
        stream.is_ok_and(|stream| stream.status == 200)
    });
    assert!(has_place.await, "the place of a stream that was closed is lost");

    // Whoever only looks takes no place for longer than that.
    for _ in 0..40 {
        let request = Request::to(&server, "HEAD", "/api/v1/events").by(&console);
        server.send(&request).await?;
    }
    let has_place = until(async || {
        let stream = server.events(&console).await;
        stream.is_ok_and(|stream| stream.status == 200)
    });
    assert!(has_place.await, "looking takes places");
    assert_eq!(server.stop().await?, Some(0));
    for stream in streams {
        assert!(stream.to_its_end().await?.contains("event: snapshot"));
    }
    Ok(())
}
