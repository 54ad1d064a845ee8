//! The rows of `[[files]]`: files that hold a token for programs that read one. Names of users and groups are looked up here, once; what is
//! at a path, and in its folder, may change at any time and is looked at with each delivery.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Group, User};
use vega_domain::account::Account;
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::token_file::{
    CommandWords, FileAccess, FileFormat, FileMode, FollowUp, OnExpiry, TokenFile,
};
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::settings::known_keys::FILES;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;
use crate::settings::toml_file::Item;
use crate::settings::toml_tables::{Table, Text, tables};
use crate::settings::values;

const KEYS: &[&str] = &[
    "api",
    "kind",
    "accept",
    "path",
    "format",
    "template",
    "mode",
    "owner",
    "group",
    "check",
    "then",
    "on_expiry",
];
/// What nobody has.
const NO_NUMBER: u32 = u32::MAX;

/// All rows. `own` are files of Vega's, which no row may name.
pub(crate) fn read(
    sources: &Sources,
    accounts: &[&Account],
    own: &[PathBuf],
) -> Result<Vec<TokenFile>, SettingsError> {
    let Some(file) = sources.toml() else {
        return Ok(Vec::new());
    };
    let Some(entry) = file.root.get(FILES) else {
        return Ok(Vec::new());
    };
    let heading = format!("[[{FILES}]]");
    let tables = tables(file, entry, FILES, &heading, KEYS)?;
    let mut there: HashMap<PathBuf, String> = HashMap::new();
    let mut rows = Vec::new();
    for table in &tables {
        let row = row(table, accounts)?;
        refuse_own(table, &row, own)?;
        let place = table.place_of("path");
        if let Some(first) = there.insert(one_name_of(&row.path), place.clone()) {
            return Err(SettingsError::Twice {
                first,
                second: place,
                value: row.path.display().to_string(),
                rule: "A file holds one token: give each row a path of its own",
            });
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A row as it is shown.
pub(crate) fn shown(file: &TokenFile) -> String {
    let then = file.then.as_ref().map(|then| format!(", then {then}"));
    let kind = match file.kind {
        WantedKind::Trade => "",
        WantedKind::Read => " (read)",
        WantedKind::TradeOrRead => " (or read)",
    };
    format!(
        "{}{kind} to {} ({}, {}, on expiry {}){}",
        file.api,
        file.path.display(),
        file.format.name(),
        file.access.mode,
        file.on_expiry.name(),
        then.unwrap_or_default()
    )
}

fn row(table: &Table<'_>, accounts: &[&Account]) -> Result<TokenFile, SettingsError> {
    let group = table.text("group")?;
    let mode = match (table.text("mode")?, &group) {
        (Some(mode), _) => mode.checked(FileMode::parse)?,
        // Whoever names a group wants it to read.
        (None, Some(_)) => FileMode::GROUP_READS,
        (None, None) => FileMode::PRIVATE,
    };
    let number_of_user = |name: &str| Some(User::from_name(name).ok()??.uid.as_raw());
    let number_of_group = |name: &str| Some(Group::from_name(name).ok()??.gid.as_raw());
    let (account, api) = api(table, accounts)?;
    Ok(TokenFile {
        api,
        account,
        kind: kind(table)?,
        path: path(&table.needed("path")?)?,
        format: format(table)?,
        access: FileAccess {
            mode,
            owner: table
                .text("owner")?
                .map(|owner| {
                    number(
                        &owner,
                        number_of_user,
                        "is no user of this machine. Write a name or a number",
                    )
                })
                .transpose()?,
            group: group
                .map(|group| {
                    number(
                        &group,
                        number_of_group,
                        "is no group of this machine. Write a name or a number",
                    )
                })
                .transpose()?,
        },
        check: command(table, "check")?
            .map(|words| checked_words(table, "check", words))
            .transpose()?,
        then: then(table)?,
        on_expiry: table
            .text("on_expiry")?
            .map(|text| text.checked(OnExpiry::parse))
            .transpose()?
            .unwrap_or_default(),
    })
}

fn api(table: &Table<'_>, accounts: &[&Account]) -> Result<(AccountId, ApiName), SettingsError> {
    let text = table.needed("api")?;
    let api = text.checked(|text| ApiName::new(text))?;
    let has_it = |account: &&&Account| account.apis.iter().any(|known| known.name == api);
    if let Some(account) = accounts.iter().find(has_it) {
        return Ok((account.id.clone(), api));
    }
    let apis = accounts.iter().flat_map(|account| &account.apis);
    let mut known: Vec<&ApiName> = apis.map(|api| &api.name).collect();
    known.sort();
    let known: Vec<&str> = known.into_iter().map(ApiName::as_str).collect();
    Err(SettingsError::NoSuchApi {
        name: text.name,
        place: text.place,
        api: text.value,
        known: known.join(", "),
    })
}

/// Which of the two kinds of token.
fn kind(table: &Table<'_>) -> Result<WantedKind, SettingsError> {
    let kind = table.text("kind")?;
    let accept = table.text("accept")?;
    let kind = kind.map(|text| text.checked(TokenKind::parse)).transpose()?;
    let Some(accept) = accept else {
        return Ok(kind.map(WantedKind::from).unwrap_or_default());
    };
    let accepted = accept.checked(TokenKind::parse)?;
    WantedKind::of(kind.map(TokenKind::as_str), Some(accepted.as_str())).map_err(|problem| {
        SettingsError::Value {
            name: accept.name,
            place: accept.place,
            problem,
        }
    })
}

fn path(text: &Text) -> Result<PathBuf, SettingsError> {
    let wrong = |problem| wrong(text, problem);
    let path = values::path(&text.value).map_err(wrong)?;
    if text.value.ends_with('/') || path.file_name().is_none() {
        return Err(wrong("names a folder. Write the name of a file behind it"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(wrong("goes up with \"..\". Write the path without it"));
    }
    Ok(path)
}

fn format(table: &Table<'_>) -> Result<FileFormat, SettingsError> {
    let (format, template) = (table.text("format")?, table.text("template")?);
    let name = format.as_ref().map_or("raw", |format| &format.value);
    if let Some(template) = template.filter(|_| name != "template") {
        return Err(SettingsError::WrongShape {
            name: template.name,
            place: template.place,
            found: "set, but format is not \"template\"".into(),
            wanted: "format = \"template\" too, or take it out".into(),
        });
    }
    match (name, &format) {
        ("raw", _) | (_, None) => Ok(FileFormat::Raw),
        ("json", _) => Ok(FileFormat::Json),
        ("env", _) => Ok(FileFormat::Env),
        ("header", _) => Ok(FileFormat::Header),
        ("template", _) => {
            let template = table.needed("template")?;
            let path = values::path(&template.value).map_err(|problem| wrong(&template, problem))?;
            Ok(FileFormat::Template(path))
        }
        (_, Some(format)) => Err(wrong(
            format,
            "is no format. Write raw, json, env, header or template",
        )),
    }
}

/// Numbers count whether or not somebody has them: a container has users that this machine does not know.
fn number(
    text: &Text,
    look_up: impl Fn(&str) -> Option<u32>,
    problem: &'static str,
) -> Result<u32, SettingsError> {
    let number = match text.value.parse() {
        Ok(number) => Some(number).filter(|number| *number != NO_NUMBER),
        Err(_) => look_up(&text.value),
    };
    number.ok_or_else(|| wrong(text, problem))
}

fn then(table: &Table<'_>) -> Result<Option<FollowUp>, SettingsError> {
    let Some(words) = command(table, "then")? else {
        return Ok(None);
    };
    if let [word] = &*words
        && let Some(signal) = word.strip_prefix(FollowUp::SIGNAL)
    {
        return refused_as_value(table, "then", FollowUp::signal(signal)).map(Some);
    }
    checked_words(table, "then", words).map(|words| Some(FollowUp::Command(words)))
}

/// The words of a command: a list, or text that is split as a shell does.
fn command(table: &Table<'_>, key: &str) -> Result<Option<Vec<String>>, SettingsError> {
    let Some(entry) = table.section.get(key) else {
        return Ok(None);
    };
    let wrong = |found: &str| {
        SettingsError::WrongShape {
        name: table.key(key),
        place: table.file.line(entry.line),
        found: found.to_owned(),
        wanted: "a command with its arguments, such as \"systemctl --user reload strategy\" or [\"jq\", \"-e\", \".\", \"{path}\"]"
            .into(),
    }
    };
    let words = match &entry.item {
        Item::One(text) => shlex::split(text).ok_or_else(|| wrong("text in which a quote is not closed"))?,
        Item::List(items) => {
            let word = |item: &Item| match item {
                Item::One(text) => Ok(text.clone()),
                other => Err(wrong(&format!("a list with {}", other.kind()))),
            };
            items.iter().map(word).collect::<Result<_, _>>()?
        }
        other => return Err(wrong(other.kind())),
    };
    Ok(Some(words))
}

fn checked_words(table: &Table<'_>, key: &str, words: Vec<String>) -> Result<CommandWords, SettingsError> {
    refused_as_value(table, key, CommandWords::new(words))
}

fn refused_as_value<T>(
    table: &Table<'_>,
    key: &str,
    read: Result<T, vega_domain::InvalidValue>,
) -> Result<T, SettingsError> {
    let line = table.section.get(key).map_or(0, |entry| entry.line);
    read.map_err(|problem| SettingsError::Value {
        name: table.key(key),
        place: table.file.line(line),
        problem,
    })
}

fn refuse_own(table: &Table<'_>, row: &TokenFile, own: &[PathBuf]) -> Result<(), SettingsError> {
    let of_row = match &row.format {
        FileFormat::Template(template) => Some(template),
        _ => None,
    };
    let name = one_name_of(&row.path);
    if own.iter().chain(of_row).any(|own| one_name_of(own) == name) {
        return Err(wrong(
            &table.needed("path")?,
            "is a file that Vega itself reads. Name another path",
        ));
    }
    Ok(())
}

/// The same for each way to write a path, as far as its folder is there.
fn one_name_of(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.components().collect(),
    }
}

fn wrong(text: &Text, problem: &'static str) -> SettingsError {
    SettingsError::WrongValue {
        name: text.name.clone(),
        place: text.place.clone(),
        value: text.value.clone(),
        problem,
    }
}

#[cfg(test)]
mod tests;
