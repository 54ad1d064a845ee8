//! What a decision record says under "Held by" exists: inline code there is names of tests, followed by the file that has
//! them. Long names of tests on other pages are somewhere in the repository.

use super::super::finding::Finding;
use super::super::tree::File;
use super::named_files::looks_like_a_path;
use super::page::{At, Page};

const SECTION: &str = "Held by";
/// Fewer words may be anything; so many are the name of a test.
const WORDS: usize = 5;

pub(super) fn check(pages: &[Page<'_>], files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        let section = page.headings.iter().find(|heading| heading.what == SECTION);
        let begins = section.map_or(usize::MAX, |heading| heading.line);
        let (below, above) = page.spans.iter().partition(|span| span.line > begins);
        findings.extend(of_section(page, below, files));
        findings.extend(of_page(page, above, files));
    }
    findings
}

fn of_section(page: &Page<'_>, spans: Vec<&At<String>>, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: Vec<&At<String>> = Vec::new();
    for span in spans {
        // A command holds something too.
        if span.what.starts_with("cargo ") {
            continue;
        }
        if !looks_like_a_path(&span.what) {
            names.push(span);
            continue;
        }
        let text = files.iter().find(|file| file.path == span.what);
        let text = text.map_or("", |file| file.text.as_str());
        let missing = names.drain(..).filter(|name| !has_test(text, &name.what));
        findings.extend(missing.map(|name| not_there(page, name, &span.what)));
    }
    findings.extend(
        names
            .into_iter()
            .map(|name| not_there(page, name, "any file that follows")),
    );
    findings
}

fn of_page(page: &Page<'_>, spans: Vec<&At<String>>, files: &[File]) -> Vec<Finding> {
    let is_long = |name: &str| {
        let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(is_of_a_name) && name.split('_').filter(|word| !word.is_empty()).count() >= WORDS
    };
    let sources = || files.iter().filter(|file| file.extension() != "md");
    spans
        .into_iter()
        .filter(|span| is_long(&span.what) && !sources().any(|file| file.text.contains(&span.what)))
        .map(|span| not_there(page, span, "any source file"))
        .collect()
}

/// Rust's tests are functions, those of a contract generic ones; the console's have a text for a name.
fn has_test(text: &str, name: &str) -> bool {
    let written = [
        format!("fn {name}("),
        format!("fn {name}<"),
        format!("\"{name}\""),
        format!("'{name}'"),
    ];
    written.iter().any(|written| text.contains(written))
}

fn not_there(page: &Page<'_>, name: &At<String>, place: &str) -> Finding {
    Finding::at_line(
        page.path,
        name.line,
        format!("names the test {}, which is not in {place}", name.what),
        "Name the test that holds it now, with its file",
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::printed;
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let files = [
            File::made_up(path, text),
            File::made_up(
                "tests/a.rs",
                "fn it_holds() {}\nfn it_holds_in_this_way_too<I: Installation>() {}\n",
            ),
            File::made_up("web/a.test.ts", "test(\"says so\", () => {});\n"),
        ];
        printed(&check(&[Page::read(&files[0])], &files))
    }

    #[test]
    fn tests_that_are_there_pass() {
        let text = "# 1\n\n`other`\n\n## Held by\n\n- `it_holds`,\n  `it_holds_in_this_way_too` in `tests/a.rs`\n- `says so` in \
                    `web/a.test.ts`, and `cargo xtask days`\n";
        assert_eq!(findings("docs/1.md", text), [""; 0]);
        assert_eq!(
            findings("a.md", "`it_holds_in_this_way_too` and `not_there`"),
            [""; 0]
        );
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        let remedy = "Name the test that holds it now, with its file";
        assert_eq!(
            findings(
                "docs/1.md",
                "## Held by\n\n- `it_held` in `tests/a.rs`\n- `says so`\n"
            ),
            [
                format!("docs/1.md:3: names the test it_held, which is not in tests/a.rs. {remedy}."),
                format!(
                    "docs/1.md:4: names the test says so, which is not in any file that follows. {remedy}."
                ),
            ]
        );
        assert_eq!(
            findings("a.md", "`it_holds_in_no_way_here`"),
            [format!(
                "a.md:1: names the test it_holds_in_no_way_here, which is not in any source file. {remedy}."
            )]
        );
    }
}
