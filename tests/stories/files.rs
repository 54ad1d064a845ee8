//! `[[files]]`: files that hold a token. Each version that programs get comes into its file, what follows is done once for it, also when
//! Vega dies in between, and a dead token is in no file.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;
use tokio::time::Instant;
use vega_tests::{Desk, Engine, Server, Upstox, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";

/// A desk with a folder for files, and what its `vega.toml` says.
struct AtFiles {
    desk: Desk,
    upstox: Upstox,
}

impl AtFiles {
    async fn new(engine: Engine) -> Result<Self> {
        let upstox = Upstox::start().await?;
        let desk = Desk::new(&upstox)?.over(engine);
        Self::at(desk, upstox)
    }

    async fn with_test_hooks() -> Result<Self> {
        let upstox = Upstox::start().await?;
        let desk = Desk::with_test_hooks(&upstox)?;
        Self::at(desk, upstox)
    }

    fn at(desk: Desk, upstox: Upstox) -> Result<Self> {
        std::fs::create_dir(desk.path().join("run"))?;
        std::fs::set_permissions(desk.path().join("run"), Permissions::from_mode(0o700))?;
        Ok(Self { desk, upstox })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.desk.path().join("run").join(name)
    }

    /// `RUN` stands for the folder.
    fn configure(&self, rows: &str) -> Result<()> {
        let run = self.path("").display().to_string();
        let rows = rows.replace("RUN", run.trim_end_matches('/'));
        Ok(std::fs::write(
            self.desk.path().join("config/vega/vega.toml"),
            rows,
        )?)
    }

    fn script(&self, name: &str, text: &str) -> Result<()> {
        let run = self.path("").display().to_string();
        let text = format!("#!/bin/sh\n{}", text.replace("RUN", run.trim_end_matches('/')));
        std::fs::write(self.path(name), text)?;
        Ok(std::fs::set_permissions(
            self.path(name),
            Permissions::from_mode(0o700),
        )?)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    async fn sign_in(&self) -> Result<String> {
        let ran = self.desk.vega(&["--yes", API]).await?;
        ensure!(ran.code == Some(0), "{ran:?}");
        self.desk.token(API).await
    }

    async fn another_token(&self) -> Result<String> {
        let force = ["--yes", API, "--force", "--reason", "another token"];
        let ran = self.desk.vega(&force).await?;
        ensure!(ran.code == Some(0), "{ran:?}");
        self.desk.token(API).await
    }

    /// What `vega files --json` says, with its exit code.
    async fn files(&self) -> Result<(Option<i32>, Value)> {
        let ran = self.desk.vega(&["files", "--json"]).await?;
        Ok((ran.code, ran.json().with_context(|| format!("{ran:?}"))?))
    }

    async fn until_current(&self) -> Result<()> {
        let current = until(async || self.files().await.is_ok_and(|(code, _)| code == Some(0))).await;
        ensure!(current, "{:?}", self.files().await);
        Ok(())
    }

    async fn audit(&self, kind: &str) -> Result<usize> {
        let ran = self.desk.vega(&["audit", "--json"]).await?.json()?;
        let entries = ran["entries"].as_array().context("entries")?;
        Ok(entries.iter().filter(|entry| entry["kind"] == kind).count())
    }
}

#[rstest]
#[tokio::test]
async fn a_file_has_each_new_token_and_what_follows_is_done_once_for_it(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let at = AtFiles::new(engine).await?;
    at.configure(
        "[[files]]\napi = \"PRIMARY\"\npath = \"RUN/token\"\ncheck = [\"grep\", \"-q\", \"^eyJ\", \"{path}\"]\n\
         then = \"RUN/then\"\n\n[[files]]\napi = \"PRIMARY\"\npath = \"RUN/strategy.env\"\nformat = \"env\"\nmode = \"0640\"\n",
    )?;
    at.script("then", "cat RUN/token >> RUN/followed; echo >> RUN/followed\n")?;
    assert_eq!(at.files().await?.0, Some(0), "there is no token to deliver");

    let server = Server::start(&at.desk).await?;
    let first = at.sign_in().await?;
    at.until_current().await?;
    assert_eq!(at.text("token"), first);
    assert_eq!(at.text("strategy.env"), format!("UPSTOX_ACCESS_TOKEN={first}\n"));
    let mode = |name: &str| at.path(name).metadata().map(|about| about.mode() & 0o7777);
    assert_eq!((mode("token")?, mode("strategy.env")?), (0o600, 0o640));
    let second = at.another_token().await?;
    at.until_current().await?;
    assert_eq!(at.text("token"), second);
    // Restarts deliver nothing that was delivered.
    server.stop().await?;
    let server = Server::start(&at.desk).await?;
    let (_, files) = at.files().await?;
    assert_eq!(files["files"][0]["delivery"]["state"], "delivered");
    assert_eq!(files["files"][0]["delivery"]["generation"], 2);
    assert_eq!(
        at.text("followed"),
        format!("{first}\n{second}\n"),
        "once for each"
    );
    assert_eq!(at.audit("file_delivered").await?, 4);
    assert_eq!(at.audit("file_delivery_begun").await?, 4);
    ensure!(!files.to_string().contains(&second), "{files}");

    // What a program does not get is in no file.
    let revoked = at.desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    ensure!(until(async || !at.path("token").exists() && !at.path("strategy.env").exists()).await);
    at.until_current().await?;
    assert_eq!(at.audit("file_delivery_ended").await?, 2);
    let left: Vec<_> = std::fs::read_dir(at.path(""))?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left.len(), 2, "nothing but the script and its list: {left:?}");
    server.stop().await?;
    Ok(())
}

/// The file is replaced, and its command runs, when Vega dies.
#[rstest]
#[tokio::test]
async fn what_follows_runs_after_a_restart_and_never_again_once_it_succeeded(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let at = AtFiles::new(engine).await?;
    at.configure("[[files]]\napi = \"PRIMARY\"\npath = \"RUN/token\"\nthen = [\"RUN/then\"]\n")?;
    // It waits for good while it may not go on.
    at.script(
        "then",
        "echo $$ >> RUN/began\nwhile [ ! -e RUN/may_end ]; do sleep 0.05; done\necho done >> RUN/ended\n",
    )?;
    let server = Server::start(&at.desk).await?;
    let token = at.sign_in().await?;
    ensure!(until(async || at.text("began").lines().count() == 1).await);
    assert_eq!(at.text("token"), token, "the file is replaced first");
    let (code, files) = at.files().await?;
    assert_eq!(
        (code, &files["files"][0]["current"]),
        (Some(12), &Value::Bool(false))
    );
    server.kill().await?;
    // What ran is of nobody's any more.
    for process in at.text("began").lines() {
        kill(Pid::from_raw(process.parse()?), Signal::SIGKILL)?;
    }
    let inode = at.path("token").metadata()?.ino();

    std::fs::write(at.path("may_end"), "")?;
    let server = Server::start(&at.desk).await?;
    at.until_current().await?;
    assert_eq!(at.text("began").lines().count(), 2);
    assert_eq!(
        at.path("token").metadata()?.ino(),
        inode,
        "the file was in place already"
    );
    server.kill().await?;
    let server = Server::start(&at.desk).await?;
    at.until_current().await?;
    server.stop().await?;
    // Nor a command that finds no server.
    assert_eq!(at.desk.vega(&["verify", API]).await?.code, Some(0));
    assert_eq!(
        (at.text("began").lines().count(), &*at.text("ended")),
        (2, "done\n")
    );
    assert_eq!(at.audit("file_delivered").await?, 1);
    Ok(())
}

/// Without a server the command that got the token delivers it, and the next one what failed.
#[rstest]
#[tokio::test]
async fn without_a_server_the_command_that_got_the_token_delivers_it(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let at = AtFiles::new(engine).await?;
    at.configure(
        "[[files]]\napi = \"PRIMARY\"\npath = \"RUN/token\"\nformat = \"header\"\nthen = \"RUN/then\"\n",
    )?;
    at.script("then", "echo \"cannot reload: $(cat RUN/token)\" >&2; exit 3\n")?;
    let ran = at.desk.vega(&["--yes", API]).await?;
    assert_eq!(ran.code, Some(0), "the token is there: {ran:?}");
    ensure!(ran.stderr.contains("1 file of [[files]] is behind"), "{ran:?}");
    let token = at.desk.token(API).await?;
    assert_eq!(at.text("token"), format!("Authorization: Bearer {token}\n"));

    let told = at.desk.vega(&["files"]).await?;
    assert_eq!(told.code, Some(12), "{told:?}");
    ensure!(
        told.stdout.contains("behind") && told.stderr.contains("then ended with 3: cannot reload"),
        "{told:?}"
    );
    ensure!(!format!("{told:?}").contains(&token), "{told:?}");
    let (_, files) = at.files().await?;
    let delivery = &files["files"][0]["delivery"];
    assert_eq!(
        (&delivery["state"], &delivery["failure"]["reason"]),
        (&"pending".into(), &"then_failed".into())
    );
    let trail = at.desk.vega(&["audit", "--json"]).await?;
    ensure!(
        trail.stdout.contains("file_delivery_failed") && !trail.stdout.contains(&token),
        "{trail:?}"
    );

    at.script("then", "echo once >> RUN/followed\n")?;
    for _ in 0..2 {
        assert_eq!(at.desk.vega(&["verify", API]).await?.code, Some(0));
    }
    assert_eq!((at.files().await?.0, &*at.text("followed")), (Some(0), "once\n"));

    // What Upstox calls dead is in no file.
    at.upstox.revoke_tokens().await?;
    at.desk.vega(&["verify", API]).await?;
    ensure!(!at.path("token").exists());
    assert_eq!(at.files().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn at_0330_a_file_is_removed_if_it_is_what_vega_wrote() -> Result<()> {
    let at = AtFiles::with_test_hooks().await?;
    at.configure(
        "[[files]]\napi = \"PRIMARY\"\npath = \"RUN/removed\"\n\n[[files]]\napi = \"PRIMARY\"\npath = \"RUN/kept\"\n\
         on_expiry = \"keep\"\n\n[[files]]\napi = \"PRIMARY\"\npath = \"RUN/changed\"\n",
    )?;
    let server = Server::start(&at.desk).await?;
    let token = at.sign_in().await?;
    at.until_current().await?;
    let status = at.desk.status().await?;
    let dies = status.api(API)?["valid_until_unix"].as_i64().context("an end")?;
    let left = dies - at.upstox.machine_time().await?.timestamp();
    std::fs::write(at.path("changed"), "somebody else's")?;
    at.desk.move_clock(TimeDelta::seconds(left - 30))?;
    ensure!(until(async || !at.path("removed").exists()).await);
    at.until_current().await?;
    assert_eq!(
        (at.text("kept"), &*at.text("changed")),
        (token, "somebody else's")
    );
    ensure!(
        server.log().contains("it is not what Vega wrote"),
        "{}",
        server.log()
    );
    Ok(())
}

/// Each is refused by its name, what was there stays, and the other files get their tokens.
#[rstest]
#[tokio::test]
async fn a_place_a_template_and_a_check_that_will_not_do_are_refused_by_name(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) -> Result<()> {
    let at = AtFiles::new(engine).await?;
    let row =
        |name: &str, more: &str| format!("[[files]]\napi = \"PRIMARY\"\npath = \"RUN/{name}\"\n{more}\n\n");
    let template = |name: &str| format!("format = \"template\"\ntemplate = \"RUN/{name}.j2\"");
    at.configure(
        &[
            row("link", ""),
            row("folder", ""),
            row("missing/token", ""),
            row("open/token", ""),
            row("unknown", &template("unknown")),
            row("nowhere", &template("nowhere")),
            row("checked", "check = [\"RUN/check\", \"{path}\"]"),
            row("slow", "check = [\"sleep\", \"60\"]"),
            row("given", "owner = 4711"),
            row("signalled", "then = \"signal:HUP@RUN/no.pid\""),
            row("good.toml", &template("good")),
        ]
        .concat(),
    )?;
    symlink(at.path("elsewhere"), at.path("link"))?;
    for folder in ["folder", "open"] {
        std::fs::create_dir(at.path(folder))?;
    }
    std::fs::set_permissions(at.path("open"), Permissions::from_mode(0o777))?;
    std::fs::write(at.path("unknown.j2"), "{{ acces_token }}")?;
    std::fs::write(
        at.path("good.j2"),
        "[upstox]\ntoken = \"{{ access_token }}\"\nuntil = {{ valid_until_unix }}\n",
    )?;
    std::fs::write(at.path("checked"), "the old one")?;
    at.script("check", "echo \"no: $(cat $1)\" >&2; exit 1\n")?;
    let named = at.desk.vega(&["files"]).await?;
    assert_eq!(named.code, Some(12), "also before there is a token: {named:?}");
    for words in [
        "link is a link",
        "missing is not there",
        "acces_token, which there is not",
    ] {
        ensure!(named.stderr.contains(words), "{words}: {named:?}");
    }

    let began = Instant::now();
    let ran = at.desk.vega(&["--yes", API]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ensure!(began.elapsed().as_secs() < 50, "the slow check held it up");
    let token = at.desk.token(API).await?;
    let (code, files) = at.files().await?;
    assert_eq!(code, Some(12));
    let reasons: Vec<&str> = files["files"]
        .as_array()
        .context("files")?
        .iter()
        .map(|file| file["delivery"]["failure"]["reason"].as_str().unwrap_or("none"))
        .collect();
    let given = if nix::unistd::geteuid().is_root() {
        "none"
    } else {
        "owner_refused"
    };
    assert_eq!(
        reasons,
        [
            "path_unfit",
            "path_unfit",
            "folder_unfit",
            "folder_unfit",
            "template_failed",
            "template_failed",
            "check_failed",
            "check_too_slow",
            given,
            "then_failed",
            "none"
        ]
    );
    ensure!(!files.to_string().contains(&token), "{files}");
    assert_eq!(at.text("checked"), "the old one");
    ensure!(at.path("link").is_symlink() && !at.path("elsewhere").exists() && at.path("folder").is_dir());
    ensure!(!at.path("slow").exists() && !at.path("unknown").exists() && !at.path("open/token").exists());
    assert_eq!(at.text("signalled"), token, "the file itself is in place");
    ensure!(
        at.text("good.toml")
            .starts_with(&format!("[upstox]\ntoken = \"{token}\"\nuntil = "))
    );
    let drafts = std::fs::read_dir(at.path(""))?.flatten();
    let drafts: Vec<_> = drafts
        .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
        .collect();
    ensure!(drafts.is_empty(), "{drafts:?}");
    Ok(())
}

/// Programs that are asked by a signal, and figures for whoever watches the server.
#[tokio::test]
async fn a_signal_goes_to_the_process_of_the_file_and_the_server_counts_what_is_behind() -> Result<()> {
    let at = AtFiles::new(Engine::Sqlite).await?;
    at.configure(
        "[[files]]\napi = \"PRIMARY\"\npath = \"RUN/token\"\nthen = \"signal:USR1@RUN/strategy.pid\"\n",
    )?;
    at.script(
        "strategy",
        "trap 'cat RUN/token > RUN/heard' USR1\necho ready > RUN/ready\nwhile :; do sleep 0.05; done\n",
    )?;
    let server = Server::start(&at.desk).await?;
    let status = key(&at.desk, "watcher", "status", &[]).await?;
    let behind = async || {
        let metrics = server.get("/metrics", &status).await.map(|answer| answer.text);
        let metrics = metrics.unwrap_or_default();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("vega_files_behind "));
        line.and_then(|line| line.rsplit(' ').next().map(str::to_owned))
    };
    let token = at.sign_in().await?;
    ensure!(
        until(async || behind().await.as_deref() == Some("1")).await,
        "{:?}",
        behind().await
    );

    let mut strategy = tokio::process::Command::new(at.path("strategy"))
        .kill_on_drop(true)
        .spawn()?;
    ensure!(until(async || at.path("ready").exists()).await);
    std::fs::write(
        at.path("strategy.pid"),
        format!("{}\n", strategy.id().context("it runs")?),
    )?;
    at.until_current().await?;
    ensure!(
        until(async || at.text("heard") == token).await,
        "{}",
        at.text("heard")
    );
    ensure!(
        until(async || behind().await.as_deref() == Some("0")).await,
        "{:?}",
        behind().await
    );
    strategy.kill().await?;
    Ok(())
}
