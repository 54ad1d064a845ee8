//! Every key that can be set, except those of accounts. Other keys in a file are refused; of the environment only these
//! keys are read.

use crate::settings::settings_error::SettingsError;
use crate::settings::toml_file::{Entry, Item, TomlFile};

/// Variables of the process alone: a file cannot name its own place.
pub(crate) const CONFIG_DIR: &str = "VEGA__CONFIG_DIR";
pub(crate) const ENV_FILE: &str = "VEGA__ENV_FILE";

/// The keys as in `vega.toml`, in the order in which they are shown.
pub(crate) const KEYS: &[&str] = &[
    "upstox.api_base_url",
    "network.proxy",
    "database.url",
    "database.password_file",
    "database.ca",
    "key_file",
    "browser.headless",
    "browser.binary",
    "browser.chromedriver",
    "browser.webdriver_url",
    "sign_in.route",
    "sign_in.otp_budget",
    "sign_in.otp_window",
    "sign_in.cooldown",
    "sign_in.human_timeout",
    "verification.parallel",
    "verification.timeout",
    "verification.at",
    "server.listen",
    "server.tls_cert",
    "server.tls_key",
    "server.public_url",
    "server.own_url",
    "server.proxies",
    "server.socket",
    "server.socket_group",
    "server.streams_per_caller",
    "server.log_format",
];

/// The lists of accounts; `accounts` reads and checks them.
pub(crate) const ACCOUNTS: &str = "accounts";

/// The list of rules for callers at the socket; `socket` reads and checks it.
pub(crate) const SOCKET_RULES: &str = "socket";

/// The list of files that hold tokens; `files` reads and checks it.
pub(crate) const FILES: &str = "files";

/// Lists of tables, each checked where it is read.
const LISTS: [&str; 3] = [ACCOUNTS, SOCKET_RULES, FILES];

const PREFIX: &str = "VEGA";

/// The name of a key in `.env` and in the environment.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}__{}", key.replace('.', "__").to_uppercase())
}

/// Whether a variable's name looks like one of the original's, in any spelling.
pub(crate) fn is_upstox(name: &str) -> bool {
    name.to_uppercase().starts_with("UPSTOX_")
}

/// Whether a variable of a file looks like one that is meant for Vega.
pub(crate) fn is_ours(name: &str) -> bool {
    is_upstox(name) || name.to_uppercase().starts_with(&format!("{PREFIX}_"))
}

/// Whether it is an `UPSTOX_*` key that Vega reads. The code for accounts decides whether its number is valid.
pub(crate) fn is_read(name: &str) -> bool {
    const SINGLE: [&str; 3] = ["UPSTOX_MOBILE_NUMBER", "UPSTOX_REDIRECT_URI", "UPSTOX_USER_ID"];
    const NUMBERED: [&str; 3] = ["UPSTOX_API_NAME_", "UPSTOX_CLIENT_ID_", "UPSTOX_CLIENT_SECRET_"];
    SINGLE.contains(&name) || NUMBERED.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a variable of the environment is one that Vega reads.
pub(crate) fn is_setting(name: &str) -> bool {
    is_read(name) || KEYS.iter().any(|key| variable(key) == name)
}

/// Whether the text before the first dot of a key in `vega.toml` begins one of Vega's keys.
pub(crate) fn begins_a_key(word: &str) -> bool {
    LISTS.contains(&word) || KEYS.iter().any(|key| key.split('.').next() == Some(word))
}

/// Whether its value is a secret, even if Vega does not read it.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["SECRET", "PIN", "OTP", "TOKEN", "PASSWORD"]
        .iter()
        .any(|word| is_upstox(&name) && name.contains(word))
        && !name.ends_with("_FILE")
}

/// Refuses a variable of a file that is no setting: every unknown `VEGA_*`, and `UPSTOX_*` in small letters. Other
/// unknown `UPSTOX_*` keys may be the original's; they only cause a warning.
pub(crate) fn refuse_unknown_variable(name: &str, place: &str) -> Result<(), SettingsError> {
    let meant = name.to_uppercase();
    if is_upstox(name) {
        if name == meant || !is_read(&meant) {
            return Ok(());
        }
        return Err(SettingsError::Unknown {
            name: name.into(),
            place: place.into(),
            known: format!("There is {meant}"),
        });
    }
    if [CONFIG_DIR, ENV_FILE].contains(&&*meant) {
        return Err(SettingsError::Unknown {
            name: name.into(),
            place: place.into(),
            known: "A file cannot say where it is: this one belongs into the environment".into(),
        });
    }
    let all: Vec<String> = KEYS.iter().map(|key| variable(key)).collect();
    if !is_ours(name) || all.iter().any(|known| known == name) {
        return Ok(());
    }
    let (section, last) = meant.rsplit_once("__").unwrap_or_default();
    let among = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        all.iter()
            .map(String::as_str)
            .filter(|known| wanted(known))
            .collect()
    };
    // Its neighbours; else those of other sections that end alike; else all.
    let one_line = |name: &str| name.replace("__", "_");
    let mut near = match all.iter().find(|known| one_line(known) == one_line(&meant)) {
        Some(known) => vec![known.as_str()],
        None => {
            among(&|known| section != PREFIX && known.rsplit_once("__").is_some_and(|(of, _)| of == section))
        }
    };
    if near.is_empty() && !last.is_empty() {
        near = among(&|known| known.ends_with(&format!("__{last}")));
    }
    if near.is_empty() {
        near = among(&|_| true);
    }
    let verb = if near.len() == 1 { "is" } else { "are" };
    Err(SettingsError::Unknown {
        name: name.into(),
        place: place.into(),
        known: format!("There {verb} {}", near.join(", ")),
    })
}

/// Refuses a section or a key of `vega.toml` that is no setting.
pub(crate) fn refuse_unknown_entry(file: &TomlFile) -> Result<(), SettingsError> {
    for entry in &file.root.entries {
        let name = entry.key.as_str();
        // A name in quotes may hold a dot: it is not the key that it looks like.
        if LISTS.contains(&name) || (KEYS.contains(&name) && !name.contains('.')) {
            continue;
        }
        let keys = keys_of(name);
        if keys.is_empty() {
            let shown = if name.contains('.') {
                format!("{name:?}")
            } else {
                name.to_owned()
            };
            return Err(unknown(file, entry, shown, all_sections()));
        }
        let Item::Section(section) = &entry.item else {
            return Err(SettingsError::WrongShape {
                name: name.into(),
                place: file.line(entry.line),
                found: entry.item.kind().to_owned(),
                wanted: format!("a section: a line [{name}], and below it {}", keys.join(", ")),
            });
        };
        if let Some(entry) = section
            .entries
            .iter()
            .find(|entry| !keys.contains(&entry.key.as_str()))
        {
            let known = format!("[{name}] has {}", keys.join(", "));
            return Err(unknown(file, entry, format!("{name}.{}", entry.key), known));
        }
    }
    Ok(())
}

pub(crate) fn unknown(file: &TomlFile, entry: &Entry, name: String, known: String) -> SettingsError {
    SettingsError::Unknown {
        name,
        place: file.line(entry.line),
        known,
    }
}

fn keys_of(section: &str) -> Vec<&'static str> {
    KEYS.iter()
        .filter_map(|key| key.split_once('.'))
        .filter_map(|(of, key)| (of == section).then_some(key))
        .collect()
}

fn all_sections() -> String {
    let mut sections: Vec<String> = KEYS
        .iter()
        .map(|key| {
            key.split_once('.')
                .map_or((*key).to_owned(), |(section, _)| format!("[{section}]"))
        })
        .collect();
    sections.dedup();
    let lists = LISTS.map(|list| format!("[[{list}]]"));
    format!("There are {}, {}", sections.join(", "), lists.join(", "))
}
