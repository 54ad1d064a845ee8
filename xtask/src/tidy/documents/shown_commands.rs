//! What the pages show after `cargo xtask` can be typed: command, options and values. The commands of `vega` are compared by a
//! test of its own.

use clap::Command;

use super::super::finding::Finding;
use super::page::Page;

const PROGRAM: &str = "cargo xtask ";

pub(super) fn check(pages: &[Page<'_>], xtask: &Command) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for shown in page.code.iter().chain(&page.spans) {
            let refused = arguments(&shown.what).and_then(|arguments| refusal(xtask, &arguments));
            findings.extend(refused.map(|error| {
                Finding::at_line(
                    page.path,
                    shown.line,
                    format!("shows `{}`, which cannot be typed: {error}", shown.what),
                    "Write the command as `cargo xtask --help` has it",
                )
            }));
        }
    }
    findings
}

/// What follows the program, up to a comment; `None` where it stands for something else with `…`.
fn arguments(shown: &str) -> Option<Vec<&str>> {
    let rest = shown.strip_prefix(PROGRAM)?;
    let words: Vec<&str> = rest.split_whitespace().take_while(|word| *word != "#").collect();
    (!words.is_empty() && !rest.contains('…')).then_some(words)
}

fn refusal(xtask: &Command, arguments: &[&str]) -> Option<String> {
    let line = [&["cargo xtask"], arguments].concat();
    let error = xtask.clone().try_get_matches_from(line).err()?;
    // Help and version are answers.
    error.use_stderr().then(|| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::super::super::finding::printed;
    use super::super::super::tree::File;
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let days = Command::new("days").arg(Arg::new("seed").long("seed"));
        let xtask = Command::new("cargo xtask")
            .subcommand_required(true)
            .subcommand(days);
        let file = File::made_up("a.md", text);
        printed(&check(&[Page::read(&file)], &xtask))
    }

    #[test]
    fn what_can_be_typed_passes() {
        let text = "`cargo xtask …`, `cargo xtask --help`\n\n```\ncargo xtask days --seed 1   # plays\ncargo test\n```\n";
        assert_eq!(findings(text), [""; 0]);
    }

    #[test]
    fn what_cannot_be_typed_is_found() {
        let remedy = "Write the command as `cargo xtask --help` has it";
        assert_eq!(
            findings("`cargo xtask nights`\n\n```\ncargo xtask days --sed\n```\n"),
            [
                format!(
                    "a.md:4: shows `cargo xtask days --sed`, which cannot be typed: unexpected argument '--sed' found. {remedy}."
                ),
                format!(
                    "a.md:1: shows `cargo xtask nights`, which cannot be typed: unrecognized subcommand 'nights'. {remedy}."
                ),
            ]
        );
    }
}
