//! Files that hold a token for programs that read one, as `[[files]]` in `vega.toml` describes them. Decides what a row may say; who
//! writes the file, and when, is decided in `file_delivery` and by the services.

use std::fmt;
use std::path::PathBuf;

use crate::ids::{AccountId, ApiName};
use crate::invalid_value::InvalidValue;
use crate::token_kind::WantedKind;

/// One row of `[[files]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    /// Whose token.
    pub api: ApiName,
    /// Whose API that is.
    pub account: AccountId,
    /// Which of its tokens.
    pub kind: WantedKind,
    /// Where the file is, from the root on. No two rows have the same.
    pub path: PathBuf,
    /// What is written.
    pub format: FileFormat,
    /// Who may read it.
    pub access: FileAccess,
    /// Must end with 0 before a new file takes the place of the old one.
    pub check: Option<CommandWords>,
    /// What tells programs of the new file.
    pub then: Option<FollowUp>,
    /// What becomes of it when its token dies.
    pub on_expiry: OnExpiry,
}

impl TokenFile {
    /// The names under which the tokens are kept that may be in it, the preferred one first.
    pub fn names(&self) -> Vec<ApiName> {
        self.kind.names(&self.account, &self.api)
    }
}

/// What is written into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// The token alone, with no line break.
    Raw,
    /// What `vega token --format json` prints.
    Json,
    /// A line for `EnvironmentFile=` of systemd, `--env-file` and shells.
    Env,
    /// A line for `curl -H @FILE`.
    Header,
    /// What the template in this file makes of it.
    Template(PathBuf),
}

impl FileFormat {
    /// The words for it, in the order in which they are told.
    pub const NAMES: [&str; 5] = ["raw", "json", "env", "header", "template"];

    /// Its word.
    pub fn name(&self) -> &'static str {
        let [raw, json, env, header, template] = Self::NAMES;
        match self {
            Self::Raw => raw,
            Self::Json => json,
            Self::Env => env,
            Self::Header => header,
            Self::Template(_) => template,
        }
    }
}

/// Who may read a file. What is not said is Vega's own user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileAccess {
    /// Its mode.
    pub mode: FileMode,
    /// The number of its owner.
    pub owner: Option<u32>,
    /// The number of its group.
    pub group: Option<u32>,
}

/// The mode of a file that holds a token: its owner reads and writes it, a group may read it, and nobody else may do anything with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// For the owner alone.
    pub const PRIVATE: Self = Self(0o600);

    /// For the owner, and a group that reads it.
    pub const GROUP_READS: Self = Self(0o640);

    /// Reads octal digits, such as `0640`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refused = |rule: &str| Err(InvalidValue::new("mode", format!("{text:?} {rule}")));
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let is_octal =
            (3..=4).contains(&digits.len()) && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let Some(mode) = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal) else {
            return refused("is no mode. Write octal digits in quotes, such as \"0600\" or \"0640\"");
        };
        if mode & !0o640 != 0 {
            return refused(
                "would let others read or change a token, or run it. Write \"0600\", \"0640\" for a group that reads it, or less",
            );
        }
        if mode & 0o400 == 0 {
            return refused("would keep the file from its own owner. Write \"0600\" or \"0400\"");
        }
        Ok(Self(mode))
    }

    /// As the system takes it.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A program with its arguments. No shell reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandWords(Vec<String>);

impl CommandWords {
    /// Stands for the path of the file, in any word but the first one.
    pub const PATH: &str = "{path}";

    /// There is a program, and no word holds what no argument can.
    pub fn new(words: Vec<String>) -> Result<Self, InvalidValue> {
        let refused = |problem: &str| Err(InvalidValue::new("command", problem));
        match words.first() {
            None => return refused("has no words. Write a program and its arguments"),
            Some(program) if program.is_empty() => {
                return refused("begins with an empty word. Write a program and its arguments");
            }
            Some(program) if program.contains(Self::PATH) => {
                return refused("would run the file itself. Write a program first, and {path} behind it");
            }
            Some(_) => {}
        }
        if words.iter().any(|word| word.contains('\0')) {
            return refused("has a NUL in a word, which no program can be given");
        }
        Ok(Self(words))
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Its arguments, with this path in its place.
    pub fn arguments<'w>(&'w self, path: &'w str) -> impl Iterator<Item = String> + 'w {
        self.0
            .iter()
            .skip(1)
            .map(move |word| word.replace(Self::PATH, path))
    }

    /// All words, as they were given.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

/// What tells programs that a file was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowUp {
    /// A command, which must end with 0.
    Command(CommandWords),
    /// A signal for the process whose number is in a file.
    Signal {
        /// Which.
        signal: FollowUpSignal,
        /// The file with its number.
        pid_file: PathBuf,
    },
}

/// Signals with which programs are asked to read their files again, or to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUpSignal {
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGWINCH.
    Winch,
}

impl FollowUpSignal {
    const ALL: [Self; 7] = [
        Self::Hup,
        Self::Int,
        Self::Quit,
        Self::Term,
        Self::Usr1,
        Self::Usr2,
        Self::Winch,
    ];

    /// Its name without `SIG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
        }
    }
}

impl FollowUp {
    /// What a signal begins with.
    pub const SIGNAL: &str = "signal:";

    /// Reads `signal:HUP@/run/x.pid`, of which the first word is gone already.
    pub fn signal(text: &str) -> Result<Self, InvalidValue> {
        let refused = |problem: String| Err(InvalidValue::new("signal", problem));
        let Some((name, pid_file)) = text.split_once('@') else {
            return refused(format!(
                "{text:?} names no file. Write it as signal:HUP@/run/strategy.pid"
            ));
        };
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let Some(signal) = FollowUpSignal::ALL
            .into_iter()
            .find(|known| known.name() == short)
        else {
            let known = FollowUpSignal::ALL.map(FollowUpSignal::name).join(", ");
            return refused(format!("{name:?} is none that Vega sends. It sends {known}"));
        };
        let pid_file = PathBuf::from(pid_file);
        if !pid_file.is_absolute() {
            return refused(format!(
                "{text:?} does not name its file from the root on. Write it as signal:HUP@/run/strategy.pid"
            ));
        }
        Ok(Self::Signal { signal, pid_file })
    }
}

impl fmt::Display for FollowUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&words.words().join(" ")),
            Self::Signal { signal, pid_file } => {
                write!(f, "{}{}@{}", Self::SIGNAL, signal.name(), pid_file.display())
            }
        }
    }
}

/// What becomes of a file when its token is handed out no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExpiry {
    /// It is removed, if it is what Vega wrote: a dead token in a file is a trap.
    #[default]
    Remove,
    /// It stays as it is.
    Keep,
}

impl OnExpiry {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Keep => "keep",
        }
    }

    /// Reads its word.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        [Self::Remove, Self::Keep]
            .into_iter()
            .find(|known| known.name() == text)
            .ok_or_else(|| InvalidValue::new("on_expiry", format!("{text:?} must be remove or keep")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0600", Some(0o600))]
    #[case("600", Some(0o600))]
    #[case("0o640", Some(0o640))]
    #[case("0440", Some(0o440))]
    #[case("0400", Some(0o400))]
    #[case("0644", None)]
    #[case("0660", None)]
    #[case("0700", None)]
    #[case("4600", None)]
    #[case("0040", None)]
    #[case("384", None)]
    #[case("06", None)]
    #[case("00600", None)]
    #[case("rw-------", None)]
    #[case("", None)]
    fn a_mode_lets_nobody_in_but_its_owner_and_a_group_that_reads(
        #[case] text: &str,
        #[case] bits: Option<u32>,
    ) {
        assert_eq!(FileMode::parse(text).ok().map(FileMode::bits), bits);
    }

    #[rstest]
    #[case("HUP@/run/x.pid", Some("signal:HUP@/run/x.pid"))]
    #[case("sigusr1@/run/a@b.pid", Some("signal:USR1@/run/a@b.pid"))]
    #[case("KILL@/run/x.pid", None)]
    #[case("1@/run/x.pid", None)]
    #[case("HUP", None)]
    #[case("HUP@run/x.pid", None)]
    #[case("HUP@", None)]
    fn a_signal_names_a_process_by_its_file(#[case] text: &str, #[case] read: Option<&str>) {
        let signal = FollowUp::signal(text).ok().map(|signal| signal.to_string());
        assert_eq!(signal.as_deref(), read);
    }

    #[test]
    fn a_command_gets_the_path_in_its_arguments_and_runs_no_file() {
        let words = |words: &[&str]| CommandWords::new(words.iter().map(|word| (*word).to_owned()).collect());
        let command = words(&["cp", "{path}", "--to={path}.bak", "x"]).unwrap();
        let arguments: Vec<String> = command.arguments("/run/a b").collect();
        assert_eq!(
            (command.program(), &*arguments.join("|")),
            ("cp", "/run/a b|--to=/run/a b.bak|x")
        );
        for refused in [&[][..], &["", "x"], &["{path}"], &["a", "b\0c"]] {
            words(refused).unwrap_err();
        }
    }
}
