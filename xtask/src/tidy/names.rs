//! Names say what a thing is. Words that say nothing are banned from the names of types, functions, modules and files:
//!
//! | word | in types, modules, files | in functions |
//! | --- | --- | --- |
//! | Impl, Util, Utils, Helper, Helpers | anywhere | anywhere |
//! | Common | anywhere | as the whole name |
//! | V2 and every other version | as the last word | as the last of several words |
//! | New | as the last of several words | the same, beside the function that lacks it |
//! | Base | a type: first or last; else the whole name | |
//!
//! `New` in front is fine: a `NewToken` is a token about to be stored. At the end it marks a version, which the next
//! one makes a lie. So is a base of something, such as `base_url`; a type to build others on is what is meant.

use super::finding::Finding;
use super::rust_source::{RustSource, Token};
use super::tree::is_generated;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Type,
    Function,
    /// A module inside a file; one with a file of its own is judged by the file's name.
    Module,
    File,
}

pub(crate) fn check(paths: &[&str], sources: &[RustSource]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = paths.iter().flat_map(|path| in_path(path)).collect();
    findings.extend(sources.iter().flat_map(in_source));
    findings
}

/// Judges the file's name and those of its folders, unless a program gave them: a snapshot is named after its test.
fn in_path(path: &str) -> Vec<Finding> {
    if is_generated(path) {
        return Vec::new();
    }
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let banned = stem
        .split('/')
        .filter_map(|name| Some((name, banned(Kind::File, name, &[])?)));
    banned
        .map(|(name, word)| {
            Finding::in_file(path, format!("the name `{name}` has the word `{word}`"), REMEDY)
        })
        .collect()
}

fn in_source(source: &RustSource) -> Vec<Finding> {
    let defined = definitions(&source.tokens);
    let functions: Vec<&str> = defined
        .iter()
        .filter(|(kind, _)| *kind == Kind::Function)
        .map(|(_, name)| name.text.as_str())
        .collect();
    defined
        .iter()
        .filter_map(|(kind, name)| {
            let word = banned(*kind, &name.text, &functions)?;
            let wrong = format!("the name `{}` has the word `{word}`", name.text);
            Some(Finding::at_line(&source.path, name.line, wrong, REMEDY))
        })
        .collect()
}

const REMEDY: &str = "Name it after what it holds or does; xtask/src/tidy/names.rs lists the words";

fn definitions(tokens: &[Token]) -> Vec<(Kind, &Token)> {
    let mut definitions = Vec::new();
    for (at, keyword) in tokens.iter().enumerate() {
        let kind = match keyword.text.as_str() {
            "struct" | "enum" | "union" | "trait" | "type" => Kind::Type,
            "fn" => Kind::Function,
            "mod" if tokens.get(at + 2).is_some_and(|after| after.is("{")) => Kind::Module,
            _ => continue,
        };
        definitions.extend(
            tokens
                .get(at + 1)
                .filter(|name| name.is_word())
                .map(|name| (kind, name)),
        );
    }
    definitions
}

/// The word that a name must not have, if it has one.
fn banned(kind: Kind, name: &str, functions: &[&str]) -> Option<String> {
    let words = words(name);
    let (first, last) = (words.first()?, words.last()?);
    let several = words.len() > 1;
    let is_function = kind == Kind::Function;
    let is_banned = |word: &&String| match word.as_str() {
        "impl" | "util" | "utils" | "helper" | "helpers" => true,
        "common" => !is_function || !several,
        "new" => *word == last && several && (!is_function || is_beside_the_old(name, functions)),
        "base" => match kind {
            Kind::Type => *word == first || *word == last,
            Kind::Module | Kind::File => !several,
            Kind::Function => false,
        },
        version if is_version(version) => *word == last && (several || !is_function),
        _ => false,
    };
    words.iter().find(is_banned).cloned()
}

fn is_version(word: &str) -> bool {
    let number = word.strip_prefix('v').unwrap_or_default();
    !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
}

fn is_beside_the_old(name: &str, functions: &[&str]) -> bool {
    name.strip_suffix("_new")
        .is_some_and(|old| functions.contains(&old))
}

/// The words of `snake_case`, `kebab-case`, `CamelCase` and dotted names, in lower case.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1);
        let starts = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if starts || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    #[rstest]
    #[case::implementation("struct TokenRepositoryImpl;", "impl")]
    #[case::version("struct LoginPageV2;", "v2")]
    #[case::new_version("struct LoginPageNew;", "new")]
    #[case::utilities("mod string_utils { }", "utils")]
    #[case::a_trait("trait LoginHelper {}", "helper")]
    #[case::an_alias("type CommonResult = ();", "common")]
    #[case::base_in_front("enum BaseError {}", "base")]
    #[case::base_at_the_end("trait RepositoryBase {}", "base")]
    #[case::function("fn parse_helper() {}", "helper")]
    #[case::function_version("fn exchange_v2() {}", "v2")]
    #[case::function_beside_the_old("fn exchange() {} fn exchange_new() {}", "new")]
    #[case::function_for_everything("fn common() {}", "common")]
    #[case::in_a_macro("macro_rules! a { () => { struct UtilA; } }", "util")]
    fn a_word_that_says_nothing_is_found(#[case] text: &str, #[case] word: &str) {
        let findings = printed(&check(&[], &[RustSource::made_up("a.rs", text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("a.rs:1: the name "), "{findings:?}");
        assert!(
            findings[0].contains(&format!("has the word `{word}`. ")),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::constructors("impl A { fn new() {} fn new_for(b: B) {} fn create_new() {} fn is_new() {} }")]
    #[case::about_to_be_stored("struct NewToken; struct NewAttempt;")]
    #[case::longer_words("struct Database; struct Newest; fn a_newer_one_wins() {} fn base32() {}")]
    #[case::a_base_of_something("fn base_url() {} fn authorize_base() {} struct ApiBaseUrl;")]
    #[case::prose("/// The Impl of a Helper.\nfn what_both_have_in_common() { b(\"utils\"); }")]
    #[case::a_call("fn a() { common(); Uuid::now_v7(); FooImpl::b() }")]
    #[case::a_pointer("type A = fn(Helper) -> B;")]
    #[case::a_module_with_a_file("mod util;")]
    fn other_names_pass(#[case] text: &str) {
        assert_eq!(
            printed(&check(&[], &[RustSource::made_up("a.rs", text)])),
            [""; 0]
        );
    }

    #[rstest]
    #[case("crates/domain/src/utils.rs", Some("utils"))]
    #[case("crates/domain/src/base.rs", Some("base"))]
    #[case("crates/domain/src/login_page_v2.rs", Some("v2"))]
    #[case("crates/domain/tests/common/mod.rs", Some("common"))]
    #[case("apps/vega-web/src/ServerLineNew.test.tsx", None)]
    #[case("apps/vega-web/src/TokenTableNew.tsx", Some("new"))]
    #[case("apps/vega-web/src/dateHelpers.ts", Some("helpers"))]
    #[case("apps/vega-cli/src/new.rs", None)]
    #[case("apps/vega-cli/src/new_token.rs", None)]
    #[case("crates/upstox/src/base_url.rs", None)]
    #[case("apps/vega-cli/src/snapshots/it__parse_helper.snap", None)]
    fn file_names_are_judged(#[case] path: &str, #[case] word: Option<&str>) {
        let findings = printed(&check(&[path], &[]));
        assert_eq!(findings.len(), usize::from(word.is_some()), "{findings:?}");
        if let Some(word) = word {
            assert!(
                findings[0].contains(&format!("has the word `{word}`. ")),
                "{findings:?}"
            );
        }
    }
}
