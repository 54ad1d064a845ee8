//! `vega seal`: a new root key, in one step or, where several machines have the database, in two; and which machines have it.

use comfy_table::{ContentArrangement, Table, presets};
use vega_api_types::{MachineView, MachinesView, PreparedKeyView, RotationView};
use vega_bootstrap::{PreparedKey, Rotation, Vega, WalState};
use vega_domain::expiry::in_ist;
use vega_domain::machine::{Machine, NextKey};

use crate::command_error::CommandError;
use crate::command_line::arguments::Seal;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Seal) -> Result<Exit, CommandError> {
    match wanted {
        Seal::Machines { json } => list(vega, *json).await,
        Seal::Rotate {
            prepare: true,
            without,
            json,
            ..
        } => prepare(vega, without, *json).await,
        Seal::Rotate {
            commit: true,
            without,
            json,
            ..
        } => say_rotated(&vega.maintenance.commit_key(without).await?, *json),
        Seal::Rotate { json, .. } => say_rotated(&vega.maintenance.rotate_key().await?, *json),
    }
}

async fn list(vega: &Vega, as_json: bool) -> Result<Exit, CommandError> {
    let machines = vega.maintenance.machines().await?;
    if as_json {
        let machines = machines.into_iter().map(MachineView::from).collect();
        output::data_json(&MachinesView { v: 1, machines })?;
    } else {
        output::data(&as_table(&machines));
    }
    Ok(Exit::Ok)
}

async fn prepare(vega: &Vega, gone: &[String], as_json: bool) -> Result<Exit, CommandError> {
    let prepared = vega.maintenance.prepare_key(gone).await?;
    let machines = vega.maintenance.machines().await?;
    if as_json {
        output::data_json(&PreparedKeyView {
            v: 1,
            key_id: prepared.id,
            file: prepared.file.display().to_string(),
            machines: machines.into_iter().map(MachineView::from).collect(),
        })?;
    } else {
        output::data(&to_be_copied(&prepared, &machines));
    }
    Ok(Exit::Ok)
}

fn to_be_copied(prepared: &PreparedKey, machines: &[Machine]) -> String {
    format!(
        "The next key is in {file}. The one in force stays in force until it is put in its place.\n\n\
         Copy this file to each machine that lacks it, by hand and in private, into the folder of its key file and under the same \
         name (scp -p). A running server says within 30 s that it has it, `vega seal machines` there at once.\n\n\
         {table}\n\n\
         When all have it: vega seal rotate --commit",
        file = prepared.file.display(),
        table = as_table(machines),
    )
}

fn as_table(machines: &[Machine]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["Machine", "Key", "Next key", "Seen (IST)", "Vega", "Server"]);
    for machine in machines {
        let here = if machine.is_this_one { " (this one)" } else { "" };
        let next_key = match machine.next_key {
            NextKey::NotPrepared => "none is prepared",
            NextKey::Held => "has it",
            NextKey::Lacking => "lacks it",
        };
        table.add_row([
            format!("{}{here}", machine.name),
            if machine.has_key { "has it" } else { "lacks it" }.to_owned(),
            next_key.to_owned(),
            in_ist(machine.seen_at).format("%d %b %Y %H:%M:%S").to_string(),
            machine.version.clone(),
            machine.url.clone().unwrap_or_else(|| "none".into()),
        ]);
    }
    table.to_string()
}

fn say_rotated(rotation: &Rotation, as_json: bool) -> Result<Exit, CommandError> {
    if as_json {
        output::data_json(&report(rotation))?;
    } else {
        output::data(&told(rotation));
    }
    for why in &rotation.unreadable {
        output::say(&format!(
            "warning: {why}. It did not open with the old key either, and stays as it is"
        ));
    }
    match rotation.wal {
        WalState::Emptied => {}
        WalState::InUse => output::say(
            "warning: another program has the database open, so what the old key sealed may stay in its log until that \
             program ends",
        ),
        WalState::OfServer => output::say(
            "What the old key sealed stays in the log of the database server, and in dead rows, until that reuses them",
        ),
    }
    Ok(Exit::Ok)
}

fn told(rotation: &Rotation) -> String {
    let old_key = rotation.old_key.display();
    format!(
        "Everything is sealed with a new key: {}. It is in {}.\n\
         The old key is kept as {old_key}: copies of the database from before open only with it. Back the new one up, \
         and remove the old one when you need no such copy any more.\n\
         Programs that have the database open go on with the new key by themselves.",
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
