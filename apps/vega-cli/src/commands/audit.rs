//! `vega audit`: what happened, oldest first; and whether that record is still the one that Vega wrote.

use std::path::Path;

use vega_api_types::{AuditVerdictView, AuditView, EntryView};
use vega_bootstrap::{Accepted, RowScope, Settings, Vega, examine_backup};
use vega_domain::audit::{AuditFault, AuditFilter, AuditKind, AuditOrder, AuditVerdict, RecordedEntry};
use vega_domain::expiry::in_ist;
use vega_domain::plan::ForceReason;
use vega_domain::row_faults::RowFaults;
use vega_domain::visible::on_one_line;

use crate::command_error::CommandError;
use crate::command_line::arguments::{Accept, Audit};
use crate::exit::Exit;
use crate::terminal::output;

const PAGE: u32 = 500;

const NO_CHECKPOINT: &str = "No checkpoint of this trail is on record, so a cut at its end could go unnoticed. The end of each run leaves \
                             one beside the key.";

/// Of the losses of commits that are told, the newest.
const LOSSES: u32 = 3;

pub(crate) async fn run(vega: &Vega, wanted: &Audit) -> Result<Exit, CommandError> {
    if let Some(Accept::Accept { reason }) = &wanted.accept {
        return accept(vega, reason).await;
    }
    if wanted.verify {
        return verify(vega, wanted.checkpoints.as_deref(), wanted.json).await;
    }
    let filter = AuditFilter {
        since: wanted.since.map(|since| since.seen_from(vega.clock.now())),
        api: wanted.api.clone(),
        ..AuditFilter::default()
    };
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = vega
            .audit
            .page(&filter, AuditOrder::OldestFirst, after, PAGE)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        if wanted.json {
            entries.extend(page.iter().map(EntryView::from));
        } else {
            for entry in &page {
                output::data(&line(entry));
            }
        }
    }
    if wanted.json {
        output::data_json(&AuditView {
            v: 1,
            entries,
            next: None,
        })?;
    } else if after.is_none() {
        output::say("Nothing is on record.");
    }
    Ok(Exit::Ok)
}

/// The operator's word: what is there counts, but for what does not fit.
async fn accept(vega: &Vega, reason: &ForceReason) -> Result<Exit, CommandError> {
    let accepted = vega.maintenance.accept(&reason.to_string()).await?;
    if accepted.is_none() {
        output::say("Everything in the database is what Vega wrote last. There is nothing to accept.");
        return Ok(Exit::Ok);
    }
    if accepted.database.is_some() {
        output::data(&counts(&accepted));
        output::say(
            "What was revoked since it was made is not revoked in it: `vega key list` shows the keys that count, \
             `vega verify` which tokens live.",
        );
    }
    for row in &accepted.rows {
        output::data(&format!("Out of force: {}.", row.words));
    }
    Ok(undone_by_an_older_file(vega.maintenance.missing_checkpoint().await).unwrap_or(Exit::Ok))
}

fn counts(accepted: &Accepted) -> String {
    match accepted.sealed {
        Some(sealed) => format!(
            "The database counts from now on, as it is: {} sealed as they stood. Console sessions have ended; `vega console` \
             opens one.",
            counted(sealed, "row", "rows")
        ),
        None => "The database counts from now on, as it is.".into(),
    }
}

/// Tells where something that was done just now could be undone by putting an older file back.
pub(crate) fn undone_by_an_older_file(missing_checkpoint: Option<String>) -> Option<Exit> {
    output::problem(&missing_checkpoint?);
    Some(Exit::Preflight)
}

/// What does not fit, in words. Each line says what it means.
pub(crate) fn faults(faults: &RowFaults) -> Vec<String> {
    let database = faults.database.iter().cloned();
    let rows = faults
        .rows
        .iter()
        .map(|row| format!("{}: it counts for nothing.", row.words));
    let mut lines: Vec<String> = database.chain(rows).collect();
    if !faults.rows.is_empty() {
        lines.push(
            "Somebody who can write the database did that: find out who. Then sign in anew where a token is concerned, or \
             put all of it out of force, on record, with `vega audit accept --reason TEXT`."
                .into(),
        );
    }
    lines
}

async fn verify(vega: &Vega, checkpoints: Option<&Path>, json: bool) -> Result<Exit, CommandError> {
    let verdict = vega.audit.verify(checkpoints).await?;
    let rows = vega.maintenance.row_faults(RowScope::All).await?;
    if json {
        output::data_json(&AuditVerdictView::of(&verdict, &rows))?;
    } else if verdict.fault.is_none() {
        output::data(&intact(&verdict));
        tell_losses(vega).await?;
    }
    for line in faults(&rows) {
        output::problem(&line);
    }
    if let Some(fault) = verdict.fault {
        output::problem(&format!(
            "the audit trail was changed outside Vega: {fault}. What comes before fits ({}). \
             Keep a copy of the database and of vega.checkpoints beside the key, and compare them with a backup",
            counted(verdict.entries, "entry", "entries")
        ));
        return Ok(Exit::Preflight);
    }
    if !rows.is_none() {
        return Ok(Exit::Preflight);
    }
    if let Some(exit) = undone_by_an_older_file(vega.maintenance.missing_checkpoint().await) {
        return Ok(exit);
    }
    if verdict.checkpoints == 0 {
        output::say(NO_CHECKPOINT);
    }
    Ok(Exit::Ok)
}

/// The trail in a backup, by itself.
pub(crate) async fn verify_backup(
    settings: &Settings,
    backup: &Path,
    checkpoints: Option<&Path>,
    json: bool,
) -> Result<Exit, CommandError> {
    let examined = examine_backup(settings, backup, checkpoints).await?;
    let mut verdict = examined.verdict;
    // A copy of the checkpoints that was put away with the backup knows no later entries.
    if let Some(written) = examined.written_up_to.filter(|_| checkpoints.is_some()) {
        let last = i64::try_from(verdict.entries).unwrap_or(i64::MAX);
        verdict.fault = verdict.fault.or(Some(AuditFault::Cut { last, written }));
    }
    let untrusted = (!examined.is_trusted).then(|| {
        format!(
            "what {} holds beside the audit trail is not what Vega wrote last, so nothing but the trail counts in it",
            backup.display()
        )
    });
    let faults = RowFaults {
        database: untrusted.clone(),
        ..RowFaults::default()
    };
    if json {
        output::data_json(&AuditVerdictView::of(&verdict, &faults))?;
    } else if verdict.fault.is_none() {
        output::data(&intact(&verdict));
    }
    if let Some(fault) = verdict.fault {
        output::problem(&format!(
            "the audit trail in {} was changed outside Vega: {fault}. What comes before fits ({})",
            backup.display(),
            counted(verdict.entries, "entry", "entries")
        ));
        return Ok(Exit::Preflight);
    }
    if let Some(untrusted) = untrusted {
        output::problem(&untrusted);
        return Ok(Exit::Preflight);
    }
    if let Some(written) = examined.written_up_to {
        output::say(&format!(
            "It ends before entry {written}: what lies between was written after the backup was made, or is missing in it."
        ));
    }
    if verdict.checkpoints == 0 {
        output::say(NO_CHECKPOINT);
    }
    Ok(Exit::Ok)
}

/// A trail that was cut with a database server fits: what is missing in it is only said.
async fn tell_losses(vega: &Vega) -> Result<(), CommandError> {
    let filter = AuditFilter {
        kind: Some(AuditKind::CommitsLost),
        ..AuditFilter::default()
    };
    let losses = vega
        .audit
        .page(&filter, AuditOrder::NewestFirst, None, LOSSES)
        .await?;
    for lost in &losses {
        output::say(&line(lost));
    }
    Ok(())
}

fn intact(verdict: &AuditVerdict) -> String {
    let others = match verdict.other_checkpoints {
        0 => String::new(),
        others => format!(" ({others} of other databases left out)"),
    };
    format!(
        "The audit trail is intact: {}, {} checked{others}.",
        counted(verdict.entries, "entry", "entries"),
        counted(verdict.checkpoints, "checkpoint", "checkpoints")
    )
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// One entry on one line: what a page said may hold line breaks, and worse.
fn line(recorded: &RecordedEntry) -> String {
    let entry = &recorded.entry;
    let line = format!(
        "{} IST  {:<23}  {}  {}  {}",
        in_ist(entry.at).format("%Y-%m-%d %H:%M:%S"),
        entry.kind.code(),
        entry.account.as_ref().map_or("-", |account| account.as_str()),
        entry.api.as_ref().map_or("-", |api| api.as_str()),
        entry.detail
    );
    on_one_line(line.trim_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use vega_domain::audit::{AuditEntry, AuditFault, AuditKind};
    use vega_domain::ids::{AccountId, ApiName};

    use super::*;

    fn entries() -> [RecordedEntry; 2] {
        let at = DateTime::parse_from_rfc3339("2026-11-23T08:45:00+05:30")
            .unwrap()
            .to_utc();
        let account = AccountId::new("default").unwrap();
        let api = ApiName::new("PRIMARY").unwrap();
        let words = "failed: page_changed: the page's\nwords\u{1b}[31m";
        [
            AuditEntry::new(at, AuditKind::PlanConfirmed, "PRIMARY"),
            AuditEntry::new(at, AuditKind::StepChanged, words).about(&account, &api),
        ]
        .map(|entry| RecordedEntry { id: 1, entry })
    }

    #[test]
    fn an_entry_is_one_line_without_control_characters() {
        insta::assert_snapshot!("audit_lines", entries().map(|entry| line(&entry)).join("\n"));
    }

    #[test]
    fn the_json_shapes_are_fixed() {
        insta::assert_json_snapshot!(
            "audit_entries",
            AuditView {
                v: 1,
                entries: entries().iter().map(EntryView::from).collect(),
                next: None,
            }
        );
        let cut = AuditVerdict {
            entries: 2,
            checkpoints: 1,
            other_checkpoints: 0,
            fault: Some(AuditFault::Cut { last: 2, written: 5 }),
        };
        insta::assert_json_snapshot!("audit_verdict", AuditVerdictView::of(&cut, &RowFaults::default()));
    }

    #[test]
    fn what_was_checked_is_counted() {
        let verdict = |entries, checkpoints, other_checkpoints| AuditVerdict {
            entries,
            checkpoints,
            other_checkpoints,
            fault: None,
        };
        let said = [verdict(1, 1, 0), verdict(40, 2, 3)].map(|verdict| intact(&verdict));
        insta::assert_snapshot!("audit_intact", said.join("\n"));
    }
}
