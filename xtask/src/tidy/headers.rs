//! Every source file opens by saying what it is for: Rust with a `//!` line, scripts and style sheets with a comment.

use super::finding::Finding;
use super::tree::File;

const SCRIPTS_AND_STYLES: &[&str] = &["ts", "tsx", "js", "mjs", "css"];

pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| !file.is_generated())
        .filter_map(missing)
        .collect()
}

fn missing(file: &File) -> Option<Finding> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = |mark: &str| {
        let text = first.strip_prefix(mark);
        text.is_some_and(|text| text.contains(char::is_alphabetic))
    };
    let (opens, mark) = match file.extension() {
        "rs" => (says("//!"), "a `//!` line"),
        other if SCRIPTS_AND_STYLES.contains(&other) => (says("//") || says("/*"), "a comment"),
        _ => return None,
    };
    (!opens).then(|| {
        Finding::at_line(
            &file.path,
            1,
            format!("does not open with {mark}"),
            "Say in its first line what the file decides or does",
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    #[rstest]
    #[case::rust("a.rs", "//! What it does.\n\nuse x;\n")]
    #[case::script("a.tsx", "// What it does.\n")]
    #[case::style_sheet("a.css", "/* How it looks. */\n")]
    #[case::generated("api.gen.ts", "export type A = string;\n")]
    #[case::another_kind("a.toml", "[package]\n")]
    fn a_file_that_says_what_it_is_for_passes(#[case] path: &str, #[case] text: &str) {
        assert_eq!(printed(&check(&[File::made_up(path, text)])), [""; 0]);
    }

    #[rstest]
    #[case::rust("build.rs", "fn main() {}\n", "a `//!` line")]
    #[case::another_comment("a.rs", "// What it does.\n", "a `//!` line")]
    #[case::not_first("a.rs", "use x;\n//! What it does.\n", "a `//!` line")]
    #[case::says_nothing("a.rs", "//!\n//! What it does.\n", "a `//!` line")]
    #[case::empty("a.rs", "", "a `//!` line")]
    #[case::script("a.ts", "import x from 'x';\n", "a comment")]
    #[case::style_sheet("a.css", ":root { color: red; }\n", "a comment")]
    fn a_file_that_does_not_is_found(#[case] path: &str, #[case] text: &str, #[case] mark: &str) {
        assert_eq!(
            printed(&check(&[File::made_up(path, text)])),
            [format!(
                "{path}:1: does not open with {mark}. Say in its first line what the file decides or does."
            )]
        );
    }
}
