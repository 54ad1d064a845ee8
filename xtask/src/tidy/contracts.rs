//! A contract is tested: each sentence with MUST in the documentation of a port ends with the names of the tests that hold
//! it, as inline code in brackets, and they exist. Tests of the contract suite are public functions there; all others
//! bear the attribute of a test.

use std::collections::HashSet;

use super::finding::Finding;
use super::rust_source::{RustSource, Token};
use super::tree::File;

const PORTS: &str = "crates/domain/src/ports/";
const SUITE: &str = "crates/testing/src/contract/";
/// Fewer words may be a method or a field; so many are the name of a test.
const WORDS: usize = 4;

pub(crate) fn check(files: &[File], sources: &[RustSource]) -> Vec<Finding> {
    let tests = tests(sources);
    let ports = files.iter().filter(|file| file.path.starts_with(PORTS));
    ports.flat_map(|port| of_port(port, &tests)).collect()
}

fn of_port(port: &File, tests: &HashSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, sentence) in sentences(&port.text) {
        let code = sentence.split('`').skip(1).step_by(2);
        let mut named = code.filter(|code| is_of_a_test(code)).peekable();
        if sentence.contains("MUST") && named.peek().is_none() {
            findings.push(Finding::at_line(
                &port.path,
                line,
                format!("names no test of \"{sentence}\""),
                "Name the test that holds it in brackets at the sentence's end, or say it without MUST",
            ));
        }
        findings.extend(named.filter(|name| !tests.contains(name)).map(|name| {
            Finding::at_line(
                &port.path,
                line,
                format!("names the test {name}, which does not exist"),
                "Name the test that holds the sentence now",
            )
        }));
    }
    findings
}

/// Each sentence of the documentation of items, with the line in which it begins.
fn sentences(text: &str) -> Vec<(usize, String)> {
    let mut sentences: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.trim().strip_prefix("///").unwrap_or_default();
        goes_on &= !words.is_empty();
        for word in words.split_whitespace() {
            match sentences.last_mut().filter(|_| goes_on) {
                Some((_, sentence)) => {
                    sentence.push(' ');
                    sentence.push_str(word);
                }
                None => sentences.push((number, word.to_owned())),
            }
            goes_on = !word.ends_with('.');
        }
    }
    sentences
}

fn is_of_a_test(name: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(is_of_a_name) && name.split('_').filter(|word| !word.is_empty()).count() >= WORDS
}

/// The names of all tests.
fn tests(sources: &[RustSource]) -> HashSet<&str> {
    let mut tests = HashSet::new();
    for source in sources {
        let tokens = &source.tokens;
        for at in 1..tokens.len() {
            if !tokens[at - 1].is("fn") {
                continue;
            }
            let is_of_suite = source.path.starts_with(SUITE)
                && matches!(&tokens[..at - 1], [.., public, asynchronous] if public.is("pub") && asynchronous.is("async"));
            if is_of_suite || is_marked_as_test(&tokens[..at - 1]) {
                tests.insert(tokens[at].text.as_str());
            }
        }
    }
    tests
}

/// Whether one of the attributes at the end of these tokens makes a test of what follows.
fn is_marked_as_test(before: &[Token]) -> bool {
    let mut rest = match before {
        [rest @ .., last] if last.is("async") => rest,
        rest => rest,
    };
    while rest.last().is_some_and(|token| token.is("]")) {
        let mut depth = 0;
        let begin = rest.iter().rposition(|token| {
            depth += i32::from(token.is("]")) - i32::from(token.is("["));
            depth == 0
        });
        let Some(begin) = begin else {
            return false;
        };
        let name = rest[begin + 1..]
            .iter()
            .take_while(|token| token.is_word() || token.is(":"));
        if name
            .last()
            .is_some_and(|token| token.is("test") || token.is("rstest"))
        {
            return true;
        }
        // Without the `#` before it.
        rest = &rest[..begin.saturating_sub(1)];
    }
    false
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    fn findings(documentation: &str) -> Vec<String> {
        let port = File::made_up(
            &format!("{PORTS}port.rs"),
            &format!("//! A header that MUST say.\n\n{documentation}\npub trait Port {{}}\n"),
        );
        let sources = [
            RustSource::made_up(
                &format!("{SUITE}port.rs"),
                "pub async fn it_is_taken_once<I: Installation>() {}\nasync fn it_only_helps_a_test() {}",
            ),
            RustSource::made_up(
                "crates/a/tests/it/port.rs",
                "#[tokio::test]\n#[cfg(unix)]\nasync fn nobody_is_asked_twice() {}\n\
                 #[must_use]\nfn this_is_no_test() {}",
            ),
        ];
        printed(&check(&[port], &sources))
    }

    #[rstest]
    #[case::in_the_suite("/// Takes it. MUST take it once (`it_is_taken_once`). Says so.")]
    #[case::elsewhere(
        "    /// MUST ask nobody\n    /// twice (`nobody_is_asked_twice`,\n    /// `it_is_taken_once`)."
    )]
    #[case::without_must("/// Takes it, as `may_become` and `that_other_thing` say.")]
    #[case::no_documentation("// MUST")]
    fn what_is_tested_passes(#[case] documentation: &str) {
        assert_eq!(findings(documentation), [""; 0]);
    }

    #[rstest]
    #[case::none(
        "/// Takes it (`it_is_taken_once`).\n/// MUST work, as `may_become` says. Ends.",
        4,
        "names no test of \"MUST work, as `may_become` says.\""
    )]
    #[case::the_next_paragraph(
        "/// It MUST work\n///\n/// (`it_is_taken_once`).",
        3,
        "names no test of \"It MUST work\""
    )]
    #[case::gone(
        "/// MUST work (`it_is_given_back_once`).",
        3,
        "names the test it_is_given_back_once, which"
    )]
    #[case::a_helper_of_the_suite(
        "/// MUST work (`it_only_helps_a_test`).",
        3,
        "names the test it_only_helps_a_test, which"
    )]
    #[case::no_test(
        "/// MUST work (`this_is_no_test`).",
        3,
        "names the test this_is_no_test, which"
    )]
    fn what_is_not_tested_is_found(#[case] documentation: &str, #[case] line: usize, #[case] wrong: &str) {
        let findings = findings(documentation);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let begins = format!("{PORTS}port.rs:{line}: {wrong}");
        assert!(findings[0].starts_with(&begins), "{findings:?}");
    }
}
