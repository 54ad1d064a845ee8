//! Prints help, version and argument errors. Everything else that the server says goes to its log.

use std::io::Write;
use std::process::ExitCode;

use vega_bootstrap::Answer;
use vega_domain::visible::visible;

/// As on the command line of `vega`.
const USAGE: u8 = 2;

/// Prints it; what was asked for must arrive whole.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        say(&text);
        return ExitCode::from(USAGE);
    }
    let answer = Answer::new();
    answer.write(&text);
    match answer.finish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!(
                "error: the answer could not be written to stdout: {error}\n"
            ));
            ExitCode::FAILURE
        }
    }
}

/// Nobody can be told that stderr takes nothing.
fn say(text: &str) {
    let _ = write!(std::io::stderr().lock(), "{}", visible(text));
}
