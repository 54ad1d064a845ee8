//! Every `vega …` that a document shows can be typed: command, options and values. In running text a command may stand without
//! what it needs, such as `vega cooldown clear`; in a code block it may not.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::repository;
use crate::command_line::arguments::Arguments;

/// How `vega` is started in a document.
const STARTS: [&str; 2] = ["vega ", "cargo run -qp vega-cli -- "];

#[test]
fn every_vega_command_that_is_shown_can_be_typed() {
    let mut wrong = Vec::new();
    let mut shown = 0;
    for path in pages() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (code, in_block) in code_of(&text) {
            for command in commands(&code) {
                shown += 1;
                if let Some(error) = refusal(&command, in_block) {
                    let page = path.strip_prefix(repository()).unwrap().display();
                    wrong.push(format!("{page}: `vega {}`: {error}", command.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these cannot be typed:\n{}", wrong.join("\n"));
    assert!(shown > 50, "only {shown} commands were found");
}

#[test]
fn what_cannot_be_typed_is_found() {
    let refused = |line: &str| {
        let commands = commands(line);
        let [command] = commands.as_slice() else {
            panic!("{commands:?}")
        };
        refusal(command, true).is_some()
    };
    assert!(!refused("eval \"$(vega token PRIMARY --format env)\""));
    assert!(!refused(
        "vega audit accept --reason \"restored Monday's backup\""
    ));
    assert!(refused("vega stauts"));
    assert!(refused("vega status --jsno"));
    assert!(refused(
        "(umask 077; vega key make bot --scope status > ~/bot.key)"
    ));
    assert!(refused("vega token PRIMARY --format evn"));
    assert!(refused("vega cooldown clear default"));
}

/// The documents of the repository: its own, those of `docs`, and one for each package.
fn pages() -> Vec<PathBuf> {
    let root = repository();
    let mut folders = vec![root.clone()];
    for folder in ["docs", "crates", "apps"] {
        folders.push(root.join(folder));
        folders.extend(entries(&root.join(folder)).filter(|path| path.is_dir()));
    }
    folders.push(root.join("tests"));
    folders.push(root.join("xtask"));
    let pages = folders.iter().flat_map(|folder| entries(folder));
    pages
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
}

/// Lines of code blocks, and inline code; `true` for the former.
fn code_of(text: &str) -> Vec<(String, bool)> {
    let mut code = Vec::new();
    let mut prose = String::new();
    for (number, part) in text.split("```").enumerate() {
        // The first line of a block names its language.
        let lines = part.lines().skip(1).map(|line| (line.to_owned(), true));
        match number % 2 {
            0 => prose.push_str(part),
            _ if part.starts_with("text") => {}
            _ => code.extend(lines),
        }
    }
    for paragraph in prose.split("\n\n") {
        let spans = paragraph.split('`').skip(1).step_by(2);
        code.extend(spans.map(|span| (span.replace('\n', " "), false)));
    }
    code
}

/// The arguments of each `vega` that a shell would start on this line.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for start in STARTS {
        for (at, _) in line.match_indices(start) {
            let before = line[..at].trim_end_matches(' ');
            let begins = before.is_empty() || before.ends_with(['(', ';', '|', '&']);
            let arguments = words(&line[at + start.len()..]);
            if begins && !arguments.is_empty() && !arguments.iter().any(|word| word.contains(['…', '['])) {
                commands.push(arguments);
            }
        }
    }
    commands
}

/// The words of a shell up to the end of its command.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if ")|>;&#".contains(c) => break,
            None if c == ' ' => words.push(std::mem::take(&mut word)),
            Some(_) | None => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Why it cannot be typed, if it cannot. A word in small letters that is no command would be taken for an API.
fn refusal(arguments: &[String], in_block: bool) -> Option<String> {
    let first = arguments.iter().find(|word| !word.starts_with('-'));
    let vega = <Arguments as CommandFactory>::command();
    let parsed = Arguments::try_parse_from([&["vega".to_owned()], arguments].concat());
    match parsed {
        Ok(parsed) => {
            let is_command = |word: &String| vega.find_subcommand(word).is_some();
            let is_small = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase());
            let mistaken = first.filter(is_small).filter(|word| !is_command(word));
            mistaken
                .filter(|_| parsed.command.is_none())
                .map(|word| format!("{word} is no command"))
        }
        Err(error) => {
            let lacks = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            let is_fine = !error.use_stderr() || (lacks && !in_block);
            let first_line = error.to_string().lines().next().unwrap_or_default().to_owned();
            (!is_fine).then_some(first_line)
        }
    }
}
