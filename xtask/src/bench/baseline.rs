//! The committed ratios and counts of instructions, `benches/baseline.json`: read, and written when somebody asks for that
//! on a quiet machine. Compares nothing itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shell::root;

/// By the ids of rows and counts.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) ratios: BTreeMap<String, f64>,
    pub(crate) instructions: BTreeMap<String, f64>,
}

fn file() -> PathBuf {
    root().join("benches/baseline.json")
}

impl Baseline {
    pub(crate) fn read() -> Result<Self> {
        let text = std::fs::read_to_string(file()).context("benches/baseline.json cannot be read")?;
        Self::of(&text)
            .context("benches/baseline.json is not as `cargo xtask bench --save-baseline` writes it")
    }

    pub(crate) fn write(&self) -> Result<()> {
        std::fs::write(file(), self.text()?)?;
        Ok(())
    }

    fn of(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text)?;
        let numbers = |name: &str| -> Result<BTreeMap<String, f64>> {
            let all = document[name].as_object().with_context(|| format!("no {name}"))?;
            let numbers = all.iter().map(|(id, number)| {
                let number = number.as_f64().with_context(|| format!("{id} is no number"))?;
                Ok((id.clone(), number))
            });
            numbers.collect()
        };
        Ok(Self {
            ratios: numbers("ratios")?,
            instructions: numbers("instructions")?,
        })
    }

    /// Three digits behind the point are enough, and keep the differences of commits small.
    fn text(&self) -> Result<String> {
        let rounded = |numbers: &BTreeMap<String, f64>| -> BTreeMap<String, f64> {
            let round = |number: f64| (number * 1e3).round() / 1e3;
            numbers
                .iter()
                .map(|(id, number)| (id.clone(), round(*number)))
                .collect()
        };
        let document =
            json!({ "ratios": rounded(&self.ratios), "instructions": rounded(&self.instructions) });
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let baseline = Baseline {
            ratios: [("token".to_owned(), 2.017_9)].into(),
            instructions: [("hot-read".to_owned(), 41.0)].into(),
        };
        let text = baseline.text().unwrap();
        let rounded = Baseline {
            ratios: [("token".to_owned(), 2.018)].into(),
            ..baseline
        };
        assert_eq!(Baseline::of(&text).unwrap(), rounded);
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"ratios":{"a":"2"},"instructions":{}}"#,
            r#"{"ratios":{}}"#,
        ] {
            assert!(Baseline::of(text).is_err(), "{text}");
        }
    }
}
