//! What lets somebody in ends with its time or with the operator's word, and what hangs on it ends with it. Guessing takes
//! its time.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;
use vega_tests::{Caller, Desk, Server, Upstox, until};

use crate::server_route_permissions::{key, link, new_console};

const WRONG: Duration = Duration::from_millis(300);

async fn status(server: &Server, path: &str, caller: &Caller) -> Result<u16> {
    Ok(server.get(path, caller).await?.status)
}

async fn open(server: &Server, code: &str) -> Result<u16> {
    let body = json!({ "code": code });
    Ok(server
        .post("/api/v1/session", &Caller::Stranger, body)
        .await?
        .status)
}

/// A desk whose clock has gone on by this since it was set up.
struct Later<'d> {
    desk: &'d Desk,
    by: TimeDelta,
}

impl Later<'_> {
    fn go_on(&mut self, by: TimeDelta) -> Result<()> {
        self.by += by;
        self.desk.move_clock(self.by)
    }
}

#[tokio::test]
async fn a_link_opens_one_session_within_a_minute() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    let mut clock = Later {
        desk: &desk,
        by: TimeDelta::zero(),
    };
    let server = Server::start(&desk).await?;

    let code = link(&desk, &server).await?;
    assert_eq!(open(&server, &code).await?, 200);
    assert_eq!(open(&server, &code).await?, 401, "used twice");

    let code = link(&desk, &server).await?;
    clock.go_on(TimeDelta::seconds(61))?;
    assert_eq!(open(&server, &code).await?, 401, "after its time");
    clock.go_on(TimeDelta::seconds(-61))?;

    // Two at once: one of them.
    let code = link(&desk, &server).await?;
    let (one, other) = tokio::join!(open(&server, &code), open(&server, &code));
    let mut both = [one?, other?];
    both.sort_unstable();
    assert_eq!(both, [200, 401]);
    Ok(())
}

#[tokio::test]
async fn a_session_ends_when_nobody_calls_and_after_half_a_day() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    let mut clock = Later {
        desk: &desk,
        by: TimeDelta::zero(),
    };
    let server = Server::start(&desk).await?;

    let idle = server.console().await?;
    let mut stream = server.events(&idle).await?;
    stream.until("event: snapshot").await?;
    clock.go_on(TimeDelta::minutes(14))?;
    assert_eq!(status(&server, "/api/v1/session", &idle).await?, 200);
    clock.go_on(TimeDelta::minutes(14))?;
    assert_eq!(
        status(&server, "/api/v1/session", &idle).await?,
        200,
        "it was used meanwhile"
    );
    clock.go_on(TimeDelta::minutes(15))?;
    assert_eq!(status(&server, "/api/v1/session", &idle).await?, 401);
    stream
        .to_its_end()
        .await
        .context("a stream outlives its session")?;
    clock.go_on(TimeDelta::minutes(-10))?;
    assert_eq!(
        status(&server, "/api/v1/session", &idle).await?,
        200,
        "only its time had passed"
    );

    let watched = new_console(&desk, &server).await?;
    let unattended = async || {
        let mark = [("x-vega-unattended", "1")];
        let answer = server.call("GET", "/api/v1/system", &watched, &mark, None).await;
        answer.map(|answer| answer.status)
    };
    clock.go_on(TimeDelta::minutes(14))?;
    assert_eq!(unattended().await?, 200);
    clock.go_on(TimeDelta::minutes(2))?;
    assert_eq!(
        unattended().await?,
        401,
        "a page that nobody touches keeps nothing open"
    );

    let busy = new_console(&desk, &server).await?;
    for _ in 0..71 {
        clock.go_on(TimeDelta::minutes(10))?;
        assert_eq!(status(&server, "/api/v1/apis", &busy).await?, 200);
    }
    clock.go_on(TimeDelta::minutes(11))?;
    assert_eq!(
        status(&server, "/api/v1/apis", &busy).await?,
        401,
        "used all the time, and too old"
    );

    let console = new_console(&desk, &server).await?;
    let mut stream = server.events(&console).await?;
    stream.until("event: snapshot").await?;
    assert_eq!(server.delete("/api/v1/session", &console).await?.status, 204);
    assert_eq!(status(&server, "/api/v1/session", &console).await?, 401);
    stream
        .to_its_end()
        .await
        .context("a stream outlives its session")?;
    Ok(())
}

#[tokio::test]
async fn a_key_ends_with_its_time_or_the_operators_word() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::with_test_hooks(&upstox)?;
    let mut clock = Later {
        desk: &desk,
        by: TimeDelta::zero(),
    };
    let expiring = key(&desk, "expiring", "status", &["--expires", "2h"]).await?;
    let revoked = key(&desk, "revoked", "status", &[]).await?;
    let server = Server::start(&desk).await?;
    let mut streams = Vec::new();
    for key in [&expiring, &revoked] {
        let mut stream = server.events(key).await?;
        stream.until("event: snapshot").await?;
        streams.push(stream);
    }

    clock.go_on(TimeDelta::minutes(119))?;
    assert_eq!(status(&server, "/api/v1/apis", &expiring).await?, 200);
    clock.go_on(TimeDelta::minutes(1))?;
    assert_eq!(status(&server, "/api/v1/apis", &expiring).await?, 401);
    let second = streams.pop().context("a stream")?;
    let first = streams.pop().context("a stream")?;
    first.to_its_end().await.context("a stream outlives its key")?;

    assert_eq!(status(&server, "/api/v1/apis", &revoked).await?, 200);
    desk.vega(&["key", "revoke", "revoked"]).await?;
    let is_over = until(async || {
        status(&server, "/api/v1/apis", &revoked)
            .await
            .is_ok_and(|status| status == 401)
    });
    assert!(is_over.await, "a revoked key opens");
    second.to_its_end().await.context("a stream outlives its key")?;
    Ok(())
}

#[tokio::test]
async fn a_guess_takes_its_time_and_nobody_elses() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let bad_key = Caller::Key("CANARY-no-such-key".into());
    let bad_session = Caller::Console(
        "vega_session=CANARY-no-such-session".into(),
        "CANARY-no-such-second".into(),
    );
    for guess in [bad_key, bad_session] {
        let began = Instant::now();
        assert_eq!(status(&server, "/api/v1/apis", &guess).await?, 401);
        assert!(began.elapsed() >= WRONG, "{guess:?}: {:?}", began.elapsed());
    }
    let began = Instant::now();
    assert_eq!(open(&server, "CANARY-no-such-link").await?, 401);
    assert!(began.elapsed() >= WRONG, "{:?}", began.elapsed());

    // Forty who guess do not stand in the way of one who knows.
    let guess = Caller::Key("CANARY-no-such-key".into());
    let guesses = async {
        for _ in 0..10 {
            let four = || status(&server, "/api/v1/apis", &guess);
            let (a, b, c, d) = tokio::join!(four(), four(), four(), four());
            assert_eq!([a?, b?, c?, d?], [401; 4]);
        }
        anyhow::Ok(())
    };
    let mut calls = 0;
    let knows = async {
        loop {
            assert_eq!(status(&server, "/api/v1/apis", &console).await?, 200);
            calls += 1;
        }
        #[expect(unreachable_code, reason = "it says what an error is")]
        anyhow::Ok(())
    };
    tokio::select! {
        done = guesses => done?,
        failed = knows => failed?,
    }
    assert!(calls > 10, "{calls} while forty guessed");
    Ok(())
}
