//! The only place that prints. Data goes to stdout and is checked to its last byte; everything said to the human goes to
//! stderr. What came from outside steers no terminal: characters that would are shown by their number.

use std::io::Write;

use vega_bootstrap::Answer;
use vega_domain::visible::{json_for_terminals, visible, visible_with_colours};

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
pub(crate) fn data_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    ANSWER.write(&format!("{}\n", json_for_terminals(&json)));
    Ok(())
}

/// Prints a secret, byte for byte as programs must get it.
pub(crate) fn secret(text: &str) {
    ANSWER.write(text);
    ANSWER.write("\n");
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

/// Says what went wrong.
pub(crate) fn problem(text: &str) {
    let label = console::style("error:").for_stderr().red().bold();
    print(&format!("{label} {}", visible(text)));
}

/// Nobody can be told that stderr takes nothing.
fn print(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
