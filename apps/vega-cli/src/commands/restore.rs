//! `vega restore FILE`: a backup in the place of the database, and what that brings with it.

use vega_api_types::RestoreView;
use vega_bootstrap::{PortDecorator, Restored, Settings, restore_backup};

use crate::command_error::CommandError;
use crate::command_line::arguments::Restore;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(
    settings: &Settings,
    wanted: &Restore,
    decorator: &dyn PortDecorator,
) -> Result<Exit, CommandError> {
    let restored = restore_backup(settings, &wanted.file, decorator).await?;
    if wanted.json {
        output::data_json(&report(&restored))?;
    } else {
        output::data(&told(&restored));
    }
    for why in &restored.unreadable {
        output::say(&format!("warning: {why}. It counts for nothing"));
    }
    Ok(Exit::Ok)
}

fn told(restored: &Restored) -> String {
    let restored_from = format!(
        "{} is restored: {} audit entries, and {} sealed values that were opened. Entries that were written after it and are missing, \
         as far as this machine knows: {}.",
        restored.backup.display(),
        restored.audit_entries,
        restored.opened,
        restored.missing
    );
    let kept = restored.kept.as_ref();
    let kept = kept.map(|kept| format!("What was there before is kept in {}.", kept.display()));
    let revoked = "What was revoked after the backup was made counts again: revoke it again. `vega verify` says which tokens live. \
                   Nobody is asked for an OTP before a window has passed.";
    let others = restored.is_on_server.then_some(
        "Other machines know more entries than there are now: on each, say `vega audit accept --reason TEXT`.",
    );
    let lines = [Some(&*restored_from), kept.as_deref(), Some(revoked), others];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn report(restored: &Restored) -> RestoreView {
    RestoreView {
        v: 1,
        file: restored.backup.display().to_string(),
        kept: restored.kept.as_ref().map(|kept| kept.display().to_string()),
        audit_entries: restored.audit_entries,
        missing: restored.missing,
        opened: restored.opened,
        unreadable: restored.unreadable.clone(),
    }
}
