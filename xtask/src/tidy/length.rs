//! A source file fits in a head: at most 500 lines. What a program wrote may be longer.

use super::finding::Finding;
use super::tree::File;

const MOST: usize = 500;

const SOURCES: &[&str] = &["rs", "ts", "tsx", "js", "mjs", "css", "sql", "html"];

pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let sources = files
        .iter()
        .filter(|file| SOURCES.contains(&file.extension()) && !file.is_generated());
    sources
        .filter_map(|file| {
            let lines = file.text.lines().count();
            (lines > MOST).then(|| {
                Finding::in_file(
                    &file.path,
                    format!("has {lines} lines, more than {MOST}"),
                    "Split it by what its parts decide",
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    #[rstest]
    #[case::just_short_enough("a.rs", 500, true)]
    #[case::too_long("a.rs", 501, false)]
    #[case::migration("migrations/sqlite/0001_initial.sql", 501, false)]
    #[case::page("a.html", 501, false)]
    #[case::generated("src/api.gen.ts", 5000, true)]
    #[case::in_a_folder_of_generated_files("src/generated/api.ts", 5000, true)]
    #[case::no_source("Cargo.lock", 5000, true)]
    fn a_source_file_has_at_most_500_lines(#[case] path: &str, #[case] lines: usize, #[case] allowed: bool) {
        let findings = printed(&check(&[File::made_up(path, &"line\n".repeat(lines))]));
        let expected =
            format!("{path}: has {lines} lines, more than 500. Split it by what its parts decide.");
        assert_eq!(findings, if allowed { vec![] } else { vec![expected] });
    }
}
