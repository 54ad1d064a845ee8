//! Which file of a package imports which, in its `src`.
//!
//! An import is a `use` line or a path in the code that leads into another file of the crate: from `crate`, `self`, `super` or
//! a child module. A re-export (`pub use`) is none: it is followed, and whoever uses the name imports the file that it comes
//! from. Code under `#[cfg(test)]` does not count, nor do the files of such modules.

use std::collections::{BTreeMap, BTreeSet};

use super::edge::Edge;
use super::rust_source::{RustSource, Token};
use super::use_lines::{self, Import};

/// So many re-exports lie at most between a name and its file.
const MOST_REEXPORTS: usize = 8;

/// The file of one module.
struct Module {
    file: String,
    tokens: Vec<Token>,
    imports: Vec<Import>,
}

/// The modules of one crate by their path.
type Modules = BTreeMap<Vec<String>, Module>;

pub(crate) fn edges(sources: &[RustSource]) -> Vec<Edge> {
    let mut crates: BTreeMap<&str, Modules> = BTreeMap::new();
    let mut tests = Vec::new();
    let libraries: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| source.path.strip_suffix("/src/lib.rs"))
        .collect();
    for source in sources {
        let Some((name, path)) = module_of(&source.path) else {
            continue;
        };
        // The program beside a library is a crate of its own, which names the library from outside.
        if libraries.contains(name) && source.path.ends_with("/src/main.rs") {
            continue;
        }
        let (tokens, test_modules) = production(&source.tokens);
        tests.extend(
            test_modules
                .into_iter()
                .map(|module| (name, [path.clone(), vec![module]].concat())),
        );
        let imports = use_lines::read(&tokens);
        let file = source.path.clone();
        crates.entry(name).or_default().insert(
            path,
            Module {
                file,
                tokens,
                imports,
            },
        );
    }
    for (name, test) in tests {
        let modules = crates.entry(name).or_default();
        modules.retain(|path, _| !path.starts_with(&test));
    }
    crates.values().flat_map(edges_of).collect()
}

/// The crate's folder and the module's path: `crates/a/src/b/c.rs` is `b::c` of `crates/a`.
fn module_of(file: &str) -> Option<(&str, Vec<String>)> {
    let (name, path) = file.split_once("/src/")?;
    if path.starts_with("bin/") {
        return None;
    }
    let mut words: Vec<String> = path.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if let ([root], _) | (_, Some(root)) = (words.as_slice(), words.last())
        && (root == "mod" || words.len() == 1 && (root == "lib" || root == "main"))
    {
        words.pop();
    }
    Some((name, words))
}

fn edges_of(modules: &Modules) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (at, module) in modules {
        let imports = module.imports.iter().filter(|import| !import.is_reexport);
        let mut paths: Vec<(Vec<String>, usize)> =
            imports.map(|import| (import.path.clone(), import.line)).collect();
        for (path, line) in use_lines::paths(&module.tokens) {
            if path.len() > 1 {
                paths.push((path.into_iter().map(str::to_owned).collect(), line));
            }
        }
        for (path, line) in paths {
            let target = from_root(modules, at, &path).and_then(|path| home(modules, &path, MOST_REEXPORTS));
            if let Some(target) = target.filter(|target| *target != module.file) {
                let (from, to) = (module.file.clone(), target.to_owned());
                edges.push(Edge { from, to, line });
            }
        }
    }
    edges
}

/// The same path from the crate's root, if it leads into the crate.
fn from_root(modules: &Modules, at: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([at, rest].concat()),
        "super" => {
            let (_, parent) = at.split_last()?;
            match rest.first() {
                Some(next) if next == "super" => from_root(modules, parent, rest),
                _ => Some([parent, rest].concat()),
            }
        }
        _ => {
            let below = [at, path].concat();
            modules.contains_key(&below[..=at.len()]).then_some(below)
        }
    }
}

/// The file that defines what a path from the root names.
fn home<'m>(modules: &'m Modules, path: &[String], reexports_left: usize) -> Option<&'m str> {
    let depth = (0..=path.len())
        .rev()
        .find(|&depth| modules.contains_key(&path[..depth]))?;
    let (at, rest) = path.split_at(depth);
    let module = &modules[at];
    let Some((name, below)) = rest.split_first() else {
        return Some(&module.file);
    };
    let import = module.imports.iter().find(|import| import.name == *name);
    let further = import
        .filter(|_| reexports_left > 0)
        .and_then(|import| from_root(modules, at, &import.path))
        .and_then(|path| home(modules, &[path.as_slice(), below].concat(), reexports_left - 1));
    further.or(Some(&module.file))
}

/// The tokens without items under `#[cfg(test)]`, and the modules among those items that have files of their own.
pub(crate) fn production(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        if !is_test_attribute(rest) {
            kept.push(Token {
                text: token.text.clone(),
                line: token.line,
            });
            rest = after;
            continue;
        }
        let mut item = rest;
        while item.first().is_some_and(|token| token.is("#")) {
            item = &item[1..];
            item = &item[group(item)..];
        }
        if let [keyword, name, end, ..] = without_visibility(item)
            && keyword.is("mod")
            && end.is(";")
        {
            test_modules.push(name.text.clone());
        }
        rest = &item[item_end(item)..];
    }
    (kept, test_modules)
}

/// `#[cfg(test)]`, or `#[cfg(all(test, …))]`.
fn is_test_attribute(tokens: &[Token]) -> bool {
    let begins = |words: &[&str]| {
        tokens.len() >= words.len() && words.iter().zip(tokens).all(|(word, token)| token.is(word))
    };
    begins(&["#", "[", "cfg", "(", "test", ")"]) || begins(&["#", "[", "cfg", "(", "all", "(", "test"])
}

/// How many tokens the bracket that opens here spans; 1 where none opens.
fn group(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The item behind its `pub` or `pub(…)`.
fn without_visibility(item: &[Token]) -> &[Token] {
    match item {
        [public, rest @ ..] if public.is("pub") => match rest {
            [open, ..] if open.is("(") => &rest[group(rest)..],
            _ => rest,
        },
        _ => item,
    }
}

/// How many tokens the item that begins here has: up to its `;`, or its body in braces.
fn item_end(tokens: &[Token]) -> usize {
    let has_body = match without_visibility(tokens) {
        [keyword, next, ..] if keyword.is("const") => next.is("fn"),
        [keyword, ..] => !["use", "static", "let", "type"].contains(&keyword.text.as_str()),
        [] => false,
    };
    let mut at = 0;
    while at < tokens.len() {
        let length = group(&tokens[at..]);
        let is_end = tokens[at].is(";") || has_body && tokens[at].is("{");
        at += length;
        if is_end {
            return at;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The edges of a made-up crate, as `from → to` without folders.
    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<RustSource> = files
            .iter()
            .map(|(path, text)| RustSource::made_up(&format!("crates/x/src/{path}"), text))
            .collect();
        let short = |path: &str| path.strip_prefix("crates/x/src/").unwrap().to_owned();
        edges(&sources)
            .iter()
            .map(|edge| format!("{}:{} → {}", short(&edge.from), edge.line, short(&edge.to)))
            .collect()
    }

    #[rstest]
    #[case::from_the_root("a.rs", "use crate::b::B;", &["a.rs:1 → b.rs"])]
    #[case::several("a.rs", "use crate::{b::B, c::{self, C}};", &["a.rs:1 → b.rs", "a.rs:1 → c.rs", "a.rs:1 → c.rs"])]
    #[case::beside("a.rs", "\nuse super::b::B;", &["a.rs:2 → b.rs"])]
    #[case::a_child("a.rs", "use d::D;", &["a.rs:1 → a/d.rs"])]
    #[case::a_parent("a/d.rs", "use super::A;", &["a/d.rs:1 → a.rs"])]
    #[case::all_of_a_parent("a/d.rs", "use super::*;", &["a/d.rs:1 → a.rs"])]
    #[case::two_up("a/d.rs", "use super::super::b::B;", &["a/d.rs:1 → b.rs"])]
    #[case::in_the_code("a.rs", "fn a() { crate::b::b(); d::d() }", &["a.rs:1 → b.rs", "a.rs:1 → a/d.rs"])]
    #[case::in_a_macro("a.rs", "macro_rules! m { () => { $crate::b::B }; }", &["a.rs:1 → b.rs"])]
    #[case::by_a_reexport("a.rs", "use crate::E;", &["a.rs:1 → e/f.rs"])]
    #[case::by_a_reexport_below("a.rs", "fn a() { crate::e::E::new() }", &["a.rs:1 → e/f.rs"])]
    #[case::what_the_root_defines("a.rs", "use crate::Root;", &["a.rs:1 → lib.rs"])]
    #[case::a_declaration("a.rs", "mod d;", &[])]
    #[case::a_reexport("a.rs", "pub(crate) use d::D;", &[])]
    #[case::itself("a.rs", "fn a() { self::b() }", &[])]
    #[case::outside("a.rs", "use b2::B; use std::sync::Arc; fn a(b: B) { b::<u8>(b.c) }", &[])]
    #[case::a_test_module("a.rs", "#[cfg(test)]\nmod tests { use crate::b::B; }\nuse crate::c::C;", &["a.rs:3 → c.rs"])]
    #[case::a_test_import("a.rs", "#[cfg(test)] use crate::b::{B}; use crate::c::C;", &["a.rs:1 → c.rs"])]
    #[case::a_test_function(
        "a.rs",
        "#[cfg(all(test, unix))] #[must_use] pub(crate) fn t(a: [u8; 2]) { crate::b::b() } use crate::c::C;",
        &["a.rs:1 → c.rs"]
    )]
    #[case::another_condition("a.rs", "#[cfg(any(unix, test))] use crate::b::B;", &["a.rs:1 → b.rs"])]
    fn imports_between_files_are_read(#[case] file: &str, #[case] text: &str, #[case] expected: &[&str]) {
        let mut files = vec![
            ("lib.rs", "mod a; pub use e::E; pub struct Root;"),
            ("a.rs", ""),
            ("a/d.rs", ""),
            ("b.rs", ""),
            ("c.rs", ""),
            ("e/mod.rs", "mod f; pub use f::E;"),
            ("e/f.rs", ""),
        ];
        files.retain(|(path, _)| *path != file);
        files.push((file, text));
        assert_eq!(shown(&files), expected);
    }

    #[test]
    fn the_program_beside_a_library_hides_nothing_of_it() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a.rs", "use crate::B;"),
            ("b.rs", ""),
            ("main.rs", "fn main() {}"),
        ];
        assert_eq!(shown(&files), ["a.rs:1 → b.rs"]);
    }

    #[test]
    fn a_file_of_tests_does_not_count() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "#[cfg(test)]\npub(crate) mod tests;"),
            ("a/tests.rs", "use super::A;"),
            ("a/tests/more.rs", "use crate::a::A;"),
        ];
        assert_eq!(shown(&files), [""; 0]);
    }

    #[rstest]
    #[case("crates/a/src/lib.rs", Some("crates/a: "))]
    #[case("apps/a/src/main.rs", Some("apps/a: "))]
    #[case("crates/a/src/b/mod.rs", Some("crates/a: b"))]
    #[case("crates/a/src/b/c.rs", Some("crates/a: b::c"))]
    #[case("crates/a/src/b/main.rs", Some("crates/a: b::main"))]
    #[case("crates/a/src/bin/b.rs", None)]
    #[case("crates/a/tests/it/main.rs", None)]
    #[case("tests/src/lib.rs", Some("tests: "))]
    #[case("xtask/src/tidy/a.rs", Some("xtask: tidy::a"))]
    fn a_file_is_a_module_of_its_crate(#[case] file: &str, #[case] expected: Option<&str>) {
        let module = module_of(file).map(|(name, path)| format!("{name}: {}", path.join("::")));
        assert_eq!(module.as_deref(), expected);
    }
}
