//! Two machines with one database on a server: one signs in and the other serves; one dies or is held up, and the other goes on. Each
//! machine is a desk with a home of its own; only the key and the database are shared.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vega_testing::PostgresServer;
use vega_tests::{Caller, Desk, Engine, Front, Ran, Server, Upstox, end_at_once, hold_up, let_go_on, until};

/// The first desk has made the key and the tables.
async fn two_machines(upstox: &Upstox) -> Result<(Desk, Desk)> {
    let url = PostgresServer::shared().fresh_database();
    let (mut one, mut other) = (Desk::new(upstox)?, Desk::new(upstox)?);
    one.use_database(&url);
    other.use_database(&url);
    assert_eq!(one.vega(&["status"]).await?.code, Some(3));
    one.give_key(&other)?;
    Ok((one, other))
}

async fn no_rule_was_broken(upstox: &Upstox, presses: u64) -> Result<()> {
    let counters = upstox.counters().await?;
    assert_eq!(counters["otp_presses"], presses, "{counters}");
    assert_eq!(counters["max_exchanges_of_one_code"], 1, "{counters}");
    assert_eq!(counters["max_parallel_sign_ins"], 1, "{counters}");
    Ok(())
}

async fn is_intact(desk: &Desk) -> Result<()> {
    let verified = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    Ok(())
}

#[tokio::test]
async fn one_machine_signs_in_and_the_other_serves() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    let server = Server::start(&other).await?;
    let made = other
        .vega(&["key", "add", "trader", "--scope", "token:PRIMARY"])
        .await?;
    let program = Caller::Key(made.stdout.trim().to_owned());
    let path = "/api/v1/apis/PRIMARY/token";
    assert_eq!(server.get(path, &program).await?.status, 409);

    let ran = one.vega(&["--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let comes = until(async || {
        server
            .get(path, &program)
            .await
            .is_ok_and(|answer| answer.status == 200)
    });
    assert!(comes.await, "{}", server.log());
    let token = server.get(path, &program).await?.json()?["access_token"].clone();
    assert_eq!(token, json!(one.token("PRIMARY").await?));
    assert_eq!(other.status().await?.apis_with_status("valid").len(), 6);

    let revoked = one.vega(&["revoke", "PRIMARY", "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let refused = until(async || {
        server
            .get(path, &program)
            .await
            .is_ok_and(|answer| answer.status == 409)
    });
    assert!(refused.await, "{}", server.log());
    no_rule_was_broken(&upstox, 1).await?;
    for desk in [&one, &other] {
        is_intact(desk).await?;
    }
    Ok(())
}

/// A path is of one machine: what one has delivered is no delivery of the other.
#[tokio::test]
async fn each_machine_brings_the_token_to_its_own_files() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    // The same path on both, as far as the database can tell.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("token");
    let followed = |desk: &Desk| desk.path().join("followed");
    for desk in [&one, &other] {
        let then = format!("then = [\"cp\", \"{{path}}\", \"{}\"]", followed(desk).display());
        let row = format!(
            "[[files]]\napi = \"PRIMARY\"\npath = \"{}\"\n{then}\n",
            path.display()
        );
        std::fs::write(desk.path().join("config/vega/vega.toml"), row)?;
    }
    let server = Server::start(&other).await?;
    assert_eq!(one.vega(&["--yes", "PRIMARY"]).await?.code, Some(0));
    let token = one.token("PRIMARY").await?;
    for desk in [&one, &other] {
        let has_it = until(async || std::fs::read_to_string(followed(desk)).is_ok_and(|text| text == token));
        assert!(has_it.await, "{}", server.log());
        assert!(until(async || desk.vega(&["files"]).await.is_ok_and(|ran| ran.code == Some(0))).await);
    }
    for desk in [&one, &other] {
        is_intact(desk).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_the_key_the_next_machine_does_nothing_and_says_why() -> Result<()> {
    let upstox = Upstox::start().await?;
    let url = PostgresServer::shared().fresh_database();
    let (mut first, mut stranger) = (Desk::new(&upstox)?, Desk::new(&upstox)?);
    first.use_database(&url);
    stranger.use_database(&url);
    assert_eq!(first.vega(&["status"]).await?.code, Some(3));
    let refused = stranger.vega(&["status"]).await?;
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("is missing, but the database belongs to it"),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_machine_that_dies_leaves_its_run_to_the_next() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    upstox.human_at_the_desk(false).await?;
    let mut vega = one.start(&["--yes", "PRIMARY", "WEBSOCKET1"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    end_at_once(&vega)?;
    vega.wait().await?;

    upstox.human_at_the_desk(true).await?;
    // The press of the dead one is on record: another one needs a yes of its own.
    let asked = other.vega(&["--yes"]).await?;
    assert_eq!(asked.code, Some(3), "{asked:?}");
    assert!(asked.stderr.contains("nothing is heard of it"), "{asked:?}");
    let again = other.vega(&["--yes", "--again", "PRIMARY"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(one.status().await?.apis_with_status("valid").len(), 6);
    is_intact(&one).await
}

#[tokio::test]
async fn a_machine_that_was_held_up_changes_nothing_any_more() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    upstox.human_at_the_desk(false).await?;
    let vega = one.start(&["--yes", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    hold_up(&vega)?;

    upstox.human_at_the_desk(true).await?;
    let others = other.vega(&["--yes", "WEBSOCKET1"]).await?;
    assert_eq!(others.code, Some(0), "{others:?}");
    let before = other.vega(&["audit", "--json"]).await?;

    let_go_on(&vega)?;
    let ended = Ran::to_its_end(vega).await?;
    assert_eq!(ended.code, Some(11), "{ended:?}");
    assert!(ended.stderr.contains("took the sign-in over"), "{ended:?}");
    let after = other.vega(&["audit", "--json"]).await?;
    assert_eq!(before.stdout, after.stdout, "it wrote nothing");
    assert!(
        until(async || one.processes().is_empty()).await,
        "{:?}",
        one.processes()
    );
    is_intact(&one).await
}

#[tokio::test]
async fn the_database_is_not_moved_while_a_run_is_under_way_or_left() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    upstox.human_at_the_desk(false).await?;
    let mut vega = one.start(&["--yes", "PRIMARY"])?;
    assert!(upstox.until_otp_is_asked_for().await, "Get OTP was never pressed");
    let file = other.path().join("data/moved.db");
    let to = format!("sqlite://{}", file.display());
    let refused = other.vega(&["move", &to]).await?;
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert!(refused.stderr.contains("Wait for its end"), "{refused:?}");

    end_at_once(&vega)?;
    vega.wait().await?;
    let left = until(async || {
        let refused = other.vega(&["move", &to]).await;
        refused.is_ok_and(|ran| ran.code == Some(11) && ran.stderr.contains("`vega verify` does that"))
    });
    assert!(left.await, "{:?}", other.vega(&["move", &to]).await);
    assert!(!file.exists(), "nothing was begun");
    let verified = other.vega(&["verify"]).await?;
    assert_eq!(verified.code, Some(3), "{verified:?}");
    let moved = other.vega(&["move", &to]).await?;
    assert_eq!(moved.code, Some(0), "{moved:?}");
    assert!(file.exists());
    for desk in [&one, &other] {
        let told = desk.vega(&["status"]).await?;
        assert!(
            told.stderr.contains(&format!("Set VEGA__DATABASE__URL={to}")),
            "{told:?}"
        );
    }
    Ok(())
}

/// A desk whose database does not take the answer of `PRIMARY`, so that it lies in the spool of that machine when it dies.
async fn dies_with_an_answer(upstox: &Upstox) -> Result<(Desk, Desk)> {
    let one = Desk::with_test_hooks(upstox)?.over(Engine::Postgres);
    let mut other = Desk::new(upstox)?;
    other.use_database(one.on_server().context("a database on a server")?);
    assert_eq!(one.vega(&["status"]).await?.code, Some(3));
    one.give_key(&other)?;
    one.fill("sign_in_attempts", "UPDATE OF sealed_answer")?;
    one.crash_at(Some("kept_in_spool"))?;
    let died = one.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(died.code, None, "{died:?}");
    one.crash_at(None)?;
    one.make_room("sign_in_attempts")?;

    let verified = other.vega(&["verify", "--json"]).await?;
    let failure = verified.report()?.api("PRIMARY")?["last_failure"].clone();
    assert_eq!(failure["reason"], "outcome_unknown", "{failure}");
    let words = failure["detail"].as_str().context("words")?;
    assert!(words.contains("start Vega there before"), "{words}");
    Ok((one, other))
}

#[tokio::test]
async fn an_answer_comes_home_with_the_machine_that_kept_it() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = dies_with_an_answer(&upstox).await?;
    let refused = other.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(refused.code, Some(5), "{refused:?}");

    let home = one.vega(&["verify", "--json"]).await?;
    assert_eq!(home.report()?.api("PRIMARY")?["status"], "valid", "{home:?}");
    let token = other.token("PRIMARY").await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    no_rule_was_broken(&upstox, 1).await?;
    is_intact(&other).await
}

#[tokio::test]
async fn an_answer_that_comes_home_too_late_is_on_record_and_changes_nothing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = dies_with_an_answer(&upstox).await?;
    let again = other.vega(&["--yes", "--again", "PRIMARY", "PRIMARY"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    let token = other.token("PRIMARY").await?;

    for _ in 0..2 {
        let home = one.vega(&["verify", "--json"]).await?;
        assert_eq!(home.report()?.api("PRIMARY")?["status"], "valid", "{home:?}");
    }
    assert_eq!(one.token("PRIMARY").await?, token);
    let trail = other.vega(&["audit", "--json"]).await?.json()?;
    let late = trail["entries"].as_array().context("entries")?.iter();
    let late = late.filter(|entry| {
        entry["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("came too late"))
    });
    assert_eq!(late.count(), 1, "{trail}");
    no_rule_was_broken(&upstox, 2).await?;
    is_intact(&other).await
}

/// What `vega seal machines --json` says of this machine's keys: of the one in force, and of the next one.
async fn own_keys(desk: &Desk) -> Result<(Value, Value)> {
    let listed = desk.vega(&["seal", "machines", "--json"]).await?.json()?;
    let mut machines = listed["machines"].as_array().context("machines")?.iter();
    let own = machines.find(|machine| machine["is_this_one"] == json!(true));
    let own = own.context("this machine is listed")?;
    Ok((own["has_key"].clone(), own["has_next_key"].clone()))
}

#[tokio::test]
async fn a_key_is_rotated_in_two_steps_while_both_machines_serve() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    let ran = one.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let token = one.token("PRIMARY").await?;
    let server = Server::start_behind(&other, Front::Nginx).await?;
    let console = server.console().await?;
    let made = other
        .vega(&["key", "add", "trader", "--scope", "token:PRIMARY"])
        .await?;
    let program = Caller::Key(made.stdout.trim().to_owned());

    for (arguments, words) in [
        (&["seal", "rotate"][..], "vega seal rotate --prepare"),
        (&["seal", "rotate", "--commit"], "no key was prepared"),
    ] {
        let refused = one.vega(arguments).await?;
        assert_eq!(refused.code, Some(11), "{refused:?}");
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
    let prepared = one
        .vega(&["seal", "rotate", "--prepare", "--json"])
        .await?
        .json()?;
    let file = Path::new(prepared["file"].as_str().context("a file")?);
    assert_eq!(own_keys(&one).await?, (json!(true), json!(true)));
    assert_eq!(own_keys(&other).await?, (json!(true), json!(false)));
    let refused = one.vega(&["seal", "rotate", "--commit"]).await?;
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert!(refused.stderr.contains("the next key is not on "), "{refused:?}");

    std::fs::copy(file, other.path().join(file.strip_prefix(one.path())?))?;
    assert_eq!(own_keys(&other).await?, (json!(true), json!(true)));
    let committed = one.vega(&["seal", "rotate", "--commit"]).await?;
    assert_eq!(committed.code, Some(0), "{committed:?}");

    // The server was not started again.
    let path = "/api/v1/apis/PRIMARY/token";
    let answer = server.get(path, &program).await?;
    assert_eq!(answer.json()?["access_token"], json!(token), "{}", server.log());
    let ready = until(async || {
        let answer = server.get("/readyz", &console).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    assert!(ready.await, "{}", server.log());
    let system = server.get("/api/v1/system", &console).await?.json()?;
    assert_eq!(system["key"]["id"], prepared["key_id"], "{system}");
    let machines = system["machines"].as_array().context("machines")?;
    assert_eq!(machines.len(), 2, "{system}");
    assert!(
        machines.iter().all(|machine| machine["has_key"] == json!(true)),
        "{system}"
    );
    let own = machines
        .iter()
        .find(|machine| machine["is_this_one"] == json!(true));
    let url = own.context("this machine")?["url"].as_str().context("its URL")?;
    assert!(url.contains(server.address()), "{url}");
    let figures = server.get("/metrics", &console).await?.text;
    for figure in [
        "vega_machines_seen 2",
        "vega_machines_without_key 0",
        "vega_sign_in_lease_held 0",
        "vega_machine_info{",
    ] {
        assert!(figures.contains(figure), "{figures}");
    }
    for desk in [&one, &other] {
        assert_eq!(desk.token("PRIMARY").await?, token);
        assert_eq!(own_keys(desk).await?, (json!(true), Value::Null));
        is_intact(desk).await?;
    }
    Ok(())
}

/// Its server runs on, and the operator left it out.
#[tokio::test]
async fn a_server_without_the_key_gives_out_what_it_has_and_says_what_is_missing() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    let ran = one.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let server = Server::start(&other).await?;
    let made = other
        .vega(&["key", "add", "trader", "--scope", "token:PRIMARY,status"])
        .await?;
    let program = Caller::Key(made.stdout.trim().to_owned());
    let path = "/api/v1/apis/PRIMARY/token";
    let has_token = async || {
        let answer = server.get(path, &program).await;
        answer.is_ok_and(|answer| answer.status == 200)
    };
    assert!(until(has_token).await, "{}", server.log());
    let listed = other.vega(&["seal", "machines", "--json"]).await?.json()?;
    let mut machines = listed["machines"].as_array().context("machines")?.iter();
    let own = machines.find(|machine| machine["is_this_one"] == json!(true));
    let name = own.context("this one")?["name"].as_str().context("its name")?;
    let prepared = one
        .vega(&["seal", "rotate", "--prepare", "--json"])
        .await?
        .json()?;
    let file = Path::new(prepared["file"].as_str().context("a file")?);
    let committed = one
        .vega(&["seal", "rotate", "--commit", "--without", name])
        .await?;
    assert_eq!(committed.code, Some(0), "{committed:?}");

    let told = until(async || {
        let answer = server.get("/readyz", &program).await;
        answer.is_ok_and(|answer| answer.status == 503)
    });
    assert!(told.await, "{}", server.log());
    assert!(
        server.log().contains("does not have the new one"),
        "{}",
        server.log()
    );
    assert!(has_token().await, "{}", server.log());

    // The file has another name where it was rotated by now.
    let there = one.path().join("config/vega/vega.key");
    std::fs::copy(there, other.path().join(file.strip_prefix(one.path())?))?;
    let ready = until(async || {
        let answer = server.get("/readyz", &program).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    assert!(ready.await, "{}", server.log());
    assert!(has_token().await, "{}", server.log());
    is_intact(&other).await
}

/// It was away while the key was rotated, and comes back.
#[tokio::test]
async fn a_machine_that_was_away_during_a_rotation_is_told_where_the_key_is() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (one, other) = two_machines(&upstox).await?;
    assert_eq!(other.vega(&["status"]).await?.code, Some(3));
    let listed = other.vega(&["seal", "machines", "--json"]).await?.json()?;
    let names = listed["machines"].as_array().context("machines")?.iter();
    let name = |own: bool| {
        let mut found = names
            .clone()
            .filter(|machine| machine["is_this_one"] == json!(own));
        found
            .next()
            .and_then(|machine| machine["name"].as_str())
            .map(str::to_owned)
    };
    let (first, away) = (name(false).context("the first")?, name(true).context("this one")?);
    let prepared = one.vega(&["seal", "rotate", "--prepare"]).await?;
    assert_eq!(prepared.code, Some(0), "{prepared:?}");
    assert!(prepared.stdout.contains(&away), "{prepared:?}");
    let unknown = one
        .vega(&["seal", "rotate", "--commit", "--without", "desk9"])
        .await?;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let committed = one
        .vega(&["seal", "rotate", "--commit", "--without", &away])
        .await?;
    assert_eq!(committed.code, Some(0), "{committed:?}");
    let trail = one.vega(&["audit", "--json"]).await?;
    assert!(trail.stdout.contains(&format!("without {away}")), "{trail:?}");

    let refused = other.vega(&["status"]).await?;
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(
        refused.stderr.contains("rotated while this machine was away"),
        "{refused:?}"
    );
    let host = first.rsplit_once('-').map_or(&*first, |(host, _)| host);
    assert!(refused.stderr.contains(host), "{refused:?}");
    let words = refused.stderr.split_whitespace();
    let to = words
        .into_iter()
        .find(|word| word.contains("vega.key.next-"))
        .context("where to")?;
    std::fs::copy(one.path().join("config/vega/vega.key"), to)?;
    assert_eq!(other.vega(&["status"]).await?.code, Some(3));
    is_intact(&other).await
}
