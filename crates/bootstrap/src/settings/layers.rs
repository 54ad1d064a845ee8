//! Merges the layers of settings with the configuration library: a later layer takes precedence, key by key. Each value
//! keeps its place, which the library's own errors would not report.

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use serde::Deserialize;

/// A setting with its place.
#[derive(Clone, Deserialize)]
pub(crate) struct Given {
    /// Its name there.
    pub(crate) name: String,
    /// A file, with the line if it is known, or the environment.
    pub(crate) place: String,
    /// The same without the line.
    pub(crate) origin: String,
    /// The text, if it is a single value.
    pub(crate) text: Option<String>,
    /// What it is if it is not a single value; the text follows "is".
    pub(crate) instead: Option<String>,
}

/// The known keys in one source.
#[derive(Clone, Default)]
pub(crate) struct Layer(Vec<(&'static str, Given)>);

impl Layer {
    pub(crate) fn new(given: impl IntoIterator<Item = (&'static str, Given)>) -> Self {
        Self(given.into_iter().collect())
    }
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An address may hold a password.
        write!(f, "Layer({} settings)", self.0.len())
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let table = |given: &Given| -> Map<String, Value> {
            // Every field is written, so that nothing of an earlier layer's value shows through.
            [
                ("name", Some(&given.name)),
                ("place", Some(&given.place)),
                ("origin", Some(&given.origin)),
                ("text", given.text.as_ref()),
                ("instead", given.instead.as_ref()),
            ]
            .into_iter()
            .map(|(field, text)| {
                let kind = text.map_or(ValueKind::Nil, |text| ValueKind::String(text.clone()));
                (field.to_owned(), Value::new(None, kind))
            })
            .collect()
        };
        let values = self.0.iter().map(|(key, given)| {
            let kind = ValueKind::Table(table(given));
            ((*key).to_owned(), Value::new(Some(&given.origin), kind))
        });
        Ok(values.collect())
    }
}

/// Merges layers; the last one takes precedence.
pub(crate) fn merge(layers: impl IntoIterator<Item = Layer>) -> Result<Config, ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(place: &str, text: Option<&str>, instead: Option<&str>) -> Given {
        Given {
            name: "browser.headless".into(),
            place: place.into(),
            origin: place.into(),
            text: text.map(str::to_owned),
            instead: instead.map(str::to_owned),
        }
    }

    #[test]
    fn the_last_layer_that_has_a_key_gives_its_whole_value() {
        let under = Layer::new([
            ("browser.headless", given("under", None, Some("a list"))),
            ("key_file", given("under", Some("/k"), None)),
        ]);
        let over = Layer::new([("browser.headless", given("over", Some("true"), None))]);
        let merged = merge([under, over, Layer::default()]).unwrap();
        let headless: Given = merged.get("browser.headless").unwrap();
        assert_eq!(
            (&*headless.place, headless.text.as_deref(), headless.instead),
            ("over", Some("true"), None)
        );
        let key_file: Given = merged.get("key_file").unwrap();
        assert_eq!(key_file.place, "under");
        assert!(merged.get::<Given>("server.listen").is_err());
    }
}
