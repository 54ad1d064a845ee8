//! Tests that keep the documents true to the command line: generated tables and pages are what the code says, and commands that
//! are shown can be typed. With `VEGA_UPDATE_DOCS` set, as `cargo xtask generate` does, the generated parts are written anew.

mod command_page;
mod setting_table;
mod shown_commands;

use std::path::{Path, PathBuf};

use vega_bootstrap::Environment;

const UPDATE: &str = "VEGA_UPDATE_DOCS";

/// A generated part of a page, and the name of the markers around it.
pub(crate) type Part<'a> = (&'a str, String);

/// Compares the parts of a page with what the code says, or writes them.
pub(crate) fn compare_or_write(page: &str, parts: &[Part<'_>]) {
    let path = repository().join(page);
    let mut text = std::fs::read_to_string(&path).unwrap();
    if Environment::of_process().get(UPDATE).is_some() {
        for (name, part) in parts {
            let (begin, end) = markers(name);
            let old = format!("{begin}{}{end}", between(page, &text, name));
            text = text.replacen(&old, &format!("{begin}\n\n{}\n\n{end}", part.trim()), 1);
        }
        return std::fs::write(&path, text).unwrap();
    }
    for (name, part) in parts {
        let (found, part) = (between(page, &text, name).trim(), part.trim());
        let differing = || {
            let missing = part.lines().filter(|line| !found.lines().any(|row| row == *line));
            let foreign = found.lines().filter(|row| !part.lines().any(|line| line == *row));
            let rows = missing.map(|line| format!("+ {line}"));
            let rows = rows.chain(foreign.map(|row| format!("- {row}")));
            rows.collect::<Vec<_>>().join("\n")
        };
        assert!(
            found == part,
            "the part `{name}` of {page} is not what the code does (+ code, - page; only the order, if nothing \
             follows):\n{}\nUpdate it: cargo xtask generate",
            differing()
        );
    }
}

/// The part of a page as it stands there.
pub(crate) fn part_of(page: &str, name: &str) -> String {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    between(page, &text, name).to_owned()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn between<'a>(page: &str, text: &'a str, name: &str) -> &'a str {
    let (begin, end) = markers(name);
    let rest = text.split_once(&begin).map(|(_, rest)| rest);
    let inside = rest
        .and_then(|rest| rest.split_once(&end))
        .map(|(inside, _)| inside);
    inside.unwrap_or_else(|| panic!("{page} has lost its lines {begin:?} and {end:?}; put them back"))
}

fn markers(name: &str) -> (String, String) {
    (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"))
}
