//! The command line as it was typed: what is said to one that is wrong, and whether a shell evaluates what is printed.

use clap::CommandFactory;
use vega_bootstrap::Settings;
use vega_domain::ids::ApiName;
use vega_domain::visible::on_one_line;

use crate::command_line::arguments::Arguments;
use crate::command_line::places;
use crate::command_line::suggestion::{alike, did_you_mean, some_of};
use crate::exit::Exit;
use crate::terminal::output;

/// The words after `vega`.
#[derive(Debug)]
pub(crate) struct CommandLine(Vec<String>);

impl CommandLine {
    pub(crate) fn of_process() -> Self {
        let words = places::behind_the_command(std::env::args_os());
        Self(
            words
                .iter()
                .skip(1)
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        )
    }

    /// Whether it is a line of this command.
    #[cfg(target_os = "linux")]
    pub(crate) fn begins_with(&self, command: &str) -> bool {
        self.0.first().is_some_and(|first| first == command)
    }

    /// Whether `--format env` stands there, in whichever line: also the mistyped one is evaluated.
    pub(crate) fn is_evaluated_by_a_shell(&self) -> bool {
        let next = self.0.iter().skip(1);
        let mut pairs = self.0.iter().zip(next);
        self.0.iter().any(|word| word == "--format=env")
            || pairs.any(|(option, value)| option == "--format" && value == "env")
    }

    /// A text that repeats words of the line, each on one line.
    fn quoted_in(&self, text: String) -> String {
        let breaks = self.0.iter().filter(|word| word.contains('\n'));
        // An option's value stands there without its name, too.
        let words =
            breaks.flat_map(|word| [Some(word.as_str()), word.split_once('=').map(|(_, value)| value)]);
        words
            .flatten()
            .fold(text, |text, word| text.replace(word, &on_one_line(word)))
    }

    /// A name as it was typed.
    fn typed(&self, name: &ApiName) -> String {
        let mut words = self.0.iter();
        let typed = words.find(|word| word.eq_ignore_ascii_case(name.as_str()));
        typed.cloned().unwrap_or_else(|| name.to_string())
    }

    /// The first word, where a command stands: unless it is an option or a command.
    fn in_place_of_a_command(&self) -> Option<&str> {
        let first = self.0.first().filter(|word| !word.starts_with('-'))?;
        let is_command = <Arguments as CommandFactory>::command()
            .find_subcommand(first)
            .is_some();
        (!is_command).then_some(first)
    }
}

/// The commands that `typed` may stand for, as they are typed.
fn commands_like(typed: &str) -> Vec<String> {
    let arguments = <Arguments as CommandFactory>::command();
    let names: Vec<&str> = arguments.get_subcommands().map(clap::Command::get_name).collect();
    let alike = alike(typed, names);
    alike.iter().map(|name| format!("`vega {name}`")).collect()
}

/// Prints help or the version, or says what is wrong with the line.
pub(crate) fn answer(error: &clap::Error, line: &CommandLine) -> Exit {
    let text = error.render();
    if !error.use_stderr() {
        let with_colours = console::colors_enabled() && console::Term::stdout().is_term();
        let text = if with_colours {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        output::data_in_colour(text.trim_end_matches('\n'));
        return Exit::Ok;
    }
    let text = line.quoted_in(text.to_string());
    output::problem_in_lines(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    if let Some(typed) = line.in_place_of_a_command() {
        let meant = did_you_mean(&commands_like(typed));
        if !meant.is_empty() {
            output::say(&format!("\n'{typed}' is no command. {}", meant.trim_end()));
        }
    }
    Exit::Usage
}

/// Says so, where a word in the place of a command is most likely a command with a slip of the finger.
pub(crate) fn tell_mistyped_command(arguments: &Arguments, line: &CommandLine) -> bool {
    let Some(typed) = line
        .in_place_of_a_command()
        .filter(|_| arguments.command.is_none())
    else {
        return false;
    };
    // Names of APIs are mostly in capital letters.
    let meant = did_you_mean(&commands_like(typed));
    if meant.is_empty() || !typed.contains(|c: char| c.is_ascii_lowercase()) {
        return false;
    }
    output::problem(&format!("'{typed}' is no command. {}", meant.trim_end()));
    true
}

/// Says which API on the line is not configured, and what may be meant.
pub(crate) fn tell_unknown_api(arguments: &Arguments, line: &CommandLine, settings: &Settings) -> bool {
    let configured = settings.accounts.apis();
    let known: Vec<&str> = configured.map(|(_, api)| api.name.as_str()).collect();
    let is_known = |api: &ApiName| settings.accounts.find(api).is_some();
    let Some(unknown) = arguments.apis().into_iter().find(|api| !is_known(api)) else {
        return false;
    };
    let typed = line.typed(&unknown);
    let may_be_a_command =
        arguments.command.is_none() && line.in_place_of_a_command() == Some(typed.as_str());
    let mut meant: Vec<String> = alike(&typed, known.iter().copied())
        .into_iter()
        .map(str::to_owned)
        .collect();
    let what = if may_be_a_command {
        let commands = commands_like(&typed);
        meant = [commands, meant].concat();
        "neither a command nor a configured API"
    } else {
        "not configured"
    };
    output::problem(&format!(
        "{typed} is {what}. {}Known are: {}",
        did_you_mean(&meant),
        some_of(&known)
    ));
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn line(words: &str) -> CommandLine {
        CommandLine(words.split_whitespace().map(str::to_owned).collect())
    }

    #[rstest]
    #[case("token PRIMARY --format env", true)]
    #[case("token PRIMARY --format=env", true)]
    #[case("--format env tokn PRIMARY", true)]
    #[case("token PRIMARY --format raw", false)]
    #[case("token PRIMARY --format", false)]
    #[case("token env", false)]
    #[case("", false)]
    fn a_line_says_whether_a_shell_evaluates_it(#[case] words: &str, #[case] evaluated: bool) {
        assert_eq!(line(words).is_evaluated_by_a_shell(), evaluated);
    }

    #[rstest]
    #[case("stauts --json", Some("stauts"))]
    #[case("status", None)]
    #[case("--yes stauts", None)]
    #[case("", None)]
    fn the_first_word_may_be_meant_as_a_command(#[case] words: &str, #[case] first: Option<&str>) {
        assert_eq!(line(words).in_place_of_a_command(), first);
    }

    /// Each command, with any two letters next to each other swapped.
    #[test]
    fn every_command_is_found_behind_a_slip_of_the_finger() {
        for command in <Arguments as CommandFactory>::command().get_subcommands() {
            let name = command.get_name();
            for at in 1..name.len() {
                let mut letters: Vec<char> = name.chars().collect();
                letters.swap(at - 1, at);
                let typed: String = letters.into_iter().collect();
                let meant = commands_like(&typed);
                assert!(meant.contains(&format!("`vega {name}`")), "{typed}: {meant:?}");
            }
        }
    }
}
