//! Runs one WebDriver command within its time limit, and classifies a failure for the sign-in: passing trouble, a
//! closed window, silence, or the end of the browser.

use std::time::Duration;

use fantoccini::error::CmdError;
use vega_domain::failure::{Failure, FailureReason};

/// No single WebDriver command takes this long; after it the session is considered lost.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a WebDriver command failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The page was changing during the command; the next look shows the result.
    Passing(String),
    /// The page opened a dialog of the browser, which the driver has closed. This is its text.
    Said(String),
    /// This window was closed; another may be there.
    Closed,
    /// The command got no answer within its time: the page's server or the browser is silent.
    Silent,
    /// The last window, the browser or the driver is gone.
    Gone(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Said(_) => Self::new(
                FailureReason::BrowserGone,
                "a dialog of the page came again and again",
            ),
            Trouble::Closed => Self::new(FailureReason::BrowserGone, "the window was closed"),
            Trouble::Silent => {
                let words = format!(
                    "the browser did not answer within {} s",
                    COMMAND_TIMEOUT.as_secs()
                );
                Self::new(FailureReason::BrowserGone, words)
            }
            Trouble::Passing(words) | Trouble::Gone(words) => Self::new(FailureReason::BrowserGone, words),
        }
    }
}

/// The browser waits for a first answer of the dialog and keeps the driver waiting, as measured with servers that take a
/// connection and say nothing.
pub(crate) fn silent_dialog() -> Failure {
    let words = format!(
        "the dialog did not answer within {} s: a firewall, a proxy or Upstox itself keeps silent",
        COMMAND_TIMEOUT.as_secs()
    );
    Failure::new(FailureReason::Network, words)
}

/// Runs one command within its time limit and distinguishes passing trouble from the end of the browser.
pub(crate) async fn command<T>(future: impl Future<Output = Result<T, CmdError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(COMMAND_TIMEOUT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_closed(&error) => Err(Trouble::Closed),
        Ok(Err(error)) if is_the_end(&error) => Err(Trouble::Gone(kind(&error))),
        Ok(Err(error)) => Err(said(&error).map_or_else(|| Trouble::Passing(kind(&error)), Trouble::Said)),
        Err(_) => Err(Trouble::Silent),
    }
}

/// `unexpected alert open: {Alert text : Incorrect PIN}`
fn said(error: &CmdError) -> Option<String> {
    let CmdError::Standard(error) = error else {
        return None;
    };
    if error.error() != "unexpected alert open" {
        return None;
    }
    let words = error
        .message
        .split_once("{Alert text :")
        .map_or("", |(_, words)| words);
    let words = words.rsplit_once('}').map_or(words, |(words, _)| words);
    Some(words.trim().chars().take(200).collect())
}

fn is_closed(error: &CmdError) -> bool {
    matches!(error, CmdError::Standard(error) if error.error() == "no such window")
}

fn is_the_end(error: &CmdError) -> bool {
    match error {
        CmdError::Standard(error) => {
            let words = error.message.to_lowercase();
            error.error() == "invalid session id"
                || ["not reachable", "disconnected", "crashed", "session deleted"]
                    .iter()
                    .any(|sign| words.contains(sign))
        }
        CmdError::Failed(_) | CmdError::FailedC(_) | CmdError::Lost(_) => true,
        _ => false,
    }
}

/// The kind of the error, without the page's content that a message may quote.
fn kind(error: &CmdError) -> String {
    match error {
        CmdError::Standard(error) => error.error(),
        CmdError::Failed(_) | CmdError::FailedC(_) | CmdError::Lost(_) => "the driver is gone".to_owned(),
        _ => "the driver gave an answer that is not WebDriver's".to_owned(),
    }
}
