//! What a power cut left of a database, compared with what was promised before it: it opens, it is whole, no commit is
//! there by half, each acknowledged one is there, and it takes the next one.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result};
use chrono::DateTime;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ports::{AuditHistory, AuditTrail, UpstoxTokenRepository};
use vega_persistence::{DataSource, RowScope, SqlAuditHistory, SqlAuditTrail, SqlTokenRepository};

use crate::Folder;
use crate::script;

/// The first word is for the harness.
pub(crate) enum Verdict {
    Whole { commits: usize },
    Lost(String),
    Damaged(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { commits } => write!(f, "whole: {commits} commits"),
            Self::Lost(what) => write!(f, "lost: {}", one_line(what)),
            Self::Damaged(what) => write!(f, "damaged: {}", one_line(what)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// What was promised before the power cut.
struct Promised {
    commits: usize,
    checkpoints: usize,
}

pub(crate) async fn examine(folder: &Folder) -> Result<Verdict> {
    let promised = promised(folder)?;
    let data = match DataSource::open(&folder.url(), &folder.key_file()).await {
        Ok(data) => data,
        Err(error) => return Ok(Verdict::Damaged(format!("does not open: {error}"))),
    };
    let verdict = examine_open(folder, &data, &promised).await;
    data.close().await;
    // A query that fails says that the database is broken, not this program.
    Ok(verdict.unwrap_or_else(|error| Verdict::Damaged(format!("{error:#}"))))
}

fn promised(folder: &Folder) -> Result<Promised> {
    let text = std::fs::read_to_string(folder.acknowledged()).context("what was acknowledged")?;
    let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    Ok(Promised {
        commits: count("commit "),
        checkpoints: count("checkpoint "),
    })
}

async fn examine_open(folder: &Folder, data: &DataSource, promised: &Promised) -> Result<Verdict> {
    let options = SqliteConnectOptions::new()
        .filename(folder.database())
        .read_only(true);
    let raw = SqlitePool::connect_with(options).await?;
    for pragma in ["PRAGMA quick_check", "PRAGMA integrity_check"] {
        let said: Vec<String> = sqlx::query_scalar(pragma).fetch_all(&raw).await?;
        if said != ["ok"] {
            return Ok(Verdict::Damaged(format!("{pragma}: {}", said.join("; "))));
        }
    }
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&raw).await?;
    if !dangling.is_empty() {
        return Ok(Verdict::Damaged(format!("{} rows refer to none", dangling.len())));
    }

    let kinds: Vec<String> = sqlx::query_scalar("SELECT kind FROM audit_events ORDER BY id")
        .fetch_all(&raw)
        .await?;
    let commits = kinds.len();
    let script: Vec<&str> = script::all()
        .iter()
        .map(|(_, commit)| commit.audit().code())
        .collect();
    if commits > script.len() || kinds != script[..commits] {
        return Ok(Verdict::Damaged(
            "the audit trail is not that of the workload".into(),
        ));
    }
    let (expected, found) = (script::rows_after(commits), rows(&raw).await?);
    raw.close().await;
    if let Some(row) = expected.symmetric_difference(&found).next() {
        let how = if found.contains(row) {
            "is there too early"
        } else {
            "is missing"
        };
        return Ok(Verdict::Damaged(format!("after {commits} commits `{row}` {how}")));
    }
    if let Some(what) = unreadable_token(data).await? {
        return Ok(Verdict::Damaged(what));
    }
    // A row, its value and its audit entry are one commit.
    let faults = data.row_faults(RowScope::All).await?;
    if !faults.is_none() {
        return Ok(Verdict::Damaged(format!("rows do not fit: {faults:?}")));
    }
    remove_torn_checkpoint(folder)?;
    let audit = SqlAuditHistory::new(data.clone()).verify(None).await?;
    if let Some(fault) = audit.fault {
        return Ok(Verdict::Damaged(format!("audit trail: {fault}")));
    }

    if commits < promised.commits {
        let lost = promised.commits - commits;
        return Ok(Verdict::Lost(format!("{lost} of {} commits", promised.commits)));
    }
    if commits > promised.commits + 1 {
        return Ok(Verdict::Damaged(format!(
            "{commits} commits, but {} were made",
            promised.commits
        )));
    }
    let checkpoints = std::fs::read_to_string(folder.checkpoints()).unwrap_or_default();
    if checkpoints.lines().count() < promised.checkpoints {
        return Ok(Verdict::Lost("a checkpoint of the audit trail".into()));
    }
    let entry = AuditEntry::new(
        DateTime::UNIX_EPOCH,
        AuditKind::PlanDeclined,
        "after the power cut",
    );
    SqlAuditTrail::new(data.clone())
        .append(&entry)
        .await
        .context("the next commit")?;
    Ok(Verdict::Whole { commits })
}

/// A checkpoint that was not acknowledged may be torn. Vega then names the line and asks the operator to remove it.
fn remove_torn_checkpoint(folder: &Folder) -> Result<()> {
    let checkpoints = std::fs::read(folder.checkpoints()).unwrap_or_default();
    let whole = checkpoints
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    if whole < checkpoints.len() {
        std::fs::write(folder.checkpoints(), &checkpoints[..whole])?;
    }
    Ok(())
}

/// The newest token of each API opens and is the one that was stored.
async fn unreadable_token(data: &DataSource) -> Result<Option<String>> {
    for loaded in SqlTokenRepository::new(data.clone()).load_all().await? {
        let token = match loaded {
            Ok(token) => token,
            Err(unreadable) => return Ok(Some(unreadable.error.to_string())),
        };
        let stored = format!("CANARY-token-{}-{}", token.api, token.generation);
        if token.access_token.expose() != stored {
            return Ok(Some(format!("the token of {} is another one", token.api)));
        }
    }
    Ok(None)
}

/// The tables, a line per row, as `script::rows_after` foretells them.
async fn rows(raw: &SqlitePool) -> Result<BTreeSet<String>> {
    const ROWS: &str = "
        WITH session AS (
            SELECT id, state, row_number() OVER (ORDER BY started_at) - 1 AS number FROM execution_runs
        )
        SELECT format('run %d %s', number, state) FROM session
        UNION ALL SELECT format('step %d %s %s', number, step.api, step.state)
            FROM execution_steps AS step JOIN session ON session.id = step.run_id
        UNION ALL SELECT format('attempt %s %d %s, code %d, answer %d, pressed %d', api, generation, status,
                sealed_code IS NOT NULL, sealed_answer IS NOT NULL,
                EXISTS (SELECT 1 FROM otp_requests WHERE attempt_id = sign_in_attempts.id))
            FROM sign_in_attempts
        UNION ALL SELECT format('token %s %d %s, rejected %d', api, generation, last_check_result,
                rejected_at IS NOT NULL)
            FROM upstox_tokens";
    let rows: Vec<String> = sqlx::query_scalar(ROWS).fetch_all(raw).await?;
    Ok(rows.into_iter().collect())
}
