//! Runs over HTTP: a human at the console, or with curl, says yes, types OTP and PIN, pastes an address, and watches.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use rstest::rstest;
use serde_json::{Value, json};
use vega_tests::{Caller, Desk, Engine, OwnBrowser, Server, Upstox, until};

async fn key(desk: &Desk, scopes: &str) -> Result<Caller> {
    let made = desk.vega(&["key", "add", "story", "--scope", scopes]).await?;
    anyhow::ensure!(made.code == Some(0), "{made:?}");
    Ok(Caller::Key(made.stdout.trim().to_owned()))
}

fn port_of(address: &str) -> Result<u16> {
    let (_, rest) = address.split_once("localhost:").context("a port")?;
    let port = rest.split('/').next().context("a path")?;
    Ok(port.parse()?)
}

#[tokio::test]
async fn six_tokens_from_the_console_watched_with_curl() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let events = server.curl_events(&desk, &console).await?;
    let before = events.of("snapshot").remove(0);
    let apis = before["apis"].as_array().context("apis")?;
    assert!(
        apis.len() == 6 && apis.iter().all(|api| api["status"] == "missing"),
        "{before}"
    );

    let run = server.start_run(&console, json!({})).await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    let steps = ended["steps"].as_array().context("steps")?;
    assert!(
        steps.len() == 6 && steps.iter().all(|step| step["state"] == "done"),
        "{ended}"
    );

    events.until("run", |run| run["state"] == "completed").await?;
    for api in upstox.apps() {
        events
            .until("token", |token| {
                token["api"] == api && token["status"] == "valid" && token["servable"] == true
            })
            .await?;
        let steps = events.of("step");
        let states = steps.iter().filter(|step| step["api"] == api);
        let states: Vec<&str> = states.filter_map(|step| step["state"].as_str()).collect();
        assert_eq!(
            states,
            ["pending", "signing_in", "exchanging", "verifying", "done"],
            "{api}"
        );
    }
    let shown = events.shown();
    for api in upstox.apps() {
        assert!(
            !shown.contains(&desk.token(api).await?),
            "{api}'s token is in the stream"
        );
    }
    // A console reads no tokens.
    let refused = server.get("/api/v1/apis/PRIMARY/token", &console).await?;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(upstox.count("otp_presses").await?, 1);

    // An open stream does not hold the end up.
    assert_eq!(server.stop().await?, Some(0));
    events.end().await?;
    Ok(())
}

#[tokio::test]
async fn otp_and_pin_can_be_typed_over_http_and_never_show() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    upstox.human_at_the_desk(false).await?;
    let pin = upstox.seed().accounts[0].pin.clone();
    let server = Server::start(&desk).await?;
    let curl = key(&desk, "runs").await?;
    let run = server.start_run(&curl, json!({ "apis": ["PRIMARY"] })).await?;
    let answers = format!("{run}/answers");

    let asked = server.prompt(&run, &curl, "otp").await?;
    let wrong = json!({ "kind": "pin", "prompt": asked["id"], "pin": "123456" });
    let refused = server.post(&answers, &curl, wrong).await?;
    assert_eq!(
        (refused.status, &refused.json()?["code"]),
        (409, &json!("answer_does_not_fit"))
    );
    let otp = upstox.phone().await?.context("an OTP on the phone")?;
    let typed = json!({ "kind": "otp", "prompt": asked["id"], "otp": otp });
    assert_eq!(server.post(&answers, &curl, typed.clone()).await?.status, 204);
    let twice = server.post(&answers, &curl, typed).await?;
    assert_eq!(
        (twice.status, &twice.json()?["code"]),
        (409, &json!("prompt_gone"))
    );

    let asked = server.prompt(&run, &curl, "pin").await?;
    let typed = json!({ "kind": "pin", "prompt": asked["id"], "pin": pin });
    assert_eq!(server.post(&answers, &curl, typed).await?.status, 204);
    let ended = server.ended(&run, &curl).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    assert_eq!(
        (
            upstox.count("otp_presses").await?,
            upstox.count("tokens_issued").await?
        ),
        (1, 1)
    );
    let prompts = server.get(&format!("{run}/prompt"), &curl).await?.json()?;
    assert_eq!(prompts["prompts"], json!([]));
    let everything = format!("{ended}{}", server.log());
    assert!(!everything.contains(&otp) && !everything.contains(&pin));
    Ok(())
}

/// Nothing starts without a yes, and a yes comes from a human.
#[tokio::test]
async fn a_plan_is_declined_cancelled_or_joined() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;

    let asked = server.post("/api/v1/runs", &console, json!({})).await?.json()?;
    assert_eq!(asked["joined"], false);
    let run = format!("/api/v1/runs/{}", asked["id"].as_str().context("id")?);
    let second = server
        .post("/api/v1/runs", &console, json!({ "apis": ["PRIMARY"] }))
        .await?
        .json()?;
    assert_eq!((&second["joined"], &second["id"]), (&json!(true), &asked["id"]));
    let prompt = server.prompt(&run, &console, "confirm").await?;
    assert_eq!(
        prompt["plan"]["apis"].as_array().map(Vec::len),
        Some(6),
        "{prompt}"
    );
    let no = json!({ "kind": "confirm", "prompt": prompt["id"], "yes": false });
    assert_eq!(
        server.post(&format!("{run}/answers"), &console, no).await?.status,
        204
    );
    let ended = server.ended(&run, &console).await?;
    assert_eq!(
        (&ended["state"], &ended["outcome"]["code"]),
        (&json!("not_begun"), &json!("declined"))
    );

    let asked = server.post("/api/v1/runs", &console, json!({})).await?;
    let run = asked.header("location").context("location")?.to_owned();
    server.prompt(&run, &console, "confirm").await?;
    assert_eq!(server.delete(&run, &console).await?.status, 202);
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["outcome"]["code"], "cancelled", "{ended}");
    assert_eq!(server.delete(&run, &console).await?.status, 409, "it is over");
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_run_that_the_server_did_not_survive_goes_on_after_it(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    for politely in [true, false] {
        let upstox = Upstox::start().await?;
        let desk = Desk::new(&upstox)?.over(engine);
        let server = Server::start(&desk).await?;
        let console = server.console().await?;
        let events = server.curl_events(&desk, &console).await?;
        server.start_run(&console, json!({})).await?;
        events.until("step", |step| step["state"] == "done").await?;
        if politely {
            assert_eq!(server.stop().await?, Some(0));
        } else {
            server.kill().await?;
        }
        assert!(
            until(async || desk.processes().is_empty()).await,
            "left: {:?}",
            desk.processes()
        );

        let server = Server::start(&desk).await?;
        let console = server.console().await?;
        // Without anybody's doing: a start clears up after a dead process.
        let current = async || server.get("/api/v1/runs/current", &console).await?.json();
        let is_left = until(async || current().await.is_ok_and(|run| run["state"] == "incomplete"));
        assert!(is_left.await, "politely {politely}: {:?}", current().await);
        let left = current().await?;
        assert_eq!(left["under_way"], false, "{left}");
        let run = server.post("/api/v1/runs", &console, json!({})).await?;
        let run = run.header("location").context("location")?.to_owned();
        let prompt = server.prompt(&run, &console, "confirm").await?;
        assert_eq!(prompt["plan"]["goes_on_with"]["run"], left["run"], "{prompt}");
        let yes = json!({ "kind": "confirm", "prompt": prompt["id"], "yes": true });
        assert_eq!(
            server
                .post(&format!("{run}/answers"), &console, yes)
                .await?
                .status,
            204
        );
        let ended = server.ended(&run, &console).await?;
        assert_eq!(
            (&ended["state"], &ended["run"]),
            (&json!("completed"), &left["run"]),
            "{ended}"
        );
        let made = upstox.counters().await?;
        assert!(
            made["tokens_by_app"]
                .as_object()
                .context("tokens")?
                .values()
                .all(|made| *made == 1),
            "{made}"
        );
    }
    Ok(())
}

/// The link goes to the console alone; the browser comes back to the server itself.
#[tokio::test]
async fn a_browser_of_ones_own_comes_back_to_the_server() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__ROUTE", "own-browser");
    let port = port_of(upstox.redirect_uri())?;
    let server = Server::start_at(&desk, port).await?;
    // Browsers go to `localhost` by IPv6 first: nobody else may be met there.
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert!(std::net::TcpListener::bind(("::1", port)).is_err());
    }
    let console = server.console().await?;
    let curl = key(&desk, "runs").await?;
    let browser = OwnBrowser::at(&desk).await?;
    let run = server
        .start_run(&console, json!({ "apis": ["PRIMARY", "WEBSOCKET1"] }))
        .await?;
    for api in ["PRIMARY", "WEBSOCKET1"] {
        let is_its_turn = async || {
            let prompt = server.prompt(&run, &console, "link").await;
            prompt.is_ok_and(|prompt| prompt["api"] == api)
        };
        assert!(until(is_its_turn).await);
        let prompt = server.prompt(&run, &console, "link").await?;
        assert_eq!(prompt["paste_only"], Value::Null, "the server takes it: {prompt}");
        let of_program = server.prompt(&run, &curl, "link").await?;
        assert!(of_program.get("link").is_none(), "{of_program}");
        browser.go_to(prompt["link"].as_str().context("a link")?).await?;
        browser
            .until_it_says(&format!("Vega has received the sign-in for {api}"))
            .await?;
    }
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    assert!(!server.log().contains("code="), "{}", server.log());

    // A `vega` on the command line waits for what comes to the server.
    let mut vega = desk.start_in_terminal(&["--yes", "--route", "own-browser", "WEBSOCKET2"])?;
    let mut terminal = vega_tests::Terminal::of(&mut vega)?;
    terminal.wait_for("brings the code back by itself").await?;
    browser.go_to(&vega_tests::link_in(terminal.shown())?).await?;
    browser
        .until_it_says("Vega has received the sign-in for WEBSOCKET2")
        .await?;
    assert_eq!(vega.wait().await?.code(), Some(0), "{}", terminal.shown());
    Ok(())
}

#[tokio::test]
async fn an_address_can_be_pasted_over_http() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    upstox.human_does_everything(Duration::from_millis(100)).await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__ROUTE", "own-browser");
    // Somebody else has the redirect's port.
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", port_of(upstox.redirect_uri())?)).await?;
    // It hangs up on everybody.
    tokio::spawn(async move { while taken.accept().await.is_ok() {} });
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let browser = OwnBrowser::at(&desk).await?;
    let run = server.start_run(&console, json!({ "apis": ["PRIMARY"] })).await?;
    let prompt = server.prompt(&run, &console, "link").await?;
    assert!(
        prompt["paste_only"]
            .as_str()
            .is_some_and(|why| why.contains("another program")),
        "{prompt}"
    );
    browser.go_to(prompt["link"].as_str().context("a link")?).await?;
    let address = browser.until_at(upstox.redirect_uri()).await?;
    let pasted = json!({ "kind": "address", "prompt": prompt["id"], "address": address });
    assert_eq!(
        server
            .post(&format!("{run}/answers"), &console, pasted)
            .await?
            .status,
        204
    );
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["state"], "completed", "{ended}");
    Ok(())
}

#[tokio::test]
async fn a_plan_that_nobody_answers_is_given_up() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "1s");
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let asked = server.post("/api/v1/runs", &console, json!({})).await?;
    let run = asked.header("location").context("location")?.to_owned();
    let prompt = server.prompt(&run, &console, "confirm").await?;
    let ended = server.ended(&run, &console).await?;
    assert_eq!(ended["outcome"]["code"], "unanswered", "{ended}");
    let late = json!({ "kind": "confirm", "prompt": prompt["id"], "yes": true });
    let late = server.post(&format!("{run}/answers"), &console, late).await?;
    assert_eq!((late.status, &late.json()?["code"]), (409, &json!("run_over")));
    assert_eq!(upstox.count("dialogs_opened").await?, 0);
    Ok(())
}

/// The run of a `vega` on the command line is seen here, not doubled, and can be ended from here.
#[tokio::test]
async fn a_run_of_another_process_is_shown_and_ended_from_here() -> Result<()> {
    let upstox = Upstox::start().await?;
    upstox.human_at_the_desk(false).await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let vega = desk.start(&["--yes", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await);

    let refused = server.post("/api/v1/runs", &console, json!({})).await?;
    assert_eq!(
        (refused.status, &refused.json()?["code"]),
        (409, &json!("held_elsewhere"))
    );
    let holder = format!("process {}", vega.id().context("an id")?);
    assert!(refused.text.contains(&holder), "{refused:?}");
    let shown = server.get("/api/v1/runs/current", &console).await?.json()?;
    assert_eq!(
        (&shown["elsewhere"], &shown["under_way"]),
        (&json!(true), &json!(true)),
        "{shown}"
    );
    let run = format!("/api/v1/runs/{}", shown["id"].as_str().context("id")?);
    assert_eq!(server.delete(&run, &console).await?.status, 202);
    let ended = vega_tests::Ran::to_its_end(vega).await?;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert_eq!(server.ended(&run, &console).await?["state"], "cancelled");
    Ok(())
}

/// Health and figures, as a machine that watches asks for them.
#[tokio::test]
async fn health_and_figures_are_told() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let server = Server::start(&desk).await?;
    let watcher = key(&desk, "status").await?;
    let ready = server.get("/readyz", &Caller::Stranger).await?;
    assert_eq!((ready.status, &ready.json()?["ready"]), (200, &json!(true)));
    let figures = server.get("/metrics", &watcher).await?.text;
    let of = |what: &str| -> BTreeSet<&str> {
        let lines = figures.lines().filter_map(|line| line.strip_prefix(what));
        lines.filter_map(|line| line.split_whitespace().next()).collect()
    };
    assert_eq!(of("# HELP "), of("# TYPE "), "each figure says what it is");
    assert!(of("# HELP ").len() >= 8, "{figures}");
    for line in [
        "vega_tokens{status=\"valid\"} 1",
        "vega_tokens{status=\"missing\"} 5",
        "vega_otp_presses_left{account=\"default\"} 3",
        "vega_run_under_way 0",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    let left = figures
        .lines()
        .find_map(|line| line.strip_prefix("vega_token_seconds_to_expiry{api=\"PRIMARY\"} "));
    let left: f64 = left.context("seconds to expiry")?.parse()?;
    assert!(left > 0.0 && left <= 86_400.0, "{left}");
    assert!(
        figures.contains("vega_request_seconds_bucket{method=\"GET\",path=\"/readyz\",status=\"200\""),
        "{figures}"
    );

    // The key is somewhere else now: nothing could be stored and read again.
    let key_file = desk.path().join("config/vega/vega.key");
    std::fs::rename(&key_file, desk.path().join("elsewhere.key"))?;
    let is_told = until(async || {
        let ready = server.get("/readyz", &Caller::Stranger).await;
        ready.is_ok_and(|ready| ready.status == 503 && ready.text.contains("\"storage\":false"))
    });
    assert!(is_told.await);
    Ok(())
}

/// What was asked for here before does not hide it.
#[tokio::test]
async fn a_run_of_another_process_is_shown_after_its_end() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;
    let events = server.curl_events(&desk, &console).await?;
    let asked = server.post("/api/v1/runs", &console, json!({})).await?;
    let asked = asked.header("location").context("location")?.to_owned();
    server.delete(&asked, &console).await?;
    assert_eq!(server.ended(&asked, &console).await?["state"], "not_begun");

    assert_eq!(desk.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let ended = events.until("run", |run| run["state"] == "completed").await?;
    let current = server.get("/api/v1/runs/current", &console).await?.json()?;
    assert_eq!(
        (&current["id"], &current["state"]),
        (&ended["id"], &json!("completed"))
    );
    Ok(())
}

/// Others may read where such a log is kept.
#[tokio::test]
async fn a_log_in_json_holds_no_link_into_the_console() -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?;
    desk.set("VEGA__SERVER__LOG_FORMAT", "json");
    let server = Server::start(&desk).await?;
    let log = server.log();
    assert!(log.contains("listening on") && !log.contains("/enter#"), "{log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    Ok(())
}
