//! `vega token`, `vega exec` and `vega watch` ask the server of their installation at its socket, and what is stored where none runs. What a
//! shell sees is the same, and nobody else's socket is believed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, timeout};
use vega_tests::{Desk, Front, Ran, Server, Stop, until};

use crate::server_socket::AtSocket;

pub(crate) const API: &str = "PRIMARY";
pub(crate) const OTHER: &str = "WEBSOCKET1";
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn another_token(desk: &Desk) -> Result<()> {
    let force = ["--yes", API, "--force", "--reason", "another token"];
    let ran = desk.vega(&force).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

/// The consumers of the API that a server saw at its socket.
async fn at_the_socket(desk: &Desk) -> Result<Vec<Value>> {
    let listed = desk.vega(&["consumers", "--json"]).await?.json()?;
    let listed = listed["consumers"].as_array().context("consumers")?.clone();
    let is_at_socket = |consumer: &Value| consumer["access_path"] == "socket" && consumer["api"] == API;
    Ok(listed.into_iter().filter(is_at_socket).collect())
}

/// What a shell sees. How a verification goes is told, indented, by whoever carries it out.
fn seen(ran: &Ran) -> (Option<i32>, &str, Vec<&str>) {
    let words = ran.stderr.lines().filter(|line| !line.starts_with("  "));
    (ran.code, &ran.stdout, words.collect())
}

const LINES: &[&[&str]] = &[
    &["token", API],
    &["token", API, "--format", "json"],
    &["token", API, "--format", "env"],
    &["token", API, "--format", "header"],
    &["token", API, "--min-valid", "48h"],
    &["token", API, "--rejected", "1"],
    &["token", API, "--rejected", "1", "--json"],
    &["token", OTHER],
    &["token", OTHER, "--format", "env"],
    &["token", "NO_SUCH_API"],
    &[
        "exec",
        API,
        "--",
        "sh",
        "-c",
        "echo $UPSTOX_ACCESS_TOKEN $VEGA_PRIMARY_GENERATION; exit 42",
    ],
    &["exec", API, "--min-valid", "48h", "--", "true"],
];

/// Codes, data and words, with a server and without; with one, it is the server that gave the token.
#[tokio::test]
async fn a_shell_sees_the_same_with_a_server_and_without() -> Result<()> {
    let at = AtSocket::new("").await?;
    let mut without = Vec::new();
    for line in LINES {
        without.push(at.desk.vega(line).await?);
    }
    assert_eq!(without[0].code, Some(0));
    assert!(at_the_socket(&at.desk).await?.is_empty());
    let server = Server::start(&at.desk).await?;
    for (line, without) in LINES.iter().zip(&without) {
        let with = at.desk.vega(line).await?;
        assert_eq!(seen(&with), seen(without), "{line:?}");
    }
    // The server's words, for what only it knows.
    let unknown = at.desk.vega(&["token", API, "--rejected", "9"]).await?;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    ensure!(unknown.stderr.contains("generation 9"), "{unknown:?}");
    let is_seen = until(async || at_the_socket(&at.desk).await.is_ok_and(|seen| seen.len() == 3));
    assert!(is_seen.await, "{:?}", at_the_socket(&at.desk).await?);
    let consumers = at_the_socket(&at.desk).await?;
    let known_as = consumers[0]["known_as"].as_str().context("a name")?;
    // Its unit, where the tests run in one.
    ensure!(
        known_as == "vega" || known_as.ends_with(".service"),
        "{consumers:?}"
    );
    let names: Vec<&str> = consumers
        .iter()
        .filter_map(|seen| seen["name"].as_str())
        .collect();
    ensure!(
        names.contains(&known_as) && names.contains(&"sh"),
        "the command of `vega exec` by its name: {names:?}"
    );
    let trail = at.desk.vega(&["audit"]).await?.stdout;
    ensure!(
        trail.contains("at the socket"),
        "who reported a token is on record: {trail}"
    );

    server.kill().await?;
    assert!(at.socket().exists(), "it could not take its file away");
    for (line, without) in LINES.iter().zip(&without) {
        let after = at.desk.vega(line).await?;
        assert_eq!(seen(&after), seen(without), "{line:?}");
    }
    Ok(())
}

/// The server has it in memory; the database gives nothing.
#[tokio::test]
async fn a_token_that_only_the_server_has_reaches_the_shell() -> Result<()> {
    let at = AtSocket::new("").await?;
    let token = at.desk.token(API).await?;
    let server = Server::start(&at.desk).await?;
    at.desk.sql("ALTER TABLE upstox_tokens RENAME TO away")?;
    assert_eq!(at.desk.token(API).await?, token);
    let exec = ["exec", API, "--", "sh", "-c", "echo $UPSTOX_ACCESS_TOKEN"];
    assert_eq!(at.desk.vega(&exec).await?.stdout.trim(), token);
    server.kill().await?;
    let without = at.desk.vega(&["token", API]).await?;
    assert_eq!((without.code, &*without.stdout), (Some(9), ""), "{without:?}");
    at.desk.sql("ALTER TABLE away RENAME TO upstox_tokens")?;
    assert_eq!(at.desk.token(API).await?, token);
    Ok(())
}

#[tokio::test]
async fn a_stop_of_the_program_is_obeyed_and_what_it_holds_is_told_of() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    let mut running = Running::start(&at.desk, &[API], "echo $VEGA_PRIMARY_GENERATION; exec sleep 600")?;
    assert_eq!(running.line().await?, "1");
    let is_seen = until(async || at_the_socket(&at.desk).await.is_ok_and(|seen| !seen.is_empty()));
    assert!(is_seen.await);
    let known_as = at_the_socket(&at.desk).await?[0]["known_as"]
        .as_str()
        .context("a name")?
        .to_owned();
    let stop = ["consumers", "stop", &known_as, "--reason", "too many orders"];
    assert_eq!(at.desk.vega(&stop).await?.code, Some(0));
    let is_stopped = until(async || {
        let asked = at.desk.vega(&["token", API]).await;
        asked.is_ok_and(|asked| asked.code == Some(11))
    });
    assert!(is_stopped.await, "{}", server.log());
    let told = at.desk.vega(&["token", API, "--format", "env"]).await?;
    assert_eq!(told.stdout.trim(), "unset UPSTOX_ACCESS_TOKEN; false");
    ensure!(told.stderr.contains("too many orders"), "{told:?}");
    let refused = at.desk.vega(&["exec", API, "--", "touch", "started"]).await?;
    assert_eq!(refused.code, Some(125), "{refused:?}");
    ensure!(refused.stderr.contains("too many orders"), "{refused:?}");
    ensure!(!at.desk.path().join("started").exists());
    // The one that runs is told, once.
    let said = running.says("too many orders").await?;
    ensure!(said.contains("has no token any more"), "{said}");

    assert_eq!(
        at.desk.vega(&["consumers", "open", &known_as]).await?.code,
        Some(0)
    );
    let is_open = until(async || at.desk.token(API).await.is_ok());
    assert!(is_open.await);
    another_token(&at.desk).await?;
    assert_eq!(running.line().await?, "2", "it goes on");
    drop(server);
    Ok(())
}

/// A `vega exec` that runs, and what is said.
pub(crate) struct Running {
    vega: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(desk: &Desk, arguments: &[&str], script: &str) -> Result<Self> {
        let line = [&["exec"], arguments, &["--", "sh", "-c", script]].concat();
        Self::of(desk.start(&line)?)
    }

    pub(crate) fn of(mut vega: Child) -> Result<Self> {
        let lines = BufReader::new(vega.stdout.take().context("its output")?).lines();
        Ok(Self { vega, lines })
    }

    pub(crate) async fn line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.context("nothing is said")??.context("it has ended")
    }

    /// The line on stderr with these words.
    async fn says(&mut self, words: &str) -> Result<String> {
        let mut said = BufReader::new(self.vega.stderr.as_mut().context("its words")?).lines();
        let saying = async {
            while let Some(line) = said.next_line().await? {
                if line.contains(words) {
                    return Ok(line);
                }
            }
            anyhow::bail!("it has ended")
        };
        timeout(PATIENCE, saying).await.context("nothing is said")?
    }
}

/// A server that comes, dies and comes back while a command runs: each new token reaches it, whoever tells of it, and none comes twice.
#[tokio::test]
async fn commands_that_go_on_change_over_between_server_and_database() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    let script = "echo $VEGA_PRIMARY_GENERATION $UPSTOX_ACCESS_TOKEN; exec sleep 600";
    let mut exec = Running::start(&at.desk, &[API, "--on-expiry", "stop"], script)?;
    let mut watch = Running::of(at.desk.start(&["watch", API])?)?;
    let mut told = async |generation: u32| -> Result<()> {
        let token = at.desk.token(API).await?;
        assert_eq!(exec.line().await?, format!("{generation} {token}"));
        let line: Value = serde_json::from_str(&watch.line().await?)?;
        assert_eq!(line["generation"], generation, "{line}");
        Ok(())
    };
    told(1).await?;
    // Only the server's word for it: nobody but it is asked, so nobody but it can have told.
    another_token(&at.desk).await?;
    told(2).await?;
    server.kill().await?;
    another_token(&at.desk).await?;
    told(3).await?;
    let server = Server::start(&at.desk).await?;
    another_token(&at.desk).await?;
    told(4).await?;
    let admin = crate::server_route_permissions::key(&at.desk, "admin", "admin", &[]).await?;
    let is_back = until(async || {
        let listed = server
            .get("/api/v1/consumers", &admin)
            .await
            .and_then(|listed| listed.json());
        let is_there = |listed: Value| {
            let consumers = listed["consumers"].as_array().cloned().unwrap_or_default();
            consumers
                .iter()
                .any(|seen| seen["name"] == "sh" && seen["connected"] == true && seen["generation"] == 4)
        };
        listed.is_ok_and(is_there)
    });
    assert!(is_back.await, "{}", server.log());
    server.stop().await?;
    assert_eq!(at.desk.vega(&["revoke", API, "--yes"]).await?.code, Some(0));
    let line: Value = serde_json::from_str(&watch.line().await?)?;
    assert_eq!(line["servable"], false, "{line}");
    let said = exec.says("a token died").await?;
    ensure!(said.contains("until there is another one"), "{said}");
    for ended in [exec.vega, watch.vega] {
        Stop::Terminate.ask(&ended)?;
        timeout(PATIENCE, ended.wait_with_output()).await??;
    }
    Ok(())
}

/// A command goes on with what it has, whoever is away and however long; only what a source says ends it.
#[tokio::test]
async fn a_command_outlives_the_server_and_the_database() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    let script = "echo $VEGA_PRIMARY_GENERATION; exec sleep 600";
    let mut exec = Running::start(&at.desk, &[API, "--on-expiry", "stop"], script)?;
    let mut watch = Running::of(at.desk.start(&["watch", API])?)?;
    assert_eq!(exec.line().await?, "1");
    watch.line().await?;
    at.desk.sql("ALTER TABLE upstox_tokens RENAME TO away")?;
    server.kill().await?;
    let opened = at.desk.vega(&["token", API]).await?;
    assert_eq!(opened.code, Some(9), "nobody can be asked: {opened:?}");
    let ended = timeout(Duration::from_secs(5), exec.vega.wait()).await;
    ensure!(ended.is_err(), "it ended: {ended:?}");
    ensure!(watch.vega.try_wait()?.is_none(), "it goes on, too");
    at.desk.sql("ALTER TABLE away RENAME TO upstox_tokens")?;
    another_token(&at.desk).await?;
    assert_eq!(exec.line().await?, "2");
    let line: Value = serde_json::from_str(&watch.line().await?)?;
    assert_eq!(line["generation"], 2, "{line}");
    Ok(())
}

/// What it was told of is not what its program has: one that was started with the old token and left alone is the one that hangs.
#[tokio::test]
async fn a_command_that_goes_on_with_the_old_token_is_named() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    std::fs::write(at.desk.path().join("bot.sh"), "echo ready\nexec sleep 600\n")?;
    let line = ["exec", API, "--on-change", "ignore", "--", "sh", "bot.sh"];
    let mut left_alone = Running::of(at.desk.start(&line)?)?;
    let mut restarted = Running::start(&at.desk, &[API], "echo $VEGA_PRIMARY_GENERATION; exec sleep 600")?;
    assert_eq!(left_alone.line().await?, "ready");
    assert_eq!(restarted.line().await?, "1");
    another_token(&at.desk).await?;
    assert_eq!(restarted.line().await?, "2");
    let are_told_apart = until(async || {
        let of = |seen: &[Value], name: &str| {
            let seen = seen.iter().find(|seen| seen["name"] == name)?;
            Some((seen["state"].clone(), seen["generation"].clone()))
        };
        at_the_socket(&at.desk).await.is_ok_and(|seen| {
            of(&seen, "bot.sh") == Some(("behind".into(), 1.into()))
                && of(&seen, "sh") == Some(("current".into(), 2.into()))
        })
    });
    assert!(are_told_apart.await, "{:?}", at_the_socket(&at.desk).await?);
    drop(server);
    Ok(())
}

/// Passes every byte on to `goal`, and keeps what callers said.
fn relay(path: &Path, goal: PathBuf) -> Result<Arc<Mutex<String>>> {
    let listener = UnixListener::bind(path)?;
    let said = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&said);
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let Ok(server) = UnixStream::connect(&goal).await else {
                continue;
            };
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let ((mut from, mut to), (mut answers, mut asks)) =
                    (caller.into_split(), server.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = from.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    heard
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push_str(&text);
                    if asks.write_all(&bytes[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(said)
}

/// A token of somebody else's is not printed: of another installation of this user, of a copy of the database, or of whoever passes on what
/// the real server says.
#[tokio::test]
async fn nobody_elses_socket_is_believed() -> Result<()> {
    let mut at = AtSocket::new("").await?;
    let own = at.desk.token(API).await?;

    // Another installation has the socket.
    let others = AtSocket::new("").await?;
    let mut other = others.desk.copy()?;
    other.set("VEGA__SERVER__SOCKET", &at.socket().display().to_string());
    another_token(&other).await?;
    let server = Server::start(&other).await?;
    let theirs = other.token(API).await?;
    assert_ne!(theirs, own);
    assert_eq!(at.desk.token(API).await?, own);
    let exec = ["exec", API, "--", "sh", "-c", "echo $UPSTOX_ACCESS_TOKEN"];
    assert_eq!(at.desk.vega(&exec).await?.stdout.trim(), own);
    server.stop().await?;

    // A copy of this one, with the same key, that went its own way.
    let copy = at.desk.copy()?;
    let server = Server::start(&copy).await?;
    another_token(&copy).await?;
    let theirs = copy.token(API).await?;
    assert_ne!(theirs, own);
    assert_eq!(at.desk.token(API).await?, own);
    server.stop().await?;

    // Somebody in between.
    let server = Server::start(&at.desk).await?;
    let (real, between) = (at.socket(), at.socket().with_file_name("between.sock"));
    let said = relay(&between, real)?;
    at.desk
        .set("VEGA__SERVER__SOCKET", &between.display().to_string());
    assert_eq!(at.desk.token(API).await?, own);
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(said.starts_with("GET /livez?challenge="), "{said}");
    assert_eq!(said.matches("GET ").count(), 1, "no token was asked for: {said}");
    drop(server);
    Ok(())
}

/// Silent, starting, or no server at all: a shell does not wait for it.
#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() -> Result<()> {
    let at = AtSocket::new("").await?;
    let own = at.desk.token(API).await?;
    {
        // It takes connections and says nothing.
        let _silent = std::os::unix::net::UnixListener::bind(at.socket())?;
        let asked = Instant::now();
        assert_eq!(at.desk.token(API).await?, own);
        let took = asked.elapsed();
        ensure!(took < Duration::from_secs(10), "it took {took:?}");
        ensure!(took > Duration::from_millis(900), "the second was used: {took:?}");
    }
    std::fs::remove_file(at.socket())?;
    std::fs::write(at.socket(), "no socket")?;
    assert_eq!(at.desk.token(API).await?, own);
    std::fs::remove_file(at.socket())?;

    let mut starting = at.desk.copy()?;
    starting.set("VEGA__DATABASE__URL", "postgres://vega@127.0.0.1:9/vega");
    let server = Server::begin_behind(&starting, Front::Plain).await?;
    assert_eq!(at.get("/api/v1/apis", &[]).await?.0, 503);
    assert_eq!(at.desk.token(API).await?, own);
    drop(server);
    Ok(())
}
