//! `vega seal rotate`: a new root key, and everything sealed with it.

use vega_api_types::RotationView;
use vega_bootstrap::{Rotation, Vega, WalState};

use crate::command_error::CommandError;
use crate::command_line::arguments::Seal;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Seal) -> Result<Exit, CommandError> {
    let Seal::Rotate { json } = wanted;
    let rotation = vega.maintenance.rotate_key().await?;
    if *json {
        output::data_json(&report(&rotation))?;
    } else {
        output::data(&told(&rotation));
    }
    for why in &rotation.unreadable {
        output::say(&format!(
            "warning: {why}. It did not open with the old key either, and stays as it is"
        ));
    }
    if rotation.wal == WalState::InUse {
        output::say(
            "warning: another program has the database open, so what the old key sealed may stay in its log until that \
             program ends",
        );
    }
    Ok(Exit::Ok)
}

fn told(rotation: &Rotation) -> String {
    let old_key = rotation.old_key.display();
    format!(
        "Everything is sealed with a new key: {}. It is in {}.\n\
         The old key is kept as {old_key}: copies of the database from before open only with it. Back the new one up, \
         and remove the old one when you need no such copy any more.\n\
         Programs that have the database open must be started again.",
        match rotation.sealed {
            1 => "1 value".to_owned(),
            many => format!("{many} values"),
        },
        rotation.key_file.display()
    )
}

fn report(rotation: &Rotation) -> RotationView {
    RotationView {
        v: 1,
        key_file: rotation.key_file.display().to_string(),
        old_key_file: rotation.old_key.display().to_string(),
        sealed: rotation.sealed,
        unreadable: rotation.unreadable.clone(),
        log_emptied: rotation.wal == WalState::Emptied,
    }
}
