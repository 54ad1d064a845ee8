//! `vega.toml` as a plain tree with the lines of its keys, so that an error can name its place. Does not know what the
//! keys mean, and never quotes the file, because a line of it may hold a secret.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use vega_persistence::read_text;

use crate::settings::settings_error::SettingsError;

/// More than any file of settings needs: 60,000 APIs take six million bytes.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;

/// One file.
pub(crate) struct TomlFile {
    pub(crate) path: PathBuf,
    pub(crate) root: Section,
}

/// The keys of one table, in the order of their lines.
pub(crate) struct Section {
    pub(crate) entries: Vec<Entry>,
}

pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) item: Item,
}

pub(crate) enum Item {
    /// Text, a whole number, or true or false, as text.
    One(String),
    Section(Section),
    List(Vec<Item>),
    /// A type that no setting uses, by its name.
    Other(&'static str),
}

impl TomlFile {
    pub(crate) fn read(path: &Path) -> Result<Self, SettingsError> {
        let refused = |problem| SettingsError::File {
            path: path.to_owned(),
            problem,
        };
        let text = read_text(path, LARGEST).map_err(|problem| refused(format!("it {problem}")))?;
        let lines = Lines::of(&text);
        let table = DeTable::parse(&text).map_err(|error| {
            let place = error
                .span()
                .map_or("some line".to_owned(), |span| lines.place(span.start));
            // Of the library's words only these are known to quote nothing.
            refused(match error.message() {
                "duplicate key" => format!("{place} names a key for the second time. Take one of them out"),
                _ => format!(
                    "{place} is not TOML. Write [section] lines and key = value lines, text in \"quotes\""
                ),
            })
        })?;
        Ok(Self {
            path: path.to_owned(),
            root: section(table.get_ref(), &lines),
        })
    }

    /// The entry of a key such as `key_file` or `browser.headless`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match key.split_once('.') {
            None => self.root.get(key),
            Some((section, key)) => match &self.root.get(section)?.item {
                Item::Section(section) => section.get(key),
                _ => None,
            },
        }
    }

    /// Whether a key of this name is set anywhere in the file.
    pub(crate) fn holds(&self, key: &str) -> bool {
        self.root.holds(key)
    }

    /// The file and the line, for messages.
    pub(crate) fn line(&self, number: usize) -> String {
        format!("{} line {number}", self.path.display())
    }
}

impl Section {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn holds(&self, key: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.key == key || entry.item.holds(key))
    }
}

impl Item {
    fn holds(&self, key: &str) -> bool {
        match self {
            Self::Section(section) => section.holds(key),
            Self::List(items) => items.iter().any(|item| item.holds(key)),
            Self::One(_) | Self::Other(_) => false,
        }
    }

    /// The kind of the entry; the text follows "is".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::One(_) => "one value",
            Self::Section(_) => "a section",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

struct Lines<'a> {
    text: &'a str,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { text, ends }
    }
}

impl Lines<'_> {
    fn number(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at) + 1
    }

    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {}, column {column}", self.number(at))
    }
}

fn section(table: &DeTable<'_>, lines: &Lines<'_>) -> Section {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            line: lines.number(key.span().start),
            item: item(value.get_ref(), lines),
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    Section { entries }
}

fn item(value: &DeValue<'_>, lines: &Lines<'_>) -> Item {
    match value {
        DeValue::String(text) => Item::One(text.to_string()),
        DeValue::Boolean(yes) => Item::One(yes.to_string()),
        DeValue::Integer(number) => {
            let decimal = i64::from_str_radix(number.as_str(), number.radix());
            decimal.map_or(Item::Other("a number too large"), |number| {
                Item::One(number.to_string())
            })
        }
        DeValue::Float(_) => Item::Other("a number with a fraction"),
        DeValue::Datetime(_) => Item::Other("a date"),
        DeValue::Array(items) => Item::List(items.iter().map(|each| item(each.get_ref(), lines)).collect()),
        DeValue::Table(table) => Item::Section(section(table, lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TomlFile, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.toml");
        std::fs::write(&path, text).unwrap();
        TomlFile::read(&path)
    }

    fn one(file: &TomlFile, key: &str) -> (usize, String) {
        let entry = file.entry(key).unwrap();
        match &entry.item {
            Item::One(text) => (entry.line, text.clone()),
            other => (entry.line, other.kind().to_owned()),
        }
    }

    #[test]
    fn every_entry_has_its_line_and_its_text() {
        let file = read("key_file = \"k\"\n# a comment\n[a]\nb = 1_0\nc = true\nd = 1.5\ne = 0x1F\nf = []\n")
            .unwrap();
        for (key, line, text) in [
            ("key_file", 1, "k"),
            ("a", 3, "a section"),
            ("a.b", 4, "10"),
            ("a.c", 5, "true"),
            ("a.d", 6, "a number with a fraction"),
            ("a.e", 7, "31"),
            ("a.f", 8, "a list"),
        ] {
            assert_eq!(one(&file, key), (line, text.to_owned()), "{key}");
        }
        assert!(file.entry("a.nothing").is_none());
    }

    #[test]
    fn a_broken_file_is_placed_but_never_quoted() {
        let Err(refused) = read("[a]\nb = \"CANARY\n") else {
            panic!("it was read");
        };
        let text = refused.to_string();
        assert!(
            text.contains("line 2, column 12 is not TOML") && !text.contains("CANARY"),
            "{text}"
        );
    }
}
