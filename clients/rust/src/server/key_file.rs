//! The access key, in a file of its own. Read again for each call, so that a new key counts at once; in no error and no text.

use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::error::Error;

const FORM: &str = "Its first line is the key, or `Authorization: Bearer KEY` as `curl -H @FILE` wants it";

#[derive(Debug, Clone)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    /// The file, if there is a key in it now.
    pub(crate) fn at(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let file = Self(path.to_owned());
        file.header(text)?;
        Ok(file)
    }

    /// The value of `Authorization`, which no log shows.
    pub(crate) async fn authorization(&self) -> Result<HeaderValue, Error> {
        let text = tokio::fs::read_to_string(&self.0).await.map(Zeroizing::new);
        self.header(text)
    }

    fn header(&self, text: std::io::Result<Zeroizing<String>>) -> Result<HeaderValue, Error> {
        let path = self.0.display();
        let text =
            text.map_err(|error| Error::setup(format!("the key file {path} cannot be read: {error}")))?;
        let value = key(&text).map(|key| Zeroizing::new(format!("Bearer {key}")));
        let header = value.and_then(|value| HeaderValue::from_str(&value).ok());
        let mut header =
            header.ok_or_else(|| Error::setup(format!("there is no key in the key file {path}. {FORM}")))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// The key in the first line, in any of its forms.
fn key(text: &str) -> Option<&str> {
    let line = text.lines().next()?.trim();
    let key = match line.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("authorization") => value.trim(),
        Some(_) => return None,
        None => line,
    };
    let key = match key.split_once(char::is_whitespace) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        Some(_) => return None,
        None if key.eq_ignore_ascii_case("bearer") => return None,
        None => key,
    };
    let is_one_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
    is_one_word.then_some(key)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alone("vega_abc")]
    #[case::with_a_newline("vega_abc\n")]
    #[case::of_windows("vega_abc\r\nmore")]
    #[case::for_curl("Authorization: Bearer vega_abc\n")]
    #[case::in_lower_case("authorization:bearer vega_abc")]
    #[case::without_the_name("Bearer vega_abc")]
    fn a_key_is_read_in_each_of_its_forms(#[case] text: &str) {
        assert_eq!(key(text), Some("vega_abc"));
    }

    #[rstest]
    #[case::empty("")]
    #[case::an_empty_first_line("\nvega_abc")]
    #[case::nothing_behind_the_name("Authorization: Bearer ")]
    #[case::another_scheme("Authorization: Basic abc")]
    #[case::another_header("X-Key: abc")]
    #[case::two_words("vega abc")]
    #[case::no_ascii("vegä")]
    fn anything_else_is_no_key(#[case] text: &str) {
        assert_eq!(key(text), None);
    }

    #[tokio::test]
    async fn a_key_is_in_no_text_and_a_new_one_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "canary-1").unwrap();
        let file = KeyFile::at(&path).unwrap();
        std::fs::write(&path, "canary-2").unwrap();
        let header = file.authorization().await.unwrap();
        assert_eq!(header, "Bearer canary-2");
        assert!(!format!("{file:?} {header:?}").contains("canary"));
        std::fs::write(&path, "canary 3").unwrap();
        let error = file.authorization().await.unwrap_err().to_string();
        assert!(error.contains("there is no key in the key file"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
