//! A path in inline code names something that is there, seen from the repository's folder or from the page's own. What has
//! no `/` and what has blanks, `*`, `~`, `{` or `…` in it is no path for this rule. A path that begins at a folder that the
//! repository does not have may be somebody else's, unless it names a folder or a source file.

use super::super::finding::Finding;
use super::super::tree::extension;
use super::links::is_there;
use super::page::{Page, resolved};

const SOURCES: &[&str] = &["rs", "ts", "tsx", "sql", "md"];

pub(super) fn check(pages: &[Page<'_>], names: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for span in page.spans.iter().filter(|span| looks_like_a_path(&span.what)) {
            let places = ["", page.folder()];
            let first = span.what.split('/').next().unwrap_or_default();
            let at = |relative: &str| {
                places
                    .iter()
                    .any(|place| resolved(place, relative).is_some_and(|path| is_there(&path, names)))
            };
            if (at(first) || is_surely_ours(&span.what)) && !at(&span.what) {
                findings.push(Finding::at_line(
                    page.path,
                    span.line,
                    format!("names {}, which is not there", span.what),
                    "Write the path as it is now, from the repository's folder or from the page's",
                ));
            }
        }
    }
    findings
}

fn is_surely_ours(path: &str) -> bool {
    path.ends_with('/') || SOURCES.contains(&extension(path))
}

pub(super) fn looks_like_a_path(span: &str) -> bool {
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    span.contains('/') && !span.starts_with('/') && span.chars().all(is_of_a_path)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::finding::printed;
    use super::super::super::tree::File;
    use super::*;

    fn findings(span: &str) -> Vec<String> {
        let file = File::made_up("crates/a/README.md", &format!("`{span}`\n"));
        let names = ["crates/a/README.md", "crates/a/src/lib.rs", "xtask/src/main.rs"].map(String::from);
        printed(&check(&[Page::read(&file)], &names))
    }

    #[rstest]
    #[case::of_the_page("src/lib.rs")]
    #[case::of_the_repository("xtask/src/main.rs")]
    #[case::a_folder("src/")]
    #[case::a_pattern("src/*.rs")]
    #[case::a_type("application/problem+json")]
    #[case::of_somebody_else("bin/chromium")]
    #[case::an_address("/api/v1/runs")]
    fn what_is_there_or_no_path_passes(#[case] span: &str) {
        assert_eq!(findings(span), [""; 0]);
    }

    #[rstest]
    #[case::moved("src/gone.rs")]
    #[case::elsewhere("crates/b/src/lib.rs")]
    #[case::a_folder_that_is_gone("days/")]
    #[case::a_file_of_a_folder_that_is_gone("days/src/rules.rs")]
    fn what_is_not_there_is_found(#[case] span: &str) {
        let expected = format!(
            "crates/a/README.md:1: names {span}, which is not there. Write the path as it is now, from the repository's \
             folder or from the page's."
        );
        assert_eq!(findings(span), [expected]);
    }
}
