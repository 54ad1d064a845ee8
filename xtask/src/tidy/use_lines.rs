//! What a file's `use` lines bring in, so that a rule knows what a short name stands for.

use super::rust_source::Token;

/// A name in a file and the full path behind it; the name is `*` when the line brings in everything below the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    /// The line of its `use`.
    pub(crate) line: usize,
    /// `pub use`, also with a restriction.
    pub(crate) is_reexport: bool,
}

/// All of the file's, wherever they stand.
pub(crate) fn read(tokens: &[Token]) -> Vec<Import> {
    let mut imports = Vec::new();
    for at in 0..tokens.len() {
        if begins(tokens, at) {
            let first = imports.len();
            branch(&mut tokens[at + 1..].iter(), &[], &mut imports);
            for import in &mut imports[first..] {
                import.line = tokens[at].line;
                import.is_reexport = is_public(&tokens[..at]);
            }
        }
    }
    imports
}

/// Whether a `use` line begins here; the `use` of `impl Trait + use<'a>` begins none.
pub(crate) fn begins(tokens: &[Token], at: usize) -> bool {
    tokens[at].is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<"))
}

/// Whether these tokens end with `pub` or `pub(…)`.
fn is_public(before: &[Token]) -> bool {
    match before {
        [.., last] if last.is("pub") => true,
        [.., word, open, _, close] => word.is("pub") && open.is("(") && close.is(")"),
        _ => false,
    }
}

/// Every `a::b::c` outside `use` lines, with the line it begins on.
pub(crate) fn paths(tokens: &[Token]) -> Vec<(Vec<&str>, usize)> {
    let mut paths: Vec<(Vec<&str>, usize)> = Vec::new();
    let mut imported = false;
    let mut goes_on = false;
    for (at, token) in tokens.iter().enumerate() {
        imported = begins(tokens, at) || imported && !token.is(";");
        if token.is_word() && !imported {
            match paths.last_mut() {
                Some((path, _)) if goes_on => path.push(&token.text),
                _ => paths.push((vec![&token.text], token.line)),
            }
        }
        // A word goes on with the word after `::`.
        goes_on = token.is(":") && at > 1 && tokens[at - 1].is(":") && tokens[at - 2].is_word();
    }
    paths
}

/// Every full path that a path written in the file may stand for: itself, and what its first word was imported as.
pub(crate) fn meanings(written: &[&str], imports: &[Import]) -> Vec<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut meanings = vec![owned(written)];
    for import in imports {
        let rest = match import.name.as_str() {
            "*" => written,
            name if written.first() == Some(&name) => &written[1..],
            _ => continue,
        };
        meanings.push([import.path.clone(), owned(rest)].concat());
    }
    meanings
}

/// Reads one branch of a `use` tree, up to the mark that ends it, and returns that mark.
fn branch<'a>(
    tokens: &mut impl Iterator<Item = &'a Token>,
    before: &[String],
    imports: &mut Vec<Import>,
) -> Option<&'a str> {
    let mut path = before.to_vec();
    let mut name = None;
    let end = loop {
        match tokens.next().map(|token| token.text.as_str()) {
            Some(":") => {}
            Some("*") => name = Some("*".to_owned()),
            Some("as") => name = tokens.next().map(|token| token.text.clone()),
            Some("self") if !path.is_empty() => name = path.last().cloned(),
            Some("{") => {
                while branch(tokens, &path, imports) == Some(",") {}
                // The bracket held the names; what ends this branch follows it.
                return tokens.next().map(|token| token.text.as_str());
            }
            Some(end @ ("," | "}" | ";")) => break Some(end),
            Some(word) => {
                path.push(word.to_owned());
                name = Some(word.to_owned());
            }
            None => break None,
        }
    };
    imports.extend(name.map(|name| Import {
        name,
        path,
        line: 0,
        is_reexport: false,
    }));
    end
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::rust_source::RustSource;
    use super::*;

    #[rstest]
    #[case("use chrono::Utc;", &["Utc = chrono::Utc"])]
    #[case("use ::std::env;", &["env = std::env"])]
    #[case("use std::time::Instant as Then;", &["Then = std::time::Instant"])]
    #[case("use std::env::{self, var as read};", &["env = std::env", "read = std::env::var"])]
    #[case("use std::{time::{Duration, Instant}, env};", &[
        "Duration = std::time::Duration", "Instant = std::time::Instant", "env = std::env",
    ])]
    #[case("use chrono::prelude::*; use a::B;", &["* = chrono::prelude", "B = a::B"])]
    #[case("use a::{B, C,}; use d;", &["B = a::B", "C = a::C", "d = d"])]
    #[case("fn a() -> impl X + use<'a> { b }", &[])]
    fn imports_are_read(#[case] text: &str, #[case] expected: &[&str]) {
        let imports = read(&RustSource::made_up("a.rs", text).tokens);
        let shown: Vec<String> = imports
            .iter()
            .map(|import| format!("{} = {}", import.name, import.path.join("::")))
            .collect();
        assert_eq!(shown, expected);
    }

    #[rstest]
    #[case("use a::B;", false)]
    #[case("pub use a::B;", true)]
    #[case("pub(crate) use a::B;", true)]
    #[case("mod c { pub fn d() {} } use a::B;", false)]
    #[case("(e);\nuse a::B;", false)]
    fn a_reexport_is_told_from_an_import(#[case] text: &str, #[case] expected: bool) {
        let imports = read(&RustSource::made_up("a.rs", text).tokens);
        assert_eq!(
            imports
                .iter()
                .map(|import| import.is_reexport)
                .collect::<Vec<_>>(),
            [expected]
        );
    }
}
