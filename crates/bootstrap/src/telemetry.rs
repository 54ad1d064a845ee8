//! Logs: to stderr, so that stdout stays data. `RUST_LOG` chooses what is shown.

use std::fmt;

use tracing_subscriber::EnvFilter;

use crate::environment::Environment;

/// How a log looks.
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

/// Starts logging for this process; `default` is what is shown without `RUST_LOG`, such as `warn`.
pub fn log_to_stderr(environment: &Environment, default: &str, format: LogFormat) {
    let chosen = environment
        .get("RUST_LOG")
        .map_or_else(|| default.into(), |value| value.to_string_lossy());
    let colours =
        environment.get("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(chosen))
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        // Nobody reads what nobody can be told; to complain of it on stderr would be a panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
