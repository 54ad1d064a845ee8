//! Every command says so when its answer does not arrive whole, and none minds a reader that went away. The commands are
//! those that the program's own help lists: a new one fails here until it has its line.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::world::{NO_UPSTOX, ONE_API, vega};

/// What a command prints in a fresh installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prints {
    Data,
    /// It only speaks to the human.
    Nothing,
}

/// A line of each command, by its name.
const LINES: &[(&str, &[&str], Prints)] = &[
    ("generate", &["generate", "--yes", "--json"], Prints::Data),
    ("resume", &["resume", "--json"], Prints::Data),
    ("status", &["status"], Prints::Data),
    ("status", &["status", "--json"], Prints::Data),
    ("verify", &["verify"], Prints::Data),
    ("config", &["config"], Prints::Data),
    ("config", &["config", "--json"], Prints::Data),
    ("cancel", &["cancel"], Prints::Nothing),
    ("cooldown", &["cooldown", "--json"], Prints::Data),
    (
        "cooldown clear",
        &["cooldown", "clear", "default", "--reason", "a test"],
        Prints::Nothing,
    ),
    ("audit", &["audit", "--json"], Prints::Data),
    ("audit", &["audit", "--verify"], Prints::Data),
    (
        "audit accept",
        &["audit", "accept", "--reason", "a test"],
        Prints::Nothing,
    ),
    ("seal machines", &["seal", "machines"], Prints::Data),
    ("seal rotate", &["seal", "rotate"], Prints::Data),
    ("backup", &["backup", "copy.db"], Prints::Data),
    // There is no such file, and no move.
    ("restore", &["restore", "nowhere.db"], Prints::Nothing),
    ("move", &["move", "--cancel"], Prints::Nothing),
    ("token", &["token", "PRIMARY", "--format", "env"], Prints::Data),
    // There is no token to start it with; what it prints then is its own.
    ("exec", &["exec", "PRIMARY", "--", "true"], Prints::Nothing),
    ("consumers", &["consumers", "--json"], Prints::Data),
    (
        "consumers stop",
        &["consumers", "stop", "nobody"],
        Prints::Nothing,
    ),
    (
        "consumers open",
        &["consumers", "open", "nobody"],
        Prints::Nothing,
    ),
    ("files", &["files", "--json"], Prints::Data),
    ("adopt", &["adopt", "PRIMARY"], Prints::Nothing),
    ("revoke", &["revoke", "PRIMARY", "--yes"], Prints::Nothing),
    (
        "key add",
        &["key", "add", "bot", "--scope", "status"],
        Prints::Data,
    ),
    ("key list", &["key", "list", "--json"], Prints::Data),
    ("key revoke", &["key", "revoke", "nobody"], Prints::Nothing),
    // Without a server there is no link; with one, the server's stories look at it.
    ("console", &["console"], Prints::Nothing),
];

/// Runs it in a home of its own, with these ends of its output.
fn ends_with(arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    let home = tempfile::tempdir().unwrap();
    let settings = [ONE_API, &[NO_UPSTOX]].concat();
    let mut command = vega(home.path(), &settings, arguments);
    command.stdout(stdout).stderr(stderr);
    command.spawn().unwrap().wait_with_output().unwrap()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// The writing end of a pipe that nobody reads.
fn nobody_reads() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The commands under `line`, with the words that lead to them.
fn commands(line: &[String]) -> Vec<Vec<String>> {
    let words: Vec<&str> = line.iter().map(String::as_str).chain(["--help"]).collect();
    let help = vega(Path::new("/"), &[], &words).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    let mut found = Vec::new();
    for name in listed {
        let line = [line, &[name.to_owned()]].concat();
        let below = commands(&line);
        found.push(line);
        found.extend(below);
    }
    found
}

#[test]
fn every_command_has_its_line_here() {
    let all = commands(&[]);
    assert!(all.len() > 15, "{all:?}");
    let are_only_a_way = ["seal", "key"];
    // Nothing ends it but a reader that went away: `what_goes_on_ends_when_nobody_reads`.
    let go_on = ["watch"];
    for command in all.iter().map(|words| words.join(" ")) {
        let has_a_line = LINES.iter().any(|(name, ..)| *name == command);
        assert!(
            has_a_line || are_only_a_way.contains(&&*command) || go_on.contains(&&*command),
            "no line for `vega {command}`"
        );
    }
}

#[test]
fn what_goes_on_ends_when_nobody_reads() {
    let ended = |stdout| ends_with(&["watch"], stdout, Stdio::piped());
    let gone = ended(nobody_reads());
    assert_eq!(gone.status.code(), Some(0), "{gone:?}");
    let full = ended(full());
    assert_eq!(full.status.code(), Some(1), "{full:?}");
    assert!(
        String::from_utf8_lossy(&full.stderr).contains("could not be written"),
        "{full:?}"
    );
}

#[test]
fn an_answer_that_does_not_arrive_is_no_success() {
    for (_, arguments, prints) in LINES {
        let well = ends_with(arguments, Stdio::piped(), Stdio::piped());
        assert_eq!(
            well.stdout.is_empty(),
            *prints == Prints::Nothing,
            "{arguments:?}: {well:?}"
        );
        let lost = ends_with(arguments, full(), Stdio::piped());
        let said = String::from_utf8(lost.stderr).unwrap();
        let words = "error: the answer could not be written to stdout: No space left on device";
        if *prints == Prints::Data {
            assert_eq!(lost.status.code(), Some(1), "{arguments:?}: {said}");
            assert_eq!(said.matches(words).count(), 1, "{arguments:?}: {said}");
        } else {
            assert_eq!(lost.status.code(), well.status.code(), "{arguments:?}: {said}");
            assert!(!said.contains(words), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn help_and_version_are_answers_too() {
    let mut lines: Vec<Vec<String>> = commands(&[])
        .into_iter()
        .map(|line| [line, vec!["--help".to_owned()]].concat())
        .collect();
    lines.extend([
        vec!["--help".to_owned()],
        vec!["--version".to_owned()],
        vec!["help".to_owned()],
    ]);
    for line in lines {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let lost = ends_with(&words, full(), Stdio::piped());
        assert_eq!(lost.status.code(), Some(1), "{line:?}: {lost:?}");
        let unread = ends_with(&words, nobody_reads(), Stdio::piped());
        assert_eq!(unread.status.code(), Some(0), "{line:?}: {unread:?}");
    }
}

#[test]
fn a_reader_that_went_away_has_what_it_wanted() {
    for (_, arguments, _) in LINES {
        let well = ends_with(arguments, Stdio::piped(), Stdio::piped());
        let unread = ends_with(arguments, nobody_reads(), Stdio::piped());
        assert_eq!(
            unread.status.code(),
            well.status.code(),
            "{arguments:?}: {unread:?}"
        );
        assert!(
            !String::from_utf8_lossy(&unread.stderr).contains("could not be written"),
            "{unread:?}"
        );
    }
}

/// Nothing can be said then, and what is to be done is done.
#[test]
fn a_full_or_closed_stderr_changes_nothing() {
    for (_, arguments, _) in LINES {
        let well = ends_with(arguments, Stdio::piped(), Stdio::piped());
        for stderr in [full(), nobody_reads()] {
            let unsaid = ends_with(arguments, Stdio::piped(), stderr);
            assert_eq!(unsaid.status.code(), well.status.code(), "{arguments:?}");
            assert_eq!(unsaid.stdout.is_empty(), well.stdout.is_empty(), "{arguments:?}");
        }
        let neither = ends_with(arguments, full(), full());
        assert_ne!(neither.status.code(), Some(101), "{arguments:?}: a panic");
    }
}

/// The standard library takes this for success.
#[test]
fn a_descriptor_that_cannot_be_written_to_is_told() {
    let lost = ends_with(
        &["config"],
        File::open("/dev/null").unwrap().into(),
        Stdio::piped(),
    );
    assert_eq!(lost.status.code(), Some(1), "{lost:?}");
}

#[test]
fn a_key_that_nobody_got_is_told_with_what_to_do() {
    for stdout in [full(), nobody_reads()] {
        let lost = ends_with(
            &["key", "add", "bot", "--scope", "status"],
            stdout,
            Stdio::piped(),
        );
        let said = String::from_utf8(lost.stderr).unwrap();
        assert!(
            said.contains("nobody got the key bot") && said.contains("`vega key revoke bot`"),
            "{said}"
        );
        assert!(!said.contains("vega_"), "{said}");
    }
}
