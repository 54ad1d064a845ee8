//! What can be typed after `vega`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use vega_bootstrap::Named;
use vega_domain::InvalidValue;
use vega_domain::access::Scope;
use vega_domain::account::Route;
use vega_domain::accounts::ApiSelection;
use vega_domain::ids::{AccountId, ApiName, KeyName};
use vega_domain::plan::ForceReason;
use vega_orchestration::{GenerationRequest, WaitPolicy};

#[cfg(target_os = "linux")]
use crate::command_line::program_arguments::Exec;
use crate::command_line::program_arguments::{Consumers, Files, Token, Watch};
use crate::command_line::since::Since;
use crate::command_line::token_arguments::{Adopt, Revoke};

/// Keeps Upstox access tokens alive.
///
/// Without a command: verifies all tokens, shows which are dead, asks, signs in for those in one browser window, and
/// stores each token the moment it arrives.
#[derive(Debug, Parser)]
#[command(name = "vega", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    generate: Generate,
    #[command(flatten)]
    places: Places,
}

/// Where settings are read from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where settings are")]
struct Places {
    /// The folder of .env, vega.toml and the key, in place of ~/.config/vega (or VEGA__CONFIG_DIR)
    #[arg(long, value_name = "DIR", global = true)]
    config_dir: Option<PathBuf>,
    /// A file like .env that wins over the one in that folder (or VEGA__ENV_FILE)
    #[arg(long, value_name = "FILE", global = true)]
    env_file: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 unexpected, 2 usage, 3 token missing or dead, 4 cooldown or OTP budget, 5 Upstox unreachable or \
outcome unknown, 6 second factor not completed in time, 7 account stopped or locked, 8 challenge or page changed, \
9 configuration or preflight failed, 11 not allowed now, declined, or held by another process, 12 partial.

Examples:
  vega                        verify everything, sign in for what is dead
  vega PRIMARY                the same for one API
  vega --route own-browser    the same with a link for your phone or any other browser
  vega verify                 ask Upstox about every token, sign in for none
  vega status --json          what is stored, for programs
  curl -H \"$(vega token PRIMARY --format header)\" https://api.upstox.com/v2/user/profile";

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Verify, plan, ask, sign in for the dead tokens, show the result (the default)
    Generate(Generate),
    /// Go on with today's run that ended incomplete, the step that failed last first
    Resume(Resume),
    /// Show what is stored about every token; asks nobody
    Status(Status),
    /// Ask Upstox about every stored token; signs in for none
    Verify(Verify),
    /// Show the settings in force, secrets masked, with where each came from
    Config(Config),
    /// End the run that is under way, in whichever terminal; what is stored stays
    Cancel,
    /// Show which accounts are closed and why, or open one
    Cooldown(Cooldown),
    /// Show what happened and who decided it, or look whether that record was changed
    Audit(Audit),
    /// Rotate the key that seals the tokens, and list the machines that have it
    #[command(subcommand)]
    Seal(Seal),
    /// Copy the database into a new file, and examine the copy; the key is not in it
    Backup(Backup),
    /// Put a backup in the place of the database, which is kept aside; not while others have it open
    Restore(Restore),
    /// Move the database into a file or onto a server; not while a run is under way
    Move(Move),
    /// Print one API's token, or say how to get one; never waits for a human
    Token(Token),
    /// Run a command with tokens in its environment, and start it anew when there are newer ones
    #[cfg(target_os = "linux")]
    Exec(Exec),
    /// Print how tokens stand, and a line for each change; never ends by itself
    Watch(Watch),
    /// Show which programs use which token; stop one, and open it again
    Consumers(Consumers),
    /// Show the files that hold tokens for programs, and which of them are behind
    Files(Files),
    /// Take over a token that you copied from Upstox's own page; asked for hidden, or read from a pipe
    Adopt(Adopt),
    /// Take a token from all programs before its time, and log it out at Upstox
    Revoke(Revoke),
    /// Make, list and revoke the keys with which programs call the server
    #[command(subcommand)]
    Key(Key),
    /// Print a link that opens the console, once, within a minute
    Console,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Generate {
    /// Only these APIs
    #[arg(value_name = "API")]
    pub(crate) apis: Vec<ApiName>,
    #[command(flatten)]
    pub(crate) way: Way,
    /// Replace valid tokens too, and sign in between 03:20 and 03:31 IST
    #[arg(long, requires = "reason")]
    force: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT", requires = "force")]
    reason: Option<ForceReason>,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag on the line")]
pub(crate) struct Way {
    /// Carry the plan out without asking; what needs a yes of its own is left out
    #[arg(long)]
    pub(crate) yes: bool,
    /// Sign in again for this API although its last sign-in may have spent an OTP or made a token that nobody has
    #[arg(long, value_name = "API")]
    again: Vec<ApiName>,
    /// Do not wait for a cooldown or for the OTP budget: end with exit code 4 and `retry_at` in --json
    #[arg(long)]
    no_wait: bool,
    /// How to sign in: webdriver (a window that Vega opens) or own-browser (a link for any browser of yours)
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Option<Route>,
    /// Open own-browser links in the system's browser too
    #[arg(long)]
    pub(crate) open: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Way {
    /// Asks for these APIs in this way.
    pub(crate) fn request(&self, apis: ApiSelection, force: Option<ForceReason>) -> GenerationRequest {
        GenerationRequest {
            apis,
            force,
            again: self.again.clone(),
            wait_policy: if self.no_wait {
                WaitPolicy::NoWait
            } else {
                WaitPolicy::Wait
            },
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  vega resume\n  vega resume --yes --no-wait")]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) way: Way,
}

impl Generate {
    /// What is asked for.
    pub(crate) fn request(&self) -> GenerationRequest {
        let force = self.reason.clone().filter(|_| self.force);
        self.way.request(ApiSelection::named(self.apis.clone()), force)
    }

    /// Every API that is named on the line.
    fn named(&self) -> Vec<ApiName> {
        [&*self.apis, &*self.way.again].concat()
    }
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  vega verify\n  vega verify PRIMARY --json")]
pub(crate) struct Verify {
    /// Only these APIs
    #[arg(value_name = "API")]
    pub(crate) apis: Vec<ApiName>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega status\n  vega status --json | jq -r '.apis[] | select(.servable) | .api'"
)]
pub(crate) struct Status {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  vega config\n  vega config --json")]
pub(crate) struct Config {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega cooldown\n  vega cooldown clear default --reason \"Upstox unlocked the account\""
)]
pub(crate) struct Cooldown {
    #[command(subcommand)]
    pub(crate) clear: Option<Clear>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Clear {
    /// End an account's cooldown or stop now; the audit trail records it
    Clear {
        /// Whose
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,
        /// Why, for the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: ForceReason,
    },
}

/// The name under which a token is kept: that of an API, or `@ACCOUNT`.
fn kept_name(text: &str) -> Result<ApiName, InvalidValue> {
    if text.starts_with('@') {
        ApiName::stored(text)
    } else {
        text.parse()
    }
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega audit --since 2h\n  vega audit --api PRIMARY --json\n  vega audit --verify\n  \
    vega audit --verify --checkpoints /media/backup/vega.checkpoints\n  \
    vega audit --verify --backup /media/archive/vega-2026.db\n  \
    vega audit accept --reason \"restored the backup of Monday\"",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) accept: Option<Accept>,
    /// Only what happened since: a while such as 2h, a day such as 2026-11-23 (IST), or a time in RFC 3339
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Since>,
    /// Only what is about this API, or about an account's analytics token: @ACCOUNT
    #[arg(long, value_name = "API", value_parser = kept_name)]
    pub(crate) api: Option<ApiName>,
    /// Look whether an entry or a row was changed, moved or removed, or the end cut off; exit code 9 if so
    #[arg(long, conflicts_with_all = ["since", "api"])]
    pub(crate) verify: bool,
    /// Compare with this copy of the checkpoints that Vega keeps beside the key
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// Look at the audit trail of this backup instead, without the database that it was made from
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub(crate) backup: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Accept {
    /// Accept the database as it is, after a backup was restored or rows were changed; the audit trail records it
    Accept {
        /// Why, for the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: ForceReason,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Seal {
    /// Make a new key, seal everything with it, and keep the old one beside it; not while a run is under way
    #[command(
        after_help = "Examples:\n  vega seal rotate\n  vega seal rotate --prepare\n  vega seal rotate --commit --without desk3"
    )]
    Rotate {
        /// Where several machines have the database: make the next key, and say which of them need a copy of it
        #[arg(long, group = "step")]
        prepare: bool,
        /// Then, when all of them have it: put it in force
        #[arg(long, group = "step")]
        commit: bool,
        /// Leave out a machine that is gone for good, by its name in `vega seal machines`
        #[arg(long, value_name = "MACHINE", requires = "step")]
        without: Vec<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the machines that share the database, and which of them have its key
    #[command(after_help = "Examples:\n  vega seal machines\n  vega seal machines --json")]
    Machines {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega backup ~/vega-2026-11-23.db\n  vega backup /media/stick/vega.db --json"
)]
pub(crate) struct Backup {
    /// The file to make; none is ever replaced
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega restore ~/vega-2026-11-23.db\n  vega restore /media/stick/vega.db --json"
)]
pub(crate) struct Restore {
    /// The backup, which stays as it is
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  vega move postgres://vega@db.example/vega\n  vega move sqlite:///home/me/vega_trade.db\n  \
    vega move --cancel"
)]
pub(crate) struct Move {
    /// Where to: what VEGA__DATABASE__URL is set to afterwards; a password comes from VEGA__DATABASE__PASSWORD_FILE
    #[arg(value_name = "URL", required_unless_present = "cancel")]
    pub(crate) url: Option<String>,
    /// Go on with the database as it is, where a move of it was cut off
    #[arg(long, conflicts_with = "url")]
    pub(crate) cancel: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Key {
    /// Make a key and print it, this once
    #[command(
        after_help = "Examples:\n  vega key add trader --scope token:PRIMARY,status\n  \
        vega key add nightly --scope status --expires 90d > ~/nightly.key"
    )]
    Add(KeyAdd),
    /// Show every key, what it may do and when it was used last; never the key itself
    #[command(after_help = "Examples:\n  vega key list\n  vega key list --json")]
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key worthless, for good
    #[command(after_help = "Example:\n  vega key revoke trader")]
    Revoke {
        /// Its name or its id
        #[arg(value_name = "ID|NAME")]
        key: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct KeyAdd {
    /// Whose key it is: 1 to 40 letters, digits, dots, - and _
    #[arg(value_name = "NAME")]
    pub(crate) name: KeyName,
    /// What it may do, and nothing else: status, token:API, read:API, runs, admin
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    pub(crate) scope: Vec<Scope>,
    /// When it ends, such as 90d from now; without it, never
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) expires: Option<Duration>,
}

impl KeyAdd {
    /// The APIs whose tokens it may get.
    fn apis(&self) -> Vec<ApiName> {
        let api = |scope: &Scope| match scope {
            Scope::Token(api) | Scope::Read(api) => Some(api.clone()),
            Scope::Status | Scope::Runs | Scope::Admin => None,
        };
        self.scope.iter().filter_map(api).collect()
    }
}

impl Arguments {
    /// The command, with the default filled in.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Generate(self.generate))
    }

    /// Whether the command does no more than use tokens, so that a server's socket will do.
    pub(crate) fn only_uses_tokens(&self) -> bool {
        match self.command {
            Some(Command::Token(_) | Command::Watch(_)) => true,
            #[cfg(target_os = "linux")]
            Some(Command::Exec(_)) => true,
            _ => false,
        }
    }

    /// Where settings are to be read from.
    pub(crate) fn places(&self) -> Named {
        Named {
            config_dir: self.places.config_dir.clone(),
            env_file: self.places.env_file.clone(),
        }
    }

    /// How a plan is to be carried out, where the command makes one.
    pub(crate) fn way(&self) -> Option<&Way> {
        match &self.command {
            None => Some(&self.generate.way),
            Some(Command::Generate(generate)) => Some(&generate.way),
            Some(Command::Resume(resume)) => Some(&resume.way),
            Some(_) => None,
        }
    }

    /// Whether yes is said on the line.
    pub(crate) fn says_yes(&self) -> bool {
        match &self.command {
            Some(Command::Revoke(revoke)) => revoke.yes,
            _ => self.way().is_some_and(|way| way.yes),
        }
    }

    /// The APIs that are named on the line.
    pub(crate) fn apis(&self) -> Vec<ApiName> {
        match &self.command {
            None => self.generate.named(),
            Some(Command::Generate(generate)) => generate.named(),
            Some(Command::Resume(resume)) => resume.way.again.clone(),
            Some(Command::Token(token)) => vec![token.api.clone()],
            Some(Command::Verify(verify)) => verify.apis.clone(),
            #[cfg(target_os = "linux")]
            Some(Command::Exec(exec)) => exec.apis.clone(),
            Some(Command::Watch(watch)) => watch.apis.clone(),
            Some(Command::Adopt(adopt)) => adopt.of.api.iter().cloned().collect(),
            Some(Command::Revoke(revoke)) => revoke.of.api.iter().cloned().collect(),
            Some(Command::Key(Key::Add(add))) => add.apis(),
            // The audit trail knows of APIs that are configured no more.
            Some(
                Command::Status(_)
                | Command::Config(_)
                | Command::Cooldown(_)
                | Command::Audit(_)
                | Command::Consumers(_)
                | Command::Seal(_)
                | Command::Backup(_)
                | Command::Restore(_)
                | Command::Move(_)
                | Command::Key(Key::List { .. } | Key::Revoke { .. })
                | Command::Console
                | Command::Files(_)
                | Command::Cancel,
            ) => Vec::new(),
        }
    }
}
