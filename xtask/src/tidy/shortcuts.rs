//! No lint is silenced for good, no test is skipped and nothing is left unfinished, anywhere in Rust.

use super::finding::Finding;
use super::rust_source::{RustSource, Token};

pub(crate) fn check(sources: &[RustSource]) -> Vec<Finding> {
    sources
        .iter()
        .flat_map(|source| attributes(source).into_iter().chain(macros(source)))
        .collect()
}

fn attributes(source: &RustSource) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rest = source.tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let opened = match after {
            [open, inner @ ..] if token.is("#") && open.is("[") => inner,
            [bang, open, inner @ ..] if token.is("#") && bang.is("!") && open.is("[") => inner,
            _ => continue,
        };
        let attribute = &opened[..end(opened)];
        findings.extend(
            judged(attribute)
                .map(|(wrong, remedy)| Finding::at_line(&source.path, token.line, wrong, remedy)),
        );
    }
    findings
}

/// How many tokens are inside the bracket that was just opened.
fn end(opened: &[Token]) -> usize {
    let mut depth = 1;
    opened
        .iter()
        .position(|token| {
            depth += i32::from(token.is("[")) - i32::from(token.is("]"));
            depth == 0
        })
        .unwrap_or(opened.len())
}

fn judged(attribute: &[Token]) -> Option<(&'static str, &'static str)> {
    // The attribute itself, or those that `cfg_attr(condition, …)` makes.
    let conditional = attribute.first()?.is("cfg_attr");
    let has = |name: &str| {
        (0..attribute.len())
            .any(|at| attribute[at].is(name) && (at == 0 || conditional && attribute[at - 1].is(",")))
    };
    if has("allow") {
        Some((
            "silences a lint with `allow`",
            "Use `#[expect(the_lint, reason = \"…\")]`, which is found when it is no longer needed",
        ))
    } else if has("expect") && !attribute.iter().any(|token| token.is("reason")) {
        Some(("expects a lint without a reason", "Add `reason = \"…\"`"))
    } else if has("ignore") {
        Some((
            "skips a test",
            "Make it run or remove it; what a machine lacks is said by the test as it fails",
        ))
    } else {
        None
    }
}

fn macros(source: &RustSource) -> Vec<Finding> {
    let calls = source.tokens.windows(3).filter_map(|tokens| {
        let [name, bang, open] = tokens else { return None };
        let called = bang.is("!") && ["(", "[", "{"].contains(&open.text.as_str());
        let left = ["todo", "unimplemented", "dbg"].contains(&name.text.as_str());
        (called && left).then_some(name)
    });
    calls
        .map(|name| {
            let wrong = format!("`{}!` was left in", name.text);
            Finding::at_line(&source.path, name.line, wrong, "Finish the code and remove it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    #[rstest]
    #[case::an_item("#[allow(dead_code)]\nfn a() {}", "silences a lint with `allow`")]
    #[case::a_file("#![allow(clippy::all)]", "silences a lint with `allow`")]
    #[case::on_a_condition(
        "#[cfg_attr(test, allow(dead_code))]\nfn a() {}",
        "silences a lint with `allow`"
    )]
    #[case::in_a_macro(
        "macro_rules! a { () => { #[allow(x)] fn b() {} } }",
        "silences a lint with `allow`"
    )]
    #[case::no_reason("#[expect(dead_code)]\nfn a() {}", "expects a lint without a reason")]
    #[case::skipped("#[ignore]\n#[test]\nfn a() {}", "skips a test")]
    #[case::skipped_with_a_reason("#[ignore = \"slow\"]\nfn a() {}", "skips a test")]
    #[case::todo("fn a() { todo!() }", "`todo!` was left in")]
    #[case::unimplemented("fn a() { unimplemented!(\"later\") }", "`unimplemented!` was left in")]
    #[case::dbg("fn a() { let b = dbg!(c); }", "`dbg!` was left in")]
    fn a_shortcut_is_found(#[case] text: &str, #[case] wrong: &str) {
        let findings = printed(&check(&[RustSource::made_up("a.rs", text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with(&format!("a.rs:1: {wrong}. ")),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::with_a_reason("#[expect(dead_code, reason = \"for the tests\")]\nfn a() {}")]
    #[case::prose("// todo!() and #[allow(x)]\n/// #[ignore]\nfn a() { b(\"dbg!(1)\"); }")]
    #[case::another_attribute("#[arg(allow, ignore)]\n#[cfg_attr(test, derive(Debug))]\nstruct A;")]
    #[case::another_macro("fn a() { println!(\"{}\", todo != 1); allow(x); b[ignore] }")]
    #[case::a_method("fn a() { b.expect(\"c\") }")]
    fn other_code_passes(#[case] text: &str) {
        assert_eq!(printed(&check(&[RustSource::made_up("a.rs", text)])), [""; 0]);
    }
}
