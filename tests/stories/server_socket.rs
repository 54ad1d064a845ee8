//! The socket for programs of this machine: the kernel says who calls. The server's own user reads without a key, other users what a rule
//! grants, and nothing that is sent changes that. `curl` plays the programs, also those of other users where the tests run as root.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use vega_tests::{Caller, Desk, Front, Ran, Server, Upstox, until};

use crate::server_route_permissions::key;

/// Nobody's user and group on Debian.
pub(crate) const NOBODY: u32 = 65_534;
/// Of no user there is.
pub(crate) const STRANGER: u32 = 54_321;

/// What `curl` ends with when it cannot connect.
const NOT_CONNECTED: i32 = 7;

pub(crate) const TOKEN: &str = "/api/v1/apis/PRIMARY/token";

/// A service manager: it makes the socket, lets a program call before there is a server, and hands the socket over. It prints the answer,
/// the server's end, and whether the socket's file is still there.
const MANAGER: &str = r#"
import os, socket, subprocess, sys
path, vega = sys.argv[1:3]
made = socket.socket(socket.AF_UNIX)
made.bind(path)
os.chmod(path, 0o600)
made.listen()
call = ["curl", "--silent", "--max-time", "30", "--unix-socket", path, "http://localhost" + sys.argv[3]]
early = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
server = os.fork()
if server == 0:
    os.dup2(made.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    program = os.path.join(os.path.dirname(vega), "vega-server")
    os.execv(program, [program])
made.close()
print(early.communicate()[0])
os.kill(server, 15)
print(os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]), os.path.exists(path))
"#;

/// A desk whose server has a socket in a folder that every user may enter.
pub(crate) struct AtSocket {
    pub(crate) desk: Desk,
    folder: TempDir,
    _upstox: Upstox,
}

impl AtSocket {
    pub(crate) async fn new(rules: &str) -> Result<Self> {
        let upstox = Upstox::start().await?;
        let mut desk = Desk::new(&upstox)?;
        let folder = tempfile::tempdir()?;
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open)?;
        let socket = folder.path().join("vega.sock");
        desk.set("VEGA__SERVER__SOCKET", &socket.display().to_string());
        if !rules.is_empty() {
            desk.set("VEGA__SERVER__SOCKET_GROUP", &NOBODY.to_string());
            std::fs::write(desk.path().join("config/vega/vega.toml"), rules)?;
        }
        let signed_in = desk.vega(&["--yes", "PRIMARY"]).await?;
        assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
        Ok(Self {
            desk,
            folder,
            _upstox: upstox,
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("vega.sock")
    }

    /// What `curl` gets there: the status, and the text.
    pub(crate) async fn get(&self, path: &str, more: &[&str]) -> Result<(u16, String)> {
        answer(&curl(&self.socket(), path, more).output().await?)
    }

    /// The same as another user and in another group.
    async fn get_as(&self, user: u32, group: u32, path: &str, more: &[&str]) -> Result<(u16, String)> {
        answer(&self.asked_as(user, group, path, more).await?)
    }

    async fn asked_as(&self, user: u32, group: u32, path: &str, more: &[&str]) -> Result<Output> {
        let plain = curl(&self.socket(), path, more);
        let mut command = as_other(user, group, &[]);
        command
            .arg(plain.as_std().get_program())
            .args(plain.as_std().get_args());
        Ok(command.output().await?)
    }

    /// Another server of this desk, at another address.
    async fn second_server(&self) -> Result<Ran> {
        let listen = format!("VEGA__SERVER__LISTEN=127.0.0.1:{}", Server::free_port().await?);
        let under = ["env", &listen, "sh", "-c", "exec \"${0%/*}/vega-server\""];
        self.desk.vega_under(&under.map(str::to_owned), &[]).await
    }
}

/// What runs a program as another user, with this first group and these others.
pub(crate) fn as_other(user: u32, group: u32, others: &[u32]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"));
    let others: Vec<String> = others.iter().map(u32::to_string).collect();
    if others.is_empty() {
        command.arg("--clear-groups");
    } else {
        command.arg(format!("--groups={}", others.join(",")));
    }
    command
}

pub(crate) fn curl(socket: &Path, path: &str, more: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code}",
            "--unix-socket",
        ])
        .arg(socket)
        .args(more)
        .arg(format!("http://localhost{path}"));
    command
}

pub(crate) fn answer(output: &Output) -> Result<(u16, String)> {
    let text = String::from_utf8(output.stdout.clone())?;
    let (text, status) = text.rsplit_once('\n').with_context(|| format!("{output:?}"))?;
    Ok((status.parse()?, text.to_owned()))
}

/// Only root becomes another user.
#[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
pub(crate) fn may_become_others() -> bool {
    let may = nix::unistd::Uid::effective().is_root();
    if !may {
        eprintln!("SKIPPED: ONLY ROOT CAN CALL THE SOCKET AS OTHER USERS");
    }
    may
}

#[tokio::test]
async fn the_servers_own_user_reads_without_a_key_and_begins_nothing() -> Result<()> {
    let at = AtSocket::new("").await?;
    let server = Server::start(&at.desk).await?;
    let (status, text) = at.get(TOKEN, &[]).await?;
    assert_eq!(status, 200, "{text}");
    let token: Value = serde_json::from_str(&text)?;
    assert_eq!(token["access_token"], at.desk.token("PRIMARY").await?);
    // The same answers as over HTTP, the quick way and the whole one.
    let (status, asked) = at.get(&format!("{TOKEN}?"), &[]).await?;
    assert_eq!((status, asked), (200, text));
    assert_eq!(at.get("/api/v1/apis", &[]).await?.0, 200);
    for (path, more) in [
        ("/api/v1/runs", &["--request", "POST", "--json", "{}"][..]),
        ("/api/v1/audit", &[]),
        ("/api/v1/config", &[]),
        ("/api/v1/session", &[]),
    ] {
        let (status, text) = at.get(path, more).await?;
        assert_eq!(status, 403, "{path}: {text}");
    }
    // A key does what it may, there too, and one that is wrong is no better than elsewhere.
    let Caller::Key(admin) = key(&at.desk, "admin", "admin", &[]).await? else {
        anyhow::bail!("no key");
    };
    let with = |key: &str| format!("Authorization: Bearer {key}");
    let is_known = until(async || {
        let asked = at.get("/api/v1/config", &["--header", &with(&admin)]).await;
        asked.is_ok_and(|(status, _)| status == 200)
    });
    assert!(is_known.await, "{}", server.log());
    assert_eq!(at.get(TOKEN, &["--header", &with(&admin)]).await?.0, 403);
    assert_eq!(at.get(TOKEN, &["--header", &with("vega_wrong")]).await?.0, 401);
    assert_eq!(at.get(TOKEN, &["--header", "Host: evil.example"]).await?.0, 421);
    assert_eq!(
        at.get(TOKEN, &["--header", "Origin: https://evil.example"])
            .await?
            .0,
        403
    );
    drop(server);
    Ok(())
}

#[tokio::test]
async fn other_users_get_what_a_rule_grants_whatever_they_send() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let rules = format!("[[socket]]\nuser = {NOBODY}\nscopes = [\"token:PRIMARY\"]\n");
    let at = AtSocket::new(&rules).await?;
    let server = Server::start(&at.desk).await?;
    let (status, text) = at.get_as(NOBODY, NOBODY, TOKEN, &[]).await?;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(&at.desk.token("PRIMARY").await?), "{text}");
    for path in [
        "/api/v1/apis/WEBSOCKET1/token",
        "/api/v1/apis",
        "/api/v1/events",
        "/metrics",
    ] {
        let (status, text) = at.get_as(NOBODY, NOBODY, path, &[]).await?;
        assert_eq!(status, 403, "{path}: {text}");
    }

    // In the group, so that it may connect; no rule names it, and nothing that it sends is read.
    let Caller::Key(reader) = key(&at.desk, "reader", "token:PRIMARY", &[]).await? else {
        anyhow::bail!("no key");
    };
    let with_key = format!("Authorization: Bearer {reader}");
    for more in [
        &[][..],
        &["--header", "X-Forwarded-User: root"],
        &["--header", "X-Vega-Uid: 0"],
        &["--header", "Host: evil.example"],
        &["--header", &with_key],
    ] {
        for path in [TOKEN, "/livez", "/api/v1/apis", "/"] {
            let (status, text) = at.get_as(STRANGER, NOBODY, path, more).await?;
            assert_eq!(status, 403, "{path} {more:?}: {text}");
            let told: Value = serde_json::from_str(&text)?;
            assert_eq!(told["code"], "not_allowed");
            let words = told["detail"].as_str().unwrap_or_default();
            assert!(
                words.contains(&format!("user = {STRANGER}")),
                "as the rule is written: {text}"
            );
            assert!(
                words.starts_with(&format!("No rule lets user {STRANGER} in")),
                "{text}"
            );
        }
    }
    // Neither owner nor in the group: the file's mode stops it.
    let refused = at.asked_as(STRANGER, STRANGER, "/livez", &[]).await?;
    assert_eq!(refused.status.code(), Some(NOT_CONNECTED), "{refused:?}");
    let trail = at.desk.vega(&["audit"]).await?;
    assert!(
        trail
            .stdout
            .contains(&format!("no rule lets user {STRANGER} in at the socket")),
        "{trail:?}"
    );
    drop(server);
    Ok(())
}

/// The address answers while the database is away; so does the socket, and nobody else gets more there than later.
#[tokio::test]
async fn a_server_that_waits_for_its_database_keeps_others_out_too() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let rules = format!("[[socket]]\nuser = {NOBODY}\nscopes = [\"status\"]\n");
    let mut at = AtSocket::new(&rules).await?;
    at.desk
        .set("VEGA__DATABASE__URL", "postgres://vega@127.0.0.1:9/vega");
    let server = Server::begin_behind(&at.desk, Front::Plain).await?;
    assert_eq!(at.get("/livez", &[]).await?.0, 200);
    assert_eq!(at.get(TOKEN, &[]).await?.0, 503);
    assert_eq!(at.get_as(NOBODY, NOBODY, "/livez", &[]).await?.0, 200);
    assert_eq!(at.get_as(STRANGER, NOBODY, "/livez", &[]).await?.0, 403);
    drop(server);
    Ok(())
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_taken_and_that_of_a_living_one_is_not() -> Result<()> {
    let at = AtSocket::new("").await?;
    let first = Server::start(&at.desk).await?;
    let refused = at.second_server().await?;
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(
        refused.stderr.contains("another vega-server has it"),
        "{refused:?}"
    );
    assert_eq!(at.get(TOKEN, &[]).await?.0, 200);
    first.kill().await?;
    assert!(at.socket().exists(), "it could not take its file away");
    let second = Server::start(&at.desk).await?;
    assert_eq!(at.get(TOKEN, &[]).await?.0, 200);
    second.stop().await?;
    assert!(!at.socket().exists());
    Ok(())
}

/// systemd makes the socket and hands it over: who called before the server was there has waited.
#[tokio::test]
async fn a_service_manager_hands_its_socket_over() -> Result<()> {
    let at = AtSocket::new("").await?;
    let token = at.desk.token("PRIMARY").await?;
    let listen = format!("VEGA__SERVER__LISTEN=127.0.0.1:{}", Server::free_port().await?);
    let path = at.folder.path().join("handed-over.sock").display().to_string();
    let under = ["env", &listen, "python3", "-c", MANAGER, &path].map(str::to_owned);
    let ran = at.desk.vega_under(&under, &[TOKEN]).await?;
    let (answered, end) = ran
        .stdout
        .trim()
        .split_once('\n')
        .with_context(|| format!("{ran:?}"))?;
    let answered: Value = serde_json::from_str(answered).with_context(|| format!("{ran:?}"))?;
    assert_eq!(answered["access_token"], token);
    assert_eq!(end, "0 True", "the file is the manager's: {ran:?}");
    Ok(())
}
