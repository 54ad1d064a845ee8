//! The only place that prints. Data goes to stdout and is checked to its last byte; everything said to the human goes to
//! stderr. What came from outside steers no terminal: characters that would are shown by their number.

use std::io::Write;

use secrecy::zeroize::Zeroizing;
use vega_bootstrap::Answer;
use vega_domain::visible::{json_for_terminals, on_one_line, visible, visible_with_colours};

use crate::command_error::CommandError;
use crate::exit::Exit;

/// Back to the beginning of the line, which is then empty. A short line never wraps, so this clears all of it.
pub(crate) const REWRITE: &str = "\r\x1b[K";

static ANSWER: Answer = Answer::new();

/// Prints data.
pub(crate) fn data(text: &str) {
    ANSWER.write(&format!("{}\n", visible(text)));
}

/// Prints data that holds colours of our own, and words of nobody else.
pub(crate) fn data_in_colour(text: &str) {
    ANSWER.write(&format!("{}\n", visible_with_colours(text)));
}

/// Prints data as JSON.
pub(crate) fn data_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(value)?;
    ANSWER.write(&format!("{}\n", json_for_terminals(&json)));
    Ok(())
}

/// Prints a secret, byte for byte as programs must get it.
pub(crate) fn secret(text: &str) {
    ANSWER.write(text);
    ANSWER.write("\n");
}

/// Prints one line of many, which may hold a secret. Whether somebody reads on.
pub(crate) fn line(text: &str) -> bool {
    ANSWER.write(&Zeroizing::new(format!("{text}\n")));
    ANSWER.is_delivered()
}

/// Whether data was printed, or was to be.
pub(crate) fn has_data() -> bool {
    ANSWER.is_begun()
}

/// Whether somebody has what was printed.
pub(crate) fn is_delivered() -> bool {
    ANSWER.is_delivered()
}

/// What the program ends with: an answer that is not whole is no success, and no other ending that a script may trust.
pub(crate) fn checked(exit: Exit) -> Exit {
    match ANSWER.finish() {
        Ok(()) => exit,
        Err(error) => {
            problem(&format!(
                "the answer could not be written to stdout: {error}. What was done stays done; make room, or send the answer \
                 to another place, and ask again"
            ));
            Exit::Unexpected
        }
    }
}

/// Says something to the human.
pub(crate) fn say(text: &str) {
    print(&visible(text));
}

/// The same in the place of what stands on the last line.
pub(crate) fn say_instead(text: &str) {
    print(&format!("{REWRITE}{}", visible(text)));
}

/// Says what went wrong, in one line whatever the words of others hold, so that none of them passes for one of Vega's.
pub(crate) fn problem(text: &str) {
    label_and(&on_one_line(text));
}

/// The same for what the command line's own parser says, which has usage and a hint below.
pub(crate) fn problem_in_lines(text: &str) {
    label_and(&visible(text));
}

/// Says what may become a problem, in one line.
pub(crate) fn warning(text: &str) {
    print(&format!("warning: {}", on_one_line(text)));
}

fn label_and(text: &str) {
    let label = console::style("error:").for_stderr().red().bold();
    print(&format!("{label} {text}"));
}

/// Nobody can be told that stderr takes nothing.
fn print(text: &str) {
    let width = console::Term::stderr()
        .size_checked()
        .map(|(_, columns)| usize::from(columns));
    let text = width.map_or_else(|| text.to_owned(), |width| wrapped(text, width));
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The same in lines that end with a word. What is longer than a line, such as a path, stays in one piece to be copied.
fn wrapped(text: &str, width: usize) -> String {
    let wrap = |line: &str| {
        let mut lines = String::new();
        let mut used = 0;
        for word in line.split_inclusive(' ') {
            let long = console::measure_text_width(word.trim_end_matches(' '));
            if used > 0 && used + long > width {
                lines.truncate(lines.trim_end_matches(' ').len());
                lines.push('\n');
                used = 0;
            }
            lines.push_str(word);
            used += console::measure_text_width(word);
        }
        lines
    };
    let lines: Vec<String> = text.split('\n').map(wrap).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_end_with_a_word() {
        let text =
            "Account default cools down until 08:56:00 IST: Upstox throttled the sign-in.\n  next line";
        for width in [10, 40, 80] {
            let lines = wrapped(text, width);
            assert_eq!(lines.replace('\n', " "), text.replace('\n', " "), "{width}");
            for line in lines.lines() {
                let fits = line.len() <= width || !line.trim().contains(' ');
                assert!(fits && !line.ends_with(' '), "{width}: {line:?}");
            }
        }
        let path = "/a/very/long/path/that/somebody/copies";
        assert_eq!(wrapped(path, 10), path);
    }
}
