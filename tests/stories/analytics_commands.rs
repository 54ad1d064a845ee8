//! An account's analytics token in a shell and in files: `vega token`, `exec`, `watch` and `[[files]]` give the kind that they are asked for,
//! over the server's socket and over the database, and never another one.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;
use vega_tests::{Desk, Engine, Server, Upstox, it_is, until};

const API: &str = "PRIMARY";
const SHOW: &str = "echo $UPSTOX_ACCESS_TOKEN $VEGA_PRIMARY_KIND $VEGA_PRIMARY_GENERATION";
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file for each kind, in a folder of nobody else.
fn configure(desk: &Desk) -> Result<()> {
    let run = desk.path().join("run");
    std::fs::create_dir(&run)?;
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700))?;
    let row = |name: &str, kind: &str| {
        let path = run.join(name);
        format!(
            "[[files]]\napi = \"{API}\"\npath = \"{}\"\n{kind}\n\n",
            path.display()
        )
    };
    let rows = [
        row("trade", ""),
        row("read", "kind = \"read\""),
        row("either", "accept = \"read\""),
    ];
    Ok(std::fs::write(
        desk.path().join("config/vega/vega.toml"),
        rows.concat(),
    )?)
}

fn file(desk: &Desk, name: &str) -> Option<String> {
    std::fs::read_to_string(desk.path().join("run").join(name)).ok()
}

/// What a shell gets for each kind that it may ask for: the code and the token.
async fn given(desk: &Desk) -> Result<[(Option<i32>, String); 3]> {
    let mut given = Vec::new();
    for more in [&[][..], &["--kind", "read"], &["--accept", "read"]] {
        let ran = desk.vega(&[&["token", API][..], more].concat()).await?;
        given.push((ran.code, ran.stdout.trim().to_owned()));
    }
    given.try_into().ok().context("three")
}

#[rstest]
#[tokio::test]
async fn each_command_gives_the_kind_that_it_is_asked_for(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(false, true)] by_a_server: bool,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::new(&upstox)?.over(engine);
    desk.set("UPSTOX_USER_ID", &upstox.seed().accounts[0].user_id);
    configure(&desk)?;
    let server = if by_a_server {
        Some(Server::start(&desk).await?)
    } else {
        None
    };
    let has_files = async |expected: [Option<&str>; 3]| {
        let names = ["trade", "read", "either"];
        until(async || names.map(|name| file(&desk, name)) == expected.map(|text| text.map(str::to_owned)))
            .await
    };
    let none = || (Some(3), String::new());

    assert_eq!(given(&desk).await?, [none(), none(), none()]);
    let ran = desk.vega(&["token", API, "--kind", "read"]).await?;
    ensure!(ran.stderr.contains("`vega adopt --analytics default`"), "{ran:?}");
    let ran = desk.vega(&["exec", API, "--kind", "read", "--", "true"]).await?;
    assert_eq!(ran.code, Some(125), "{ran:?}");
    ensure!(ran.stderr.contains("`vega adopt --analytics default`"), "{ran:?}");

    let made = upstox.analytics_token("default").await?;
    let adopted = desk
        .vega_with_input(&["adopt", "--analytics", "default"], &made)
        .await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let good = |token: &str| (Some(0), token.to_owned());
    let arrived = until(async || given(&desk).await.is_ok_and(|given| given[1] == good(&made))).await;
    ensure!(arrived, "{:?}", given(&desk).await?);
    assert_eq!(given(&desk).await?, [none(), good(&made), good(&made)]);
    ensure!(
        has_files([None, Some(&made), Some(&made)]).await,
        "{:?}",
        file(&desk, "read")
    );

    let json = desk
        .vega(&["token", API, "--kind", "read", "--json"])
        .await?
        .json()?;
    assert_eq!(
        (&json["api"], &json["kind"], &json["generation"]),
        (&json!(API), &json!("read"), &json!(1))
    );
    let ran = desk
        .vega(&["exec", API, "--kind", "read", "--", "sh", "-c", SHOW])
        .await?;
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (Some(0), &*format!("{made} read 1"))
    );
    let ran = desk.vega(&["exec", API, "--", "sh", "-c", SHOW]).await?;
    assert_eq!(
        ran.code,
        Some(125),
        "a program that trades does not get it: {ran:?}"
    );
    let long = desk
        .vega(&["token", API, "--kind", "read", "--min-valid", "9000h"])
        .await?;
    assert_eq!(long.code, Some(3), "{long:?}");
    ensure!(long.stderr.contains("vega adopt --analytics"), "{long:?}");
    let alive = desk
        .vega(&["token", API, "--kind", "read", "--rejected", "1", "--json"])
        .await?;
    assert_eq!(alive.json()?["answer"], json!("alive"), "{alive:?}");

    // The day's token goes first, where there is one and it may be.
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let day = desk.token(API).await?;
    let arrived = until(async || given(&desk).await.is_ok_and(|given| given[2] == good(&day))).await;
    ensure!(arrived, "{:?}", given(&desk).await?);
    assert_eq!(given(&desk).await?, [good(&day), good(&made), good(&day)]);
    ensure!(
        has_files([Some(&day), Some(&made), Some(&day)]).await,
        "{:?}",
        file(&desk, "either")
    );
    let ran = desk
        .vega(&["exec", API, "--accept", "read", "--", "sh", "-c", SHOW])
        .await?;
    assert_eq!(ran.stdout.trim(), format!("{day} trade 1"), "{ran:?}");

    let entries = desk
        .vega(&["audit", "--api", "@default", "--json"])
        .await?
        .json()?;
    let entries = entries["entries"].as_array().context("entries")?.clone();
    ensure!(
        !entries.is_empty() && entries.iter().all(|entry| entry["api"] == "@default"),
        "{entries:?}"
    );
    let revoked = desk.vega(&["revoke", "--analytics", "default", "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    ensure!(
        has_files([Some(&day), None, Some(&day)]).await,
        "{:?}",
        file(&desk, "read")
    );
    let files = desk.vega(&["files", "--json"]).await?.json()?;
    let kinds: Vec<&Value> = files["files"]
        .as_array()
        .context("files")?
        .iter()
        .map(|file| &file["kind"])
        .collect();
    assert_eq!(kinds, [&json!("trade"), &json!("read"), &json!("trade")]);
    if let Some(server) = server {
        server.stop().await?;
    }
    Ok(())
}

/// What is no kind is refused before anything is asked.
#[rstest]
#[case(&["--kind", "both"], "trade or read")]
#[case(&["--accept", "trade"], "--accept read")]
#[case(&["--kind", "read", "--accept", "read"], "cannot be used with")]
#[case(&["--accept", "read", "--rejected", "1"], "cannot be used with")]
#[tokio::test]
async fn what_is_no_kind_is_refused(#[case] more: &[&str], #[case] words: &str) -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let ran = desk.vega(&[&["token", API][..], more].concat()).await?;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ensure!(ran.stderr.contains(words), "{ran:?}");
    Ok(())
}

/// A program that only reads goes on over 03:30; one that takes either is started with the other one, and back.
#[rstest]
#[tokio::test]
async fn at_0330_data_programs_go_on(#[values(false, true)] by_a_server: bool) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = Desk::with_test_hooks(&upstox)?;
    desk.set("UPSTOX_USER_ID", &upstox.seed().accounts[0].user_id);
    it_is(1, (5, 0, 0), &upstox, &desk).await?;
    let server = if by_a_server {
        Some(Server::start(&desk).await?)
    } else {
        None
    };
    let made = upstox.analytics_token("default").await?;
    let adopted = desk
        .vega_with_input(&["adopt", "--analytics", "default"], &made)
        .await?;
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));

    let script = "echo $VEGA_PRIMARY_KIND $VEGA_PRIMARY_GENERATION; while :; do sleep 0.05; done";
    let mut running = Vec::new();
    for kind in [["--kind", "read"], ["--accept", "read"]] {
        let line = [
            &["exec", API][..],
            &kind,
            &["--wait", "30s", "--", "sh", "-c", script],
        ]
        .concat();
        let mut vega = desk.start(&line)?;
        let lines = BufReader::new(vega.stdout.take().context("its output")?).lines();
        running.push((vega, lines));
    }
    let mut watch = desk.start(&["watch", API, "--accept", "read"])?;
    let mut told = BufReader::new(watch.stdout.take().context("its output")?).lines();
    let [(_reads, read), (_takes, either)] = &mut *running else {
        anyhow::bail!("two")
    };
    let next =
        async |lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>| -> Result<String> {
            let line = timeout(PATIENCE, lines.next_line()).await;
            line.context("nothing is said")??.context("it has ended")
        };
    assert_eq!(next(read).await?, "read 1");
    assert_eq!(next(either).await?, "trade 1");
    let state: Value = serde_json::from_str(&next(&mut told).await?)?;
    assert_eq!(
        (&state["kind"], &state["generation"]),
        (&json!("trade"), &json!(1))
    );

    it_is(1, (22, 0, 1), &upstox, &desk).await?;
    assert_eq!(
        next(either).await?,
        "read 1",
        "it goes on with the analytics token"
    );
    let state: Value = serde_json::from_str(&next(&mut told).await?)?;
    assert_eq!(
        (&state["kind"], &state["generation"]),
        (&json!("read"), &json!(1))
    );

    it_is(2, (3, 0, 0), &upstox, &desk).await?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    assert_eq!(next(either).await?, "trade 2");
    let state: Value = serde_json::from_str(&next(&mut told).await?)?;
    assert_eq!(
        (&state["kind"], &state["generation"]),
        (&json!("trade"), &json!(2))
    );
    let silent = timeout(Duration::from_secs(1), read.next_line()).await;
    ensure!(
        silent.is_err(),
        "the program that only reads was left alone: {silent:?}"
    );
    if let Some(server) = server {
        server.stop().await?;
    }
    Ok(())
}
