//! Tables of a list in `vega.toml`, such as `[[accounts]]`: their texts, each with the key and the line that an error names. Does not know
//! what they mean.

use vega_domain::InvalidValue;
use vega_domain::reading::tidied;

use crate::settings::known_keys::unknown;
use crate::settings::settings_error::SettingsError;
use crate::settings::toml_file::{Entry, Item, Section, TomlFile};

/// A table of a list, such as `accounts[0].apis[1]`.
pub(crate) struct Table<'a> {
    pub(crate) section: &'a Section,
    name: String,
    pub(crate) file: &'a TomlFile,
}

/// Text with the key and the place that it came from.
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) place: String,
}

/// The tables of a list. Unknown keys are refused.
pub(crate) fn tables<'a>(
    file: &'a TomlFile,
    entry: &'a Entry,
    name: &str,
    heading: &str,
    keys: &[&str],
) -> Result<Vec<Table<'a>>, SettingsError> {
    let wrong = |found: &str| SettingsError::WrongShape {
        name: name.into(),
        place: file.line(entry.line),
        found: found.to_owned(),
        wanted: format!("a line {heading} for each, and below it {}", keys.join(", ")),
    };
    let Item::List(items) = &entry.item else {
        return Err(wrong(entry.item.kind()));
    };
    let mut tables = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Item::Section(section) = item else {
            return Err(wrong("a list of something else"));
        };
        let name = format!("{name}[{index}]");
        if let Some(entry) = section
            .entries
            .iter()
            .find(|entry| !keys.contains(&entry.key.as_str()))
        {
            let known = format!("{heading} has {}", keys.join(", "));
            return Err(unknown(file, entry, format!("{name}.{}", entry.key), known));
        }
        tables.push(Table { section, name, file });
    }
    Ok(tables)
}

impl Table<'_> {
    pub(crate) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    pub(crate) fn place(&self) -> String {
        let first = self.section.entries.first();
        format!("{} in {}", self.name, self.place_at(first))
    }

    pub(crate) fn place_of(&self, key: &str) -> String {
        format!("{} in {}", self.key(key), self.place_at(self.section.get(key)))
    }

    fn place_at(&self, entry: Option<&Entry>) -> String {
        entry.map_or_else(
            || self.file.path.display().to_string(),
            |entry| self.file.line(entry.line),
        )
    }

    pub(crate) fn lacks(&self, key: &str) -> SettingsError {
        SettingsError::Missing {
            name: self.key(key),
            needed_by: format!("{} is", self.place()),
        }
    }

    pub(crate) fn needed(&self, key: &str) -> Result<Text, SettingsError> {
        self.text(key)?.ok_or_else(|| self.lacks(key))
    }

    /// The text of a key, unless it is empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<Text>, SettingsError> {
        let Some(entry) = self.section.get(key) else {
            return Ok(None);
        };
        let name = self.key(key);
        let place = self.file.line(entry.line);
        match &entry.item {
            Item::One(text) => {
                let value = tidied(text);
                Ok((!value.is_empty()).then_some(Text { value, name, place }))
            }
            other => Err(SettingsError::WrongShape {
                name,
                place,
                found: other.kind().to_owned(),
                wanted: "text in \"quotes\"".into(),
            }),
        }
    }
}

impl Text {
    pub(crate) fn called(&self) -> String {
        format!("{} in {}", self.name, self.place)
    }

    pub(crate) fn checked<T>(
        &self,
        read: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Result<T, SettingsError> {
        read(&self.value).map_err(|problem| SettingsError::Value {
            name: self.name.clone(),
            place: self.place.clone(),
            problem,
        })
    }
}
