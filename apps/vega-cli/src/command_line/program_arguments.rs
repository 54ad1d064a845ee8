//! What can be typed after the commands with which programs get tokens: `vega token`, `vega exec`, `vega watch`,
//! `vega files`; and `vega consumers`, which shows them.

#[cfg(target_os = "linux")]
use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::fmt;
#[cfg(target_os = "linux")]
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
#[cfg(target_os = "linux")]
use nix::sys::signal::Signal;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::plan::ForceReason;
use vega_domain::token_kind::{TokenKind, WantedKind};

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega token PRIMARY\n  vega token PRIMARY --min-valid 30m --format json\n  \
    eval \"$(vega token PRIMARY --format env)\"\n  vega token PRIMARY --rejected 3\n  vega token PRIMARY --kind read"
)]
pub(crate) struct Token {
    /// Whose token
    #[arg(value_name = "API")]
    pub(crate) api: ApiName,
    #[command(flatten)]
    pub(crate) kind: KindAsked,
    /// Refuse a token that expires sooner than this, such as 30m
    #[arg(long, value_name = "DURATION", value_parser = vega_bootstrap::length, default_value = "0s")]
    pub(crate) min_valid: Duration,
    /// Upstox refuses the token of this generation: Vega asks Upstox about it, and prints the token to use now
    #[arg(long, value_name = "GENERATION", value_parser = generation, conflicts_with = "accept")]
    pub(crate) rejected: Option<Generation>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    pub(crate) format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

/// Which of the two kinds of token is asked for.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KindAsked {
    /// The kind: trade, the API's own token of the day (the default), or read, its account's analytics token, which only reads
    #[arg(long, value_name = "KIND", value_parser = TokenKind::parse)]
    kind: Option<TokenKind>,
    /// The API's own token; while there is none, its account's analytics token: --accept read
    #[arg(long, value_name = "KIND", value_parser = accepted, conflicts_with = "kind")]
    accept: Option<WantedKind>,
}

impl KindAsked {
    pub(crate) fn wanted(self) -> WantedKind {
        self.accept
            .or(self.kind.map(WantedKind::from))
            .unwrap_or_default()
    }

    /// The kind of a token that is reported, which cannot be either of two.
    pub(crate) fn reported(self) -> TokenKind {
        self.kind.unwrap_or(TokenKind::Trade)
    }
}

/// There is one kind that can be taken beside the other.
fn accepted(text: &str) -> Result<WantedKind, String> {
    match TokenKind::parse(text) {
        Ok(TokenKind::Read) => Ok(WantedKind::TradeOrRead),
        Ok(TokenKind::Trade) => Err("a trade token is given anyway. Such as --accept read".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  vega files\n  vega files --json")]
pub(crate) struct Files {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// As it came with the token.
fn generation(text: &str) -> Result<Generation, String> {
    let number = text
        .parse()
        .map_err(|_| "it is a whole number from 1, as it came with the token".to_owned())?;
    Generation::new(number).map_err(|error| error.to_string())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The token alone
    Raw,
    /// An object with generation and expiry
    Json,
    /// `export UPSTOX_ACCESS_TOKEN=…`, for eval in a shell; without a token, what unsets it and fails
    Env,
    /// `Authorization: Bearer …`, for curl
    Header,
}

#[cfg(target_os = "linux")]
/// What a command gets when a new token is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnChange {
    /// It is ended, and started with the new token.
    Restart,
    /// It is told, and gets the token by itself.
    Signal(Signal),
    /// Nothing.
    Ignore,
}

#[cfg(target_os = "linux")]
/// What a command gets when its token has died and there is no other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExpiry {
    /// It is ended, and started when there is a token again
    Stop,
    /// Nothing; that it died is told once
    Leave,
}

#[cfg(target_os = "linux")]
impl FromStr for OnChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "restart" => Ok(Self::Restart),
            None if text == "ignore" => Ok(Self::Ignore),
            Some(("signal", name)) => {
                let name = name.to_ascii_uppercase();
                let name = name.strip_prefix("SIG").unwrap_or(&name);
                let signal = format!("SIG{name}").parse();
                let signal = signal.map_err(|_| format!("there is no signal {name}. Such as signal:HUP"))?;
                match signal {
                    Signal::SIGKILL | Signal::SIGSTOP => {
                        Err(format!("a program cannot hear {signal}. Such as signal:HUP"))
                    }
                    signal => Ok(Self::Signal(signal)),
                }
            }
            _ => Err("it is restart, signal:NAME such as signal:HUP, or ignore".into()),
        }
    }
}

#[cfg(target_os = "linux")]
impl fmt::Display for OnChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => f.write_str("restart"),
            Self::Signal(signal) => write!(f, "signal:{signal}"),
            Self::Ignore => f.write_str("ignore"),
        }
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Args)]
#[command(after_help = EXEC_HELP)]
pub(crate) struct Exec {
    /// Whose tokens
    #[arg(
        value_name = "API[,API]",
        value_delimiter = ',',
        num_args = 1,
        required = true
    )]
    pub(crate) apis: Vec<ApiName>,
    #[command(flatten)]
    pub(crate) kind: KindAsked,
    /// Wait so long for the first token of each, such as 30m; without it they must be there
    #[arg(long, value_name = "DURATION", value_parser = vega_bootstrap::length, default_value = "0s")]
    pub(crate) wait: Duration,
    /// Start the first time with no token that expires sooner than this, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = vega_bootstrap::length, default_value = "0s")]
    pub(crate) min_valid: Duration,
    /// What the command gets when there is a new token: restart (the new token first, then SIGTERM, and SIGKILL after 10 s), signal:NAME
    /// such as signal:HUP, or ignore
    #[arg(long, value_name = "WHAT", default_value_t = OnChange::Restart)]
    pub(crate) on_change: OnChange,
    /// Restart within so long, at a time that is drawn: for many programs that must not start at once
    #[arg(long, value_name = "DURATION", value_parser = vega_bootstrap::length, default_value = "0s")]
    pub(crate) splay: Duration,
    /// What the command gets when its token has died and there is no other one
    #[arg(long, value_enum, default_value_t = OnExpiry::Leave)]
    pub(crate) on_expiry: OnExpiry,
    /// The command, with its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

#[cfg(target_os = "linux")]
const EXEC_HELP: &str = "\
The command gets UPSTOX_ACCESS_TOKEN (of one API), UPSTOX_<API>_ACCESS_TOKEN, VEGA_<API>_GENERATION and VEGA_<API>_KIND (trade or
read), every signal that comes to Vega, and dies with it. Vega ends with the command's exit code, 128 and its number after a signal; with 125 where the command
was not started, 126 where it cannot be run, 127 where there is none.

Examples:
  vega exec PRIMARY --wait 30m -- python3 strategy.py
  vega exec PRIMARY,WEBSOCKET1 --on-change signal:HUP -- ./feed
  vega exec PRIMARY --kind read -- python3 quotes.py
  vega exec PRIMARY --min-valid 1h -- sh -c 'curl -H \"Authorization: Bearer $UPSTOX_ACCESS_TOKEN\" https://api.upstox.com/v2/user/profile'";

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  vega watch\n  vega watch PRIMARY | jq -r .generation")]
pub(crate) struct Watch {
    /// Only these APIs
    #[arg(value_name = "API")]
    pub(crate) apis: Vec<ApiName>,
    #[command(flatten)]
    pub(crate) kind: KindAsked,
    /// Print the tokens too
    #[arg(long)]
    pub(crate) with_token: bool,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega consumers\n  vega consumers --json | jq -r '.consumers[] | select(.state == \"behind\") | .name'\n  \
    vega consumers stop trader --reason \"it trades on yesterday's token\"\n  vega consumers open trader",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Consumers {
    #[command(subcommand)]
    pub(crate) change: Option<ChangeConsumer>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ChangeConsumer {
    /// Let a program get nothing from any server until it is opened again; it is told why
    Stop {
        /// What it is known as: an access key, a unit or an executable
        #[arg(value_name = "NAME")]
        name: String,
        /// Why, for the program and the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: Option<ForceReason>,
    },
    /// Let it get tokens again
    Open {
        /// What it is known as
        #[arg(value_name = "NAME")]
        name: String,
    },
}
