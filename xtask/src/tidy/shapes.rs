//! A JSON shape is in `crates/api-types`, so that `--json`, the server and the OpenAPI file have one. In the sources of the
//! two programs nothing derives or implements `Serialize` or `ToSchema`, and no JSON is put together by `json!`. Items
//! under `#[cfg(test)]`, which only compare, are left out.

use super::finding::Finding;
use super::rust_modules::production;
use super::rust_source::{RustSource, Token};

const PROGRAMS: [&str; 2] = ["apps/vega-cli/src/", "apps/vega-server/src/"];
const SHAPES: [&str; 2] = ["Serialize", "ToSchema"];

pub(crate) fn check(sources: &[RustSource]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_watched(&source.path)) {
        let (tokens, _) = production(&source.tokens);
        findings.extend(shapes(&tokens).map(|token| {
            Finding::at_line(
                &source.path,
                token.line,
                format!("makes a JSON shape by {}", token.text),
                "Put the shape into crates/api-types and fill it here",
            )
        }));
    }
    findings
}

fn is_watched(path: &str) -> bool {
    PROGRAMS.iter().any(|program| path.starts_with(program)) && !path.ends_with("/tests.rs")
}

/// The words that make a shape: in a `derive`, behind `impl`, or `json!`.
fn shapes(tokens: &[Token]) -> impl Iterator<Item = &Token> {
    let is_derived = |at: usize| {
        let inside = tokens[..at].iter().rev().take_while(|token| !token.is("("));
        let before = tokens[..at].len() - inside.count();
        before > 1 && tokens[before - 2].is("derive")
    };
    let is_implemented = |at: usize| tokens.get(at + 1).is_some_and(|token| token.is("for"));
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        let is_shape = SHAPES.iter().any(|shape| token.is(shape)) && (is_derived(at) || is_implemented(at));
        let is_json = token.is("json") && tokens.get(at + 1).is_some_and(|token| token.is("!"));
        (is_shape || is_json).then_some(token)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    const SERVER: &str = "apps/vega-server/src/api/a.rs";

    #[rstest]
    #[case::derived("#[derive(Serialize)] struct A;")]
    #[case::derived_among_others("#[derive(Debug, Clone, ToSchema)] struct A;")]
    #[case::by_its_path("#[derive(serde::Serialize)] struct A;")]
    #[case::implemented("impl serde::Serialize for A {}")]
    #[case::behind_a_test_item("#[cfg(test)] mod tests; #[derive(Serialize)] struct A;")]
    #[case::put_together("fn a() -> Value { serde_json::json!({ \"v\": 1 }) }")]
    fn a_shape_of_a_program_is_found(#[case] text: &str) {
        for path in [SERVER, "apps/vega-cli/src/a.rs"] {
            let findings = printed(&check(&[RustSource::made_up(path, text)]));
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(
                findings[0].starts_with(&format!("{path}:1: makes a JSON shape by ")),
                "{findings:?}"
            );
        }
    }

    #[rstest]
    #[case::its_home("crates/api-types/src/a.rs", "#[derive(Serialize)] struct A;")]
    #[case::any_shape(SERVER, "use serde::Serialize; fn a(shape: &impl Serialize) {}")]
    #[case::a_bound(SERVER, "impl<T: Serialize> A<T> {}")]
    #[case::a_query(SERVER, "#[derive(Deserialize, IntoParams)] struct A;")]
    #[case::a_test(SERVER, "#[cfg(test)] mod tests { fn a() { json!(1); } }")]
    #[case::a_file_of_tests("apps/vega-server/src/a/tests.rs", "fn a() { json!(1); }")]
    fn a_shape_elsewhere_and_another_word_pass(#[case] path: &str, #[case] text: &str) {
        assert_eq!(printed(&check(&[RustSource::made_up(path, text)])), [""; 0]);
    }
}
