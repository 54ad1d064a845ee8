//! The socket for programs of this machine: where it is, which group may connect, and what callers of other users may do. Names of
//! users and groups are looked up here, once; who calls is the kernel's word.

use std::path::PathBuf;

use nix::unistd::{Group, User};
use vega_domain::access::Scope;

use crate::settings::known_keys::SOCKET_RULES;
use crate::settings::settings_error::SettingsError;
use crate::settings::sources::Sources;
use crate::settings::toml_file::{Item, TomlFile};
use crate::settings::toml_tables::{Table, Text, tables};
use crate::settings::values;

const SOCKET: &str = "server.socket";
const GROUP: &str = "server.socket_group";
const RULE_KEYS: &[&str] = &["user", "group", "scopes"];
const NONE: &str = "none";
const FILE: &str = "vega.sock";
/// The kernel's word for no user and no group.
const NO_NUMBER: u32 = u32::MAX;

/// The socket of the server.
#[derive(Debug, Clone, Default)]
pub struct SocketSection {
    /// Its file; without one there is no socket.
    pub path: Option<PathBuf>,
    /// Whether somebody named it, rather than where it is by default.
    pub is_named: bool,
    /// The group that may connect, too.
    pub group: Option<u32>,
    /// What callers of other users may do.
    pub rules: Vec<SocketRule>,
}

/// What some callers may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRule {
    /// Who.
    pub callers: SocketCallers,
    /// What.
    pub scopes: Vec<Scope>,
}

/// Programs of a user, or of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketCallers {
    /// By the number of the user.
    User(u32),
    /// By the number of the first group of the process; other groups that it is in do not count.
    Group(u32),
}

impl SocketCallers {
    /// Whether a program of this user and first group is one of them.
    pub fn include(self, uid: u32, gid: u32) -> bool {
        match self {
            Self::User(user) => user == uid,
            Self::Group(group) => group == gid,
        }
    }
}

impl SocketSection {
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let named = sources.setting(SOCKET, |text| match text {
            NONE => Ok(None),
            text => values::path(text).map(Some),
        })?;
        let by_default = sources
            .places
            .runtime_dir
            .as_ref()
            .map(|folder| folder.join(FILE));
        Ok(Self {
            is_named: named.is_some(),
            path: named.unwrap_or(by_default),
            group: sources.setting(GROUP, |text| {
                number_of_group(text).ok_or("is no group of this machine. Write its name or its number")
            })?,
            rules: match sources.toml() {
                Some(file) => rules(file)?,
                None => Vec::new(),
            },
        })
    }

    /// The texts that are shown, by their keys.
    pub(crate) fn shown(&self) -> [(&'static str, String); 2] {
        let path = self.path.as_ref().map(|path| path.display().to_string());
        let group = self.group.map(|group| group.to_string());
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        [(SOCKET, or_none(path)), (GROUP, or_none(group))]
    }

    /// The rules as they are shown, by their places in the file.
    pub(crate) fn shown_rules(&self) -> impl Iterator<Item = (String, String)> {
        self.rules.iter().enumerate().map(|(index, rule)| {
            let scopes: Vec<String> = rule.scopes.iter().map(Scope::to_string).collect();
            let callers = match rule.callers {
                SocketCallers::User(user) => format!("user {user}"),
                SocketCallers::Group(group) => format!("group {group}"),
            };
            (
                format!("{SOCKET_RULES}[{index}]"),
                format!("{callers}: {}", scopes.join(", ")),
            )
        })
    }
}

fn rules(file: &TomlFile) -> Result<Vec<SocketRule>, SettingsError> {
    let Some(entry) = file.root.get(SOCKET_RULES) else {
        return Ok(Vec::new());
    };
    let heading = format!("[[{SOCKET_RULES}]]");
    let rules = tables(file, entry, SOCKET_RULES, &heading, RULE_KEYS)?;
    rules.iter().map(rule).collect()
}

fn rule(table: &Table<'_>) -> Result<SocketRule, SettingsError> {
    let callers = match (table.text("user")?, table.text("group")?) {
        (Some(user), Some(group)) => {
            return Err(SettingsError::Both {
                first: user.called(),
                second: group.called(),
            });
        }
        (Some(user), None) => SocketCallers::User(found(&user, number_of_user, "user")?),
        (None, Some(group)) => SocketCallers::Group(found(&group, number_of_group, "group")?),
        (None, None) => return Err(table.lacks("user")),
    };
    let scopes = scopes(table)?;
    Ok(SocketRule { callers, scopes })
}

fn found(text: &Text, look_up: fn(&str) -> Option<u32>, what: &str) -> Result<u32, SettingsError> {
    look_up(&text.value).ok_or_else(|| SettingsError::WrongValue {
        name: text.name.clone(),
        place: text.place.clone(),
        value: text.value.clone(),
        problem: if what == "user" {
            "is no user of this machine. Write a name or a number"
        } else {
            "is no group of this machine. Write a name or a number"
        },
    })
}

/// Numbers count whether or not somebody has them: a container has users that this machine does not know.
fn number_of_user(text: &str) -> Option<u32> {
    match text.parse() {
        Ok(number) => Some(number).filter(|number| *number != NO_NUMBER),
        Err(_) => Some(User::from_name(text).ok()??.uid.as_raw()),
    }
}

fn number_of_group(text: &str) -> Option<u32> {
    match text.parse() {
        Ok(number) => Some(number).filter(|number| *number != NO_NUMBER),
        Err(_) => Some(Group::from_name(text).ok()??.gid.as_raw()),
    }
}

fn scopes(table: &Table<'_>) -> Result<Vec<Scope>, SettingsError> {
    let Some(entry) = table.section.get("scopes") else {
        return Err(table.lacks("scopes"));
    };
    let (name, place) = (table.key("scopes"), table.file.line(entry.line));
    let wrong = |found: &str| SettingsError::WrongShape {
        name: name.clone(),
        place: place.clone(),
        found: found.to_owned(),
        wanted: "a list, such as [\"status\", \"token:PRIMARY\"]".into(),
    };
    let Item::List(items) = &entry.item else {
        return Err(wrong(entry.item.kind()));
    };
    if items.is_empty() {
        return Err(wrong("an empty list"));
    }
    let scope = |item: &Item| match item {
        Item::One(text) => match Scope::parse(text) {
            Ok(scope @ (Scope::Status | Scope::Token(_) | Scope::Read(_))) => Ok(scope),
            // To be there is no word of a human's.
            Ok(_) => Err(SettingsError::WrongValue {
                name: name.clone(),
                place: place.clone(),
                value: text.clone(),
                problem: "no rule grants: it is for access keys. Write status or token:API",
            }),
            Err(problem) => Err(SettingsError::Value {
                name: name.clone(),
                place: place.clone(),
                problem,
            }),
        },
        other => Err(wrong(&format!("a list with {}", other.kind()))),
    };
    items.iter().map(scope).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::settings::environment::Environment;

    fn of(variables: &[(&str, &str)], toml: &str) -> Result<SocketSection, SettingsError> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("vega.toml");
        std::fs::write(&file, toml).unwrap();
        let place = home.path().to_str().unwrap();
        let places = [("HOME", place), ("VEGA__CONFIG_DIR", place)];
        let environment = Environment::made_of(&[&places, variables].concat(), home.path());
        SocketSection::read(&Sources::read(&environment)?)
    }

    #[test]
    fn a_rule_is_for_a_user_or_a_group_by_name_or_number() {
        let socket = of(
            &[],
            "[[socket]]\nuser = \"root\"\nscopes = [\"status\", \"token:PRIMARY\"]\n\
             [[socket]]\ngroup = 4711\nscopes = [\"status\"]\n",
        );
        let rules = socket.unwrap().rules;
        assert_eq!(rules[0].callers, SocketCallers::User(0));
        assert_eq!(rules[0].scopes.len(), 2);
        assert_eq!(rules[1].callers, SocketCallers::Group(4711));
        assert!(rules[1].callers.include(1, 4711) && !rules[1].callers.include(4711, 1));
    }

    #[test]
    fn it_is_where_it_was_named_or_nowhere() {
        let named = of(&[("VEGA__SERVER__SOCKET", "/run/vega/vega.sock")], "").unwrap();
        assert_eq!(named.path, Some("/run/vega/vega.sock".into()));
        let none = of(&[("VEGA__SERVER__SOCKET", "none")], "").unwrap();
        assert_eq!(none.path, None);
    }

    #[rstest]
    #[case::nobody("[[socket]]\nscopes = [\"status\"]", "socket[0].user is not set")]
    #[case::both(
        "[[socket]]\nuser = 1\ngroup = 2\nscopes = [\"status\"]",
        "socket[0].group in"
    )]
    #[case::no_user(
        "[[socket]]\nuser = \"nobody-4711\"\nscopes = [\"status\"]",
        "is no user of this machine"
    )]
    #[case::nothing("[[socket]]\nuser = 1", "socket[0].scopes is not set")]
    #[case::an_empty_list("[[socket]]\nuser = 1\nscopes = []", "an empty list")]
    #[case::no_list("[[socket]]\nuser = 1\nscopes = \"status\"", "is one value")]
    #[case::no_scope("[[socket]]\nuser = 1\nscopes = [\"tokens\"]", "must be status, token:API")]
    #[case::runs(
        "[[socket]]\nuser = 1\nscopes = [\"runs\"]",
        "is \"runs\", which no rule grants"
    )]
    #[case::admin(
        "[[socket]]\nuser = 1\nscopes = [\"status\", \"admin\"]",
        "which no rule grants"
    )]
    #[case::no_number(
        "[[socket]]\nuser = 4294967295\nscopes = [\"status\"]",
        "is no user of this machine"
    )]
    #[case::another_key(
        "[[socket]]\nuid = 1\nscopes = [\"status\"]",
        "[[socket]] has user, group, scopes"
    )]
    #[case::one_table("[socket]\nuser = 1", "a section")]
    fn a_wrong_rule_is_refused_by_name(#[case] toml: &str, #[case] words: &str) {
        let refused = of(&[], toml).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}
