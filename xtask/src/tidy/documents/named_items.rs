//! A name of a type in inline code, such as `OtpBudget` or `OtpLedger::request_otp`, is a name in some source file. One word with
//! one capital may be anything. Names that only the seed has are left alone.

use std::collections::BTreeSet;

use super::super::finding::Finding;
use super::super::tree::File;
use super::page::Page;

/// Besides those that end in `V2`.
const OF_THE_SEED: &[&str] = &["SqliteDataSourceFactory"];

pub(super) fn check(pages: &[Page<'_>], files: &[File]) -> Vec<Finding> {
    let sources = files.iter().filter(|file| file.extension() != "md");
    let words: BTreeSet<&str> = sources
        .flat_map(|file| file.text.split(|c: char| !is_of_a_name(c)))
        .collect();
    let mut findings = Vec::new();
    for page in pages {
        for span in page.spans.iter().filter(|span| is_an_item(&span.what)) {
            if !span.what.split("::").all(|part| words.contains(part)) {
                findings.push(Finding::at_line(
                    page.path,
                    span.line,
                    format!("names {}, which no source file has", span.what),
                    "Write the name as it is now",
                ));
            }
        }
    }
    findings
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_an_item(span: &str) -> bool {
    let first = span.split("::").next().unwrap_or_default();
    let capitals = first.chars().filter(char::is_ascii_uppercase).count();
    let has_small = first.contains(|c: char| c.is_ascii_lowercase());
    first.starts_with(|c: char| c.is_ascii_uppercase())
        && capitals > 1
        && has_small
        && !first.ends_with("V2")
        && !OF_THE_SEED.contains(&first)
        && span.chars().all(|c| is_of_a_name(c) || c == ':')
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::printed;
    use super::*;

    #[test]
    fn a_name_that_is_gone_is_found() {
        let page =
            "`OtpLedger::request_otp`, `LoginPageV2`, `Host`, `TLS`\n\n`OtpJournal` and `OtpLedger::ask`\n";
        let files = [
            File::made_up("a.md", page),
            File::made_up("a.rs", "trait OtpLedger { fn request_otp(); }\n"),
        ];
        let remedy = "Write the name as it is now";
        assert_eq!(
            printed(&check(&[Page::read(&files[0])], &files)),
            [
                format!("a.md:3: names OtpJournal, which no source file has. {remedy}."),
                format!("a.md:3: names OtpLedger::ask, which no source file has. {remedy}."),
            ]
        );
    }
}
