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
    let mut words = format!(
        "{} is restored: {} audit entries, and {} sealed values that were opened. Entries that were written after it and are missing, \
         as far as this machine knows: {}.\n",
        restored.backup.display(),
        restored.audit_entries,
        restored.opened,
        restored.missing
    );
    if let Some(kept) = &restored.kept {
        words.push_str(&format!("What was there before is kept in {}.\n", kept.display()));
    }
    words.push_str(
        "What was revoked after the backup was made counts again: revoke it again. `vega verify` says which tokens live. Nobody is \
         asked for an OTP before a window has passed.",
    );
    if restored.is_on_server {
        words.push_str(
            "\nOther machines know more entries than there are now: on each, say `vega audit accept --reason TEXT`.",
        );
    }
    words
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
