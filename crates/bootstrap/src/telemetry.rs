//! Logs to stderr, so that stdout holds only data, with India's time. `RUST_LOG` chooses what is shown. Text from
//! outside cannot control a terminal and cannot start a line of its own.

use std::fmt;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use vega_domain::expiry::in_ist;
use vega_domain::ports::Clock;
use vega_domain::visible::{json_for_terminals, visible, visible_with_colours};

use crate::machine::clock::SystemClock;
use crate::settings::environment::Environment;

/// Switches off the errors that these libraries log: Vega reports them itself, with their cause and what to do.
const TOLD_BY_VEGA: &str = "rustls_platform_verifier=off,sqlx_core::pool=off";

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Starts logging for this process; `default` is the level that is shown without `RUST_LOG`, such as `warn`.
pub fn log_to_stderr(environment: &Environment, default: &str, format: LogFormat) {
    let chosen = environment.get("RUST_LOG").map_or_else(
        || format!("{default},{TOLD_BY_VEGA}").into(),
        |value| value.to_string_lossy(),
    );
    let colours = format == LogFormat::Text
        && environment.get("NO_COLOR").is_none()
        && io::IsTerminal::is_terminal(&io::stderr());
    let look = match (format, colours) {
        (LogFormat::Json, _) => Look::Json,
        (LogFormat::Text, false) => Look::Plain,
        (LogFormat::Text, true) => Look::Colours,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(chosen))
        .with_timer(IndiasTime(SystemClock::new()))
        .with_writer(move || Line(look))
        .with_ansi(colours)
        // Nobody reads what nobody can be told; to complain of it on stderr would be a panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// The time in milliseconds, with the offset.
#[derive(Debug)]
struct IndiasTime(SystemClock);

impl FormatTime for IndiasTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = in_ist(self.0.now());
        write!(writer, "{}", now.format("%Y-%m-%dT%H:%M:%S%.3f%:z"))
    }
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Plain,
    Colours,
    Json,
}

impl Look {
    /// One entry as it is shown: on one line, so that text from outside cannot look like an entry.
    fn of(self, entry: &str) -> String {
        let entry = entry.trim_end_matches('\n');
        let shown = match self {
            Self::Plain => visible(entry).into_owned(),
            Self::Colours => visible_with_colours(entry),
            Self::Json => json_for_terminals(entry).into_owned(),
        };
        format!("{}\n", shown.replace('\n', "\\n"))
    }
}

/// One entry on its way to stderr; the subscriber writes each entry in one piece.
#[derive(Debug)]
struct Line(Look);

impl Write for Line {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let shown = self.0.of(&String::from_utf8_lossy(entry));
        io::stderr().lock().write_all(shown.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rstest::rstest;

    use super::*;

    const WORDS: &str =
        "one\r\n2026-11-23T08:45:00.000+05:30 ERROR forged\u{1b}[2J\u{9b}31m\u{202e}gnp\u{200b}";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>, Option<Look>);

    impl Write for Kept {
        fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
            let shown = self
                .1
                .unwrap_or(Look::Plain)
                .of(std::str::from_utf8(entry).unwrap());
            self.0.lock().unwrap().push_str(&shown);
            Ok(entry.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(look: Look) -> String {
        let kept = Kept(Arc::default(), Some(look));
        let writer = kept.clone();
        let log = tracing_subscriber::fmt()
            .with_timer(IndiasTime(SystemClock::new()))
            .with_ansi(matches!(look, Look::Colours))
            .with_writer(move || writer.clone());
        let say = || {
            tracing::info!("{WORDS}");
            tracing::info!(words = %WORDS, debug = ?WORDS, text = WORDS, "told");
        };
        match look {
            Look::Json => tracing::subscriber::with_default(log.json().finish(), say),
            _ => tracing::subscriber::with_default(log.finish(), say),
        }
        let logged = kept.0.lock().unwrap();
        logged.clone()
    }

    #[rstest]
    #[case::plain(Look::Plain)]
    #[case::in_colours(Look::Colours)]
    #[case::json(Look::Json)]
    fn words_from_outside_steer_no_terminal_and_forge_no_entry(#[case] look: Look) {
        let logged = logged(look);
        let left = logged.replace("\u{1b}[0m", "");
        for steers in ['\r', '\u{9b}', '\u{202e}', '\u{200b}'] {
            assert!(!left.contains(steers), "{steers:?} in {logged:?}");
        }
        assert!(
            !left.contains("\u{1b}[2J") && !left.contains("\u{1b}[31m"),
            "{logged:?}"
        );
        assert_eq!(logged.lines().count(), 2, "{logged:?}");
        assert!(logged.contains("+05:30"), "{logged:?}");
    }
}
