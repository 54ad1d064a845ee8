//! Somebody who can write the database file, and has no key, edits it with `sqlite3`: while the server runs and before it
//! starts. Nothing that was taken back is served, everybody who looks is told, and after the operator's word it goes on.

use anyhow::{Context, Result, ensure};
use rstest::rstest;
use vega_tests::{Caller, Desk, Server, Upstox, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";
const TOKEN: &str = "/api/v1/apis/PRIMARY/token";
const ACCEPT: [&str; 4] = ["audit", "accept", "--reason", "looked at it"];

/// What is done to the database.
struct Edit {
    /// What is kept of before.
    keep: &'static str,
    /// What the operator does then.
    command: &'static [&'static str],
    /// What the attacker does afterwards.
    by: &'static str,
    /// What everybody is told.
    told: &'static str,
    /// What `vega token` ends with.
    code: i32,
    /// Whether a program's own key opens nothing, or its token is not there.
    status: u16,
}

const KEYS: &str = "CREATE TABLE side.kept AS SELECT * FROM access_keys";
const KEYS_BACK: &str = "DELETE FROM access_keys; INSERT INTO access_keys SELECT * FROM side.kept";
const TOKENS: &str = "CREATE TABLE side.kept AS SELECT * FROM upstox_tokens";
const TOKENS_BACK: &str = "DELETE FROM upstox_tokens; INSERT INTO upstox_tokens SELECT * FROM side.kept";

const EDITS: [Edit; 7] = [
    Edit {
        keep: KEYS,
        command: &["key", "revoke", "reader"],
        by: KEYS_BACK,
        told: "the access key reader is an earlier one that was put back outside Vega",
        code: 0,
        status: 401,
    },
    Edit {
        keep: TOKENS,
        command: &["revoke", API, "--yes"],
        by: TOKENS_BACK,
        told: "the token of PRIMARY, generation 1, is an earlier one that was put back outside Vega",
        code: 3,
        status: 409,
    },
    Edit {
        keep: TOKENS,
        command: &["revoke", API, "--yes"],
        by: "UPDATE upstox_tokens SET rejected_at = NULL, revoked_at = NULL, last_check_result = 'valid'",
        told: "the token of PRIMARY, generation 1, was changed outside Vega",
        code: 3,
        status: 409,
    },
    Edit {
        keep: TOKENS,
        command: &["verify", API],
        by: "UPDATE upstox_tokens SET valid_until = '2099-01-01T00:00:00+00:00'",
        told: "the token of PRIMARY, generation 1, was changed outside Vega",
        code: 3,
        status: 409,
    },
    // Of before a check that found it good: an earlier one all the same.
    Edit {
        keep: TOKENS,
        command: &["verify", API],
        by: TOKENS_BACK,
        told: "the token of PRIMARY, generation 1, is an earlier one that was put back outside Vega",
        code: 3,
        status: 409,
    },
    // The list of latest changes goes with it, and the record of events tells.
    Edit {
        keep: TOKENS,
        command: &["revoke", API, "--yes"],
        by: "DELETE FROM upstox_tokens; INSERT INTO upstox_tokens SELECT * FROM side.kept; DELETE FROM latest_changes",
        told: "what it says of its latest changes is not what Vega wrote",
        code: 9,
        status: 503,
    },
    // The whole file of before; it has a name of its own below.
    Edit {
        keep: "",
        command: &["revoke", API, "--yes"],
        by: "",
        told: "the database is older than its checkpoint",
        code: 9,
        status: 503,
    },
];

/// One desk with a token, and a program that reads it.
async fn at_work(upstox: &Upstox) -> Result<(Desk, Caller)> {
    let desk = Desk::new(upstox)?;
    assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0));
    let reader = key(&desk, "reader", "token:PRIMARY", &[]).await?;
    Ok((desk, reader))
}

/// What an attacker does with `sqlite3`, and a file of their own beside.
fn sql(desk: &Desk, statement: &str) -> Result<()> {
    let side = desk.path().join("side.db");
    desk.sql(&format!(
        "PRAGMA busy_timeout = 5000; ATTACH '{}' AS side; {statement}",
        side.display()
    ))
}

impl Edit {
    fn keep(&self, desk: &Desk) -> Result<()> {
        match self.keep {
            "" => sql(
                desk,
                &format!("VACUUM INTO '{}'", desk.path().join("older.db").display()),
            ),
            keep => sql(desk, keep),
        }
    }

    /// A file that replaces another is written over it page by page, as `.restore` of `sqlite3` does.
    fn make(&self, desk: &Desk) -> Result<()> {
        if !self.by.is_empty() {
            return sql(desk, self.by);
        }
        desk.sql(&format!(".restore {}", desk.path().join("older.db").display()))
    }

    async fn is_told(&self, desk: &Desk, server: &Server) -> Result<()> {
        for arguments in [&["status"][..], &["audit", "--verify"]] {
            let ran = desk.vega(arguments).await?;
            let said = format!("{}{}", ran.stdout, ran.stderr);
            ensure!(said.contains(self.told), "{arguments:?}: {ran:?}");
            ensure!(arguments == ["status"] || ran.code == Some(9), "{ran:?}");
        }
        let ready = until(async || {
            let ready = server.get("/readyz", &Caller::Stranger).await;
            ready.is_ok_and(|ready| ready.status == 503)
        });
        ensure!(ready.await, "/readyz says nothing: {}", server.log());
        let view = server.get("/readyz", &Caller::Stranger).await?.json()?;
        assert_eq!(view["rows"], false, "{view}");
        ensure!(server.log().contains(self.told), "{}", server.log());
        Ok(())
    }

    async fn is_not_served(&self, desk: &Desk, server: &Server, reader: &Caller) -> Result<()> {
        let refused = until(async || {
            let token = server.get(TOKEN, reader).await;
            token.is_ok_and(|token| token.status == self.status)
        });
        ensure!(
            refused.await,
            "{:?}: {}",
            server.get(TOKEN, reader).await,
            server.log()
        );
        let ran = desk.vega(&["token", API]).await?;
        assert_eq!(ran.code, Some(self.code), "{}: {ran:?}", self.told);
        ensure!(self.code == 0 || ran.stdout.is_empty(), "{ran:?}");
        Ok(())
    }
}

#[rstest]
#[tokio::test]
async fn what_was_taken_back_does_not_come_back_by_an_edit(
    #[values(0, 1, 2, 3, 4, 5, 6)] which: usize,
    #[values(true, false)] while_it_runs: bool,
) -> Result<()> {
    let edit = &EDITS[which];
    let upstox = Upstox::start().await?;
    let (desk, reader) = at_work(&upstox).await?;
    edit.keep(&desk)?;
    let server = if while_it_runs {
        let server = Server::start(&desk).await?;
        let served = server.get(TOKEN, &reader).await?;
        assert_eq!(served.status, 200, "{served:?}");
        assert_eq!(desk.vega(edit.command).await?.code, Some(0));
        edit.make(&desk)?;
        server
    } else {
        assert_eq!(desk.vega(edit.command).await?.code, Some(0));
        edit.make(&desk)?;
        Server::start(&desk).await?
    };
    edit.is_not_served(&desk, &server, &reader).await?;
    edit.is_told(&desk, &server).await?;
    edit.is_not_served(&desk, &server, &reader).await?;

    let accepted = desk.vega(&ACCEPT).await?;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let ready = until(async || {
        let ready = server.get("/readyz", &Caller::Stranger).await;
        ready.is_ok_and(|ready| ready.status == 200)
    });
    ensure!(ready.await, "{}", server.log());
    let verified = desk.vega(&["audit", "--verify"]).await?;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let is_older = edit.by.is_empty();
    let token = desk.vega(&["token", API]).await?;
    // What was revoked stays so, but for what a backup of before does not know.
    let serves = is_older || edit.status == 401;
    assert_eq!(token.code, Some(if serves { 0 } else { 3 }), "{token:?}");
    if !serves {
        assert_eq!(desk.vega(&["--yes", API]).await?.code, Some(0), "signed in anew");
    }
    let reader = match edit.status {
        401 => key(&desk, "reader", "token:PRIMARY", &[]).await?,
        _ => reader,
    };
    let served = until(async || {
        server
            .get(TOKEN, &reader)
            .await
            .is_ok_and(|token| token.status == 200)
    });
    ensure!(served.await, "{:?}", server.get(TOKEN, &reader).await);
    Ok(())
}

/// A key whose row was taken away is revoked by its name, and does not come back with it.
#[tokio::test]
async fn a_key_whose_record_is_gone_is_revoked_for_good() -> Result<()> {
    let upstox = Upstox::start().await?;
    let (desk, reader) = at_work(&upstox).await?;
    let server = Server::start(&desk).await?;
    sql(&desk, KEYS)?;
    sql(&desk, "DELETE FROM access_keys")?;
    let listed = desk.vega(&["key", "list"]).await?;
    ensure!(
        listed.stderr.contains("(reader) was changed or taken away"),
        "{listed:?}"
    );
    let listed = desk.vega(&["key", "list", "--json"]).await?.json()?;
    assert_eq!(listed["unfit"][0]["names"][0], "reader", "{listed}");
    assert_eq!(listed["keys"].as_array().context("keys")?.len(), 0, "{listed}");
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let told = server.get("/api/v1/keys", &admin).await?.json()?;
    assert_eq!(told["unfit"], listed["unfit"], "{told}");
    let revoked = desk.vega(&["key", "revoke", "reader"]).await?;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let told = server.get("/api/v1/keys", &admin).await?.json()?;
    assert_eq!(told["unfit"][0]["id"], serde_json::Value::Null, "{told}");
    sql(&desk, KEYS_BACK)?;
    for _ in 0..2 {
        let refused = server.get(TOKEN, &reader).await?;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(desk.vega(&ACCEPT).await?.code, Some(0));
        sql(&desk, KEYS_BACK)?;
    }
    let entries = desk.vega(&["audit", "--json"]).await?.json()?;
    let entries = entries["entries"].as_array().context("entries")?;
    let told = entries.iter().filter(|entry| entry["kind"] == "key_revoked");
    assert_eq!(told.count(), 1);
    Ok(())
}

/// What must not be undone by an older file is kept beside the key, too. Where that fails, everybody is told until it is there.
#[tokio::test]
async fn a_revocation_without_its_checkpoint_is_told_until_it_is_there() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let upstox = Upstox::start().await?;
    let (desk, reader) = at_work(&upstox).await?;
    let server = Server::start(&desk).await?;
    let checkpoints = desk.path().join("config/vega/vega.checkpoints");
    let mode = |mode| std::fs::set_permissions(&checkpoints, std::fs::Permissions::from_mode(mode));
    let answers = async |status: u16| {
        until(async || {
            let ready = server.get("/readyz", &Caller::Stranger).await;
            ready.is_ok_and(|ready| ready.status == status)
        })
        .await
    };
    ensure!(answers(200).await, "{}", server.log());
    // Vega adds nothing to a file that others may write.
    mode(0o666)?;
    let revoked = desk.vega(&["revoke", API, "--yes"]).await?;
    assert_eq!(revoked.code, Some(9), "{revoked:?}");
    ensure!(
        revoked.stderr.contains("is revoked: no program gets it"),
        "{revoked:?}"
    );
    ensure!(
        revoked.stderr.contains("has no checkpoint beside the key"),
        "{revoked:?}"
    );
    let refused = until(async || {
        server
            .get(TOKEN, &reader)
            .await
            .is_ok_and(|token| token.status == 409)
    });
    ensure!(refused.await, "{:?}", server.get(TOKEN, &reader).await);
    ensure!(answers(503).await, "{}", server.log());
    let view = server.get("/readyz", &Caller::Stranger).await?.json()?;
    assert_eq!(
        (&view["storage"], &view["rows"]),
        (&false.into(), &true.into()),
        "{view}"
    );
    let status = desk.vega(&["status"]).await?;
    ensure!(status.stderr.contains("has no checkpoint"), "{status:?}");
    mode(0o600)?;
    ensure!(answers(200).await, "it is made up for: {}", server.log());
    let status = desk.vega(&["status"]).await?;
    ensure!(!status.stderr.contains("checkpoint"), "{status:?}");
    Ok(())
}
