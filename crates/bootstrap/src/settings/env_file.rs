//! Reads `.env` files: lines of NAME=value, of which only Vega's own are used. An error names the line and never
//! repeats it, because it may hold a secret.

use std::collections::BTreeMap;
use std::path::Path;

use vega_domain::reading::tidied;
use vega_persistence::read_text;

use crate::settings::known_keys;
use crate::settings::layers::Given;
use crate::settings::settings_error::SettingsError;
use crate::settings::toml_file::LARGEST;

/// A variable with its value.
pub(crate) struct Variable {
    pub(crate) value: String,
    /// Its source: a file or the environment.
    pub(crate) origin: String,
    /// The source with the line of the file.
    pub(crate) place: String,
}

impl Variable {
    /// Removes what cannot belong to any value: a container tool keeps the quotes of its file, an editor its byte order
    /// mark.
    pub(crate) fn new(value: &str, origin: &str, line: Option<usize>) -> Self {
        Self {
            value: tidied(value),
            origin: origin.to_owned(),
            place: line.map_or_else(|| origin.to_owned(), |line| format!("{origin} line {line}")),
        }
    }

    /// Its name with its source.
    pub(crate) fn called(&self, name: &str) -> String {
        format!("{name} in {}", self.place)
    }

    pub(crate) fn given(&self, name: String) -> Given {
        Given {
            name,
            place: self.place.clone(),
            origin: self.origin.clone(),
            text: Some(self.value.clone()),
            instead: None,
        }
    }
}

/// The name to which a line seems to give a value.
pub(crate) fn name_of(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// Reads `.env` line by line without changing the environment of this process. An empty value counts as no value:
/// `.env.example` has many of them.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Variable>, SettingsError> {
    let refused = |problem: String| SettingsError::File {
        path: path.to_owned(),
        problem,
    };
    let text = read_text(path, LARGEST).map_err(|problem| refused(format!("it {problem}")))?;
    let origin = path.display().to_string();
    let mut variables: BTreeMap<String, Variable> = BTreeMap::new();
    // Each line by itself: a quote that is not closed must not swallow the lines that follow.
    for (number, line) in (1..).zip(text.lines()) {
        // What is not Vega's may look as it likes.
        if name_of(line).is_some_and(|name| !known_keys::is_ours(name)) {
            continue;
        }
        // The library's own words quote the line, which may hold a secret.
        let bad = |_| refused(format!("line {number} {}", what_is_bad(line)));
        let Some((name, value)) = dotenvy::from_read_iter(format!("{line}\n").as_bytes())
            .next()
            .transpose()
            .map_err(bad)?
        else {
            continue;
        };
        let variable = Variable::new(&value, &origin, Some(number));
        known_keys::refuse_unknown_variable(&name, &variable.place)?;
        if !known_keys::is_ours(&name) {
            continue;
        }
        let problem = match quoting(line) {
            Quoting::Substitutes => "holds a $, which would be taken for the name of another variable",
            Quoting::Open => "ends with a \\, which would be lost",
            Quoting::Whole if value.contains('\n') => "holds a line break, which no setting does",
            Quoting::Whole => "",
        };
        if !problem.is_empty() {
            return Err(refused(format!(
                "{name} in line {number} {problem}. Put the value in 'single quotes'"
            )));
        }
        if variable.value.is_empty() {
            continue;
        }
        if let Some(first) = variables.get(&name) {
            let called = |variable: &Variable| format!("{name} in {}", variable.place);
            return Err(SettingsError::Both {
                first: called(first),
                second: called(&variable),
            });
        }
        variables.insert(name, variable);
    }
    Ok(variables)
}

/// What is wrong with a line; the text follows "line 3".
fn what_is_bad(line: &str) -> &'static str {
    match quoting(line) {
        Quoting::Open => {
            "opens a quote and does not close it. A value ends on its line; \
             put one that holds spaces, quotes, # or $ in 'single quotes'"
        }
        _ => "is not NAME=value. Put a value that holds spaces, quotes, # or $ in 'single quotes'",
    }
}

/// How the library treats the value of a line.
enum Quoting {
    Whole,
    /// A quote is not closed, or nothing follows a backslash.
    Open,
    /// The library replaces a `$name` by a value from the process or from elsewhere in the file.
    Substitutes,
}

fn quoting(line: &str) -> Quoting {
    let value = line.split_once('=').map_or("", |(_, value)| value).trim();
    let (mut quote, mut escaped) = (None, false);
    if value.starts_with('#') {
        return Quoting::Whole;
    }
    for c in value.chars() {
        match (c, quote) {
            _ if escaped => escaped = false,
            (c, Some('\'')) if c != '\'' => {}
            ('\\', _) => escaped = true,
            ('$', _) => return Quoting::Substitutes,
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            // Only a comment may follow.
            (' ' | '\t', None) => break,
            _ => {}
        }
    }
    if quote.is_some() || escaped {
        Quoting::Open
    } else {
        Quoting::Whole
    }
}
