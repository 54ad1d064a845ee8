//! No path of one machine in any file: what it names is not there on the next one. A made-up home, `me`, is fine.

use super::finding::Finding;
use super::tree::File;

/// Split, so that this file passes its own rule.
const FOLDERS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "farm/"),
];
const HOME: &str = concat!("/", "home/");
const MADE_UP: &str = "me";

pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            findings.extend(path_in(line).map(|path| {
                Finding::at_line(
                    &file.path,
                    number + 1,
                    format!("names {path}, a path of one machine"),
                    format!("Write a relative path, or a made-up one such as {HOME}{MADE_UP}"),
                )
            }));
        }
    }
    findings
}

fn path_in(line: &str) -> Option<String> {
    for folder in FOLDERS {
        if beginnings(line, folder).next().is_some() {
            return Some((*folder).to_owned());
        }
    }
    let names = beginnings(line, HOME).map(|at| {
        let rest = &line[at + HOME.len()..];
        let end = rest.find(|c: char| !is_of_a_name(c)).unwrap_or(rest.len());
        &rest[..end]
    });
    let mut real = names.filter(|name| !name.is_empty() && *name != MADE_UP);
    real.next().map(|name| format!("{HOME}{name}"))
}

/// Where a folder stands at the beginning of a path, and not further inside one.
fn beginnings<'a>(line: &'a str, folder: &'a str) -> impl Iterator<Item = usize> + 'a {
    let found = line.match_indices(folder).map(|(at, _)| at);
    found.filter(|&at| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| is_of_a_name(c) || "+~*$})>".contains(c))
    })
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || "._-".contains(c)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    /// Cases write `|` for `/`, so that this file passes its own rule.
    fn findings(line: &str) -> Vec<String> {
        let text = format!("first\n{}\n", line.replace('|', "/"));
        printed(&check(&[File::made_up("a.md", &text)]))
    }

    #[rstest]
    #[case::a_folder("cd |work|main", "|work|")]
    #[case::quoted("let a = \"|root|.cargo\";", "|root|")]
    #[case::a_setting("KEY=|farm|key", "|farm|")]
    #[case::a_url("sqlite:||||home|anna|vega.db", "|home|anna")]
    #[case::after_a_made_up_one("|home|me|a and |home|anna|b", "|home|anna")]
    fn a_path_of_one_machine_is_found(#[case] line: &str, #[case] path: &str) {
        let expected = format!(
            "a.md:2: names {path}, a path of one machine. Write a relative path, or a made-up one such as |home|me."
        );
        assert_eq!(findings(line), [expected.replace('|', "/")]);
    }

    #[rstest]
    #[case::made_up("sqlite:|||home|me|vega.db")]
    #[case::a_placeholder("|home|<you>|vega.db")]
    #[case::inside_a_path("tests|work|a and .|root|b and $DIR|farm|c")]
    #[case::inside_a_url("https:||example.com|home|page")]
    #[case::not_a_folder("|workspace|a and |rooted")]
    fn other_paths_pass(#[case] line: &str) {
        assert_eq!(findings(line), [""; 0]);
    }
}
