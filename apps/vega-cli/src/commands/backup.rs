//! `vega backup FILE`: a copy of the database, examined before it is called good.

use vega_api_types::BackupView;
use vega_bootstrap::{Backup, Vega};

use crate::command_error::CommandError;
use crate::command_line::arguments;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &arguments::Backup) -> Result<Exit, CommandError> {
    let backup = vega.maintenance.back_up(&wanted.file).await?;
    if wanted.json {
        output::data_json(&report(&backup))?;
    } else {
        output::data(&told(&backup));
    }
    Ok(Exit::Ok)
}

fn told(backup: &Backup) -> String {
    let counted = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    format!(
        "{} is good: {}, {}, {}.\n\
         The key is not in it. Without {} nobody can read its tokens: keep a copy of that, in another place.",
        backup.file.display(),
        counted(u64::from(backup.apis), "API's tokens", "APIs' tokens"),
        counted(backup.audit_entries, "audit entry", "audit entries"),
        counted(backup.bytes, "byte", "bytes"),
        backup.key_file.display()
    )
}

fn report(backup: &Backup) -> BackupView {
    BackupView {
        v: 1,
        file: backup.file.display().to_string(),
        bytes: backup.bytes,
        apis: backup.apis,
        audit_entries: backup.audit_entries,
        key_file: backup.key_file.display().to_string(),
    }
}
