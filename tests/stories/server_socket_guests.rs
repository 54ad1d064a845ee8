//! `vega token`, `vega exec` and `vega watch` of a user who has no installation of its own and names the socket of another one: it has what a
//! rule grants, and believes no socket that anybody could have put there. Root plays the users.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use vega_tests::{Ran, Server};

use crate::server_socket::{AtSocket, NOBODY, STRANGER, as_other, may_become_others};
use crate::server_socket_cli::{API, OTHER, Running, another_token};

/// A user with a home of its own and nothing in it, who runs `vega`.
struct Guest {
    home: TempDir,
    vega: PathBuf,
    user: u32,
    socket: PathBuf,
}

impl Guest {
    fn new(at: &AtSocket, user: u32) -> Result<Self> {
        let home = tempfile::tempdir()?;
        // Where every user may run it.
        let vega = at.socket().with_file_name("vega");
        if !vega.exists() {
            std::fs::copy(at.desk.program("vega")?, &vega)?;
        }
        std::os::unix::fs::chown(home.path(), Some(user), Some(NOBODY))?;
        Ok(Self {
            home,
            vega,
            user,
            socket: at.socket(),
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = as_other(self.user, NOBODY, &[]);
        command
            .args(["env", "--ignore-environment", "PATH=/usr/bin:/bin"])
            .arg(format!("HOME={}", self.home.path().display()))
            .arg(format!("VEGA__SERVER__SOCKET={}", self.socket.display()))
            .arg(&self.vega)
            .args(arguments)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn vega(&self, arguments: &[&str]) -> Result<Ran> {
        Ran::to_its_end(self.command(arguments).spawn()?).await
    }
}

#[tokio::test]
async fn a_user_without_an_installation_has_what_a_rule_grants() -> Result<()> {
    if !may_become_others() {
        return Ok(());
    }
    let rules = format!("[[socket]]\nuser = {NOBODY}\nscopes = [\"token:PRIMARY\"]\n");
    let at = AtSocket::new(&rules).await?;
    let own = at.desk.token(API).await?;
    let guest = Guest::new(&at, NOBODY)?;
    let away = guest.vega(&["token", API]).await?;
    assert_eq!((away.code, &*away.stdout), (Some(9), ""), "{away:?}");
    ensure!(
        away.stderr.contains("no server answers at the socket"),
        "{away:?}"
    );
    let waits = guest.command(&[
        "exec",
        API,
        "--wait",
        "1m",
        "--",
        "sh",
        "-c",
        "echo $UPSTOX_ACCESS_TOKEN",
    ]);
    let mut waits = Running::of({ waits }.spawn()?)?;

    let server = Server::start(&at.desk).await?;
    assert_eq!(waits.line().await?, own, "it waited for the server, too");
    for (line, expected) in [
        (&["token", API][..], Some(own.clone())),
        (
            &["token", API, "--format", "header"],
            Some(format!("Authorization: Bearer {own}")),
        ),
        (
            &["exec", API, "--", "sh", "-c", "echo $UPSTOX_ACCESS_TOKEN"],
            Some(own.clone()),
        ),
        (&["token", OTHER], None),
        (&["token", "NO_SUCH_API"], None),
        (&["status"], None),
        (&["watch"], None),
    ] {
        let ran = guest.vega(line).await?;
        match expected {
            Some(expected) => assert_eq!((ran.code, ran.stdout.trim()), (Some(0), &*expected), "{ran:?}"),
            None => assert!(ran.code != Some(0) && ran.stdout.is_empty(), "{line:?}: {ran:?}"),
        }
    }
    let other = guest.vega(&["token", OTHER]).await?;
    assert_eq!(other.code, Some(9), "{other:?}");
    ensure!(
        other.stderr.contains(&format!("User {NOBODY} may not do this")),
        "{other:?}"
    );
    let mut watch = Running::of(guest.command(&["watch", API]).spawn()?)?;
    let line: Value = serde_json::from_str(&watch.line().await?)?;
    assert_eq!(
        (&line["generation"], line.get("access_token")),
        (&Value::from(1), None)
    );
    another_token(&at.desk).await?;
    let line: Value = serde_json::from_str(&watch.line().await?)?;
    assert_eq!(line["generation"], 2);

    // Without a rule.
    let stranger = Guest::new(&at, STRANGER)?;
    let refused = stranger.vega(&["token", API]).await?;
    assert_eq!((refused.code, &*refused.stdout), (Some(9), ""), "{refused:?}");
    ensure!(
        refused
            .stderr
            .contains(&format!("No rule lets user {STRANGER} in")),
        "{refused:?}"
    );
    let refused = stranger.vega(&["exec", API, "--", "true"]).await?;
    assert_eq!(refused.code, Some(125), "{refused:?}");

    // Where anybody could have put a socket of their own.
    let folder = at.socket().parent().context("a folder")?.to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777))?;
    let doubted = guest.vega(&["token", API]).await?;
    assert_eq!((doubted.code, &*doubted.stdout), (Some(9), ""), "{doubted:?}");
    ensure!(doubted.stderr.contains("is not believed"), "{doubted:?}");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    server.stop().await?;
    let away = guest.vega(&["token", API]).await?;
    assert_eq!((away.code, &*away.stdout), (Some(9), ""), "{away:?}");
    // Nothing was made in the guest's home.
    let left: Vec<_> = std::fs::read_dir(guest.home.path())?.collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}
