//! Consumers: the programs that use tokens, as a server saw them, and which of them the operator has stopped. Whether a program still runs
//! is not known: it was seen, or it was not.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::{AccessKeyId, ApiName, ConsumerName, Generation};
use crate::invalid_value::InvalidValue;

/// Whoever was not seen for so long is no news any more.
const AWAY_AFTER: TimeDelta = TimeDelta::days(1);
/// After so long without a sign of it a consumer is forgotten.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(30);
/// Of the program's part of an identity, in bytes.
const LONGEST_PROGRAM: usize = 256;

/// Who a consumer is, by what it cannot say of itself: its access key, or what the kernel says of it. A stop binds to this. A user can start a
/// program under another name; a stop of the user, without a program, is for all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumerIdentity {
    /// Whoever shows this access key.
    Key(AccessKeyId),
    /// A program at a server's socket.
    Program(LocalProgram),
}

/// A program at a server's socket, as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalProgram {
    user: u32,
    program: Option<String>,
    machine: Option<String>,
}

impl LocalProgram {
    /// Of this user; `program` is the name of its systemd unit or executable, where the kernel tells; `machine` tells where it runs, where
    /// several machines share the database, by what stays the same when a machine gets another name. What does not fit into one word of a command line is left out of the names.
    pub fn new(user: u32, program: Option<&str>, machine: Option<&str>) -> Self {
        let word = |text: &str| -> String {
            let is_good = |c: &char| c.is_ascii_graphic() && !matches!(c, '/' | '@');
            let mut word: String = text.chars().filter(is_good).collect();
            word.truncate(LONGEST_PROGRAM);
            word
        };
        // A unit's own `@` stands for its instance.
        let program = program.map(|program| word(&program.replace('@', ":")));
        Self {
            user,
            program: program.filter(|program| !program.is_empty()),
            machine: machine.map(word).filter(|machine| !machine.is_empty()),
        }
    }

    /// Whether it stands for all programs of its user.
    pub fn is_whole_user(&self) -> bool {
        self.program.is_none()
    }

    /// The name of its unit or executable, else of its user.
    pub fn name(&self) -> String {
        self.program
            .clone()
            .unwrap_or_else(|| format!("user-{}", self.user))
    }
}

impl ConsumerIdentity {
    /// The identity of all programs of this one's user on its machine, if it is a program.
    pub fn of_user(&self) -> Option<Self> {
        match self {
            Self::Key(_) => None,
            Self::Program(program) => Some(Self::Program(LocalProgram {
                program: None,
                ..program.clone()
            })),
        }
    }

    /// The same on every machine.
    pub fn of_user_anywhere(&self) -> Option<Self> {
        match self {
            Self::Key(_) => None,
            Self::Program(program) => Some(Self::Program(LocalProgram {
                program: None,
                machine: None,
                ..program.clone()
            })),
        }
    }
}

impl fmt::Display for ConsumerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Program(LocalProgram {
                user,
                program,
                machine,
            }) => {
                write!(f, "user:{user}")?;
                if let Some(program) = program {
                    write!(f, "/{program}")?;
                }
                machine.iter().try_for_each(|machine| write!(f, "@{machine}"))
            }
        }
    }
}

impl FromStr for ConsumerIdentity {
    type Err = InvalidValue;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            InvalidValue::new(
                "consumer",
                format!("{text:?} must be key:ID or user:NUMBER/PROGRAM"),
            )
        };
        if let Some(id) = text.strip_prefix("key:") {
            return id.parse().map(Self::Key).map_err(|_| wrong());
        }
        let rest = text.strip_prefix("user:").ok_or_else(wrong)?;
        let (rest, machine) = match rest.split_once('@') {
            Some((rest, machine)) => (rest, Some(machine)),
            None => (rest, None),
        };
        let (user, program) = match rest.split_once('/') {
            Some((user, program)) => (user, Some(program)),
            None => (rest, None),
        };
        let user = user.parse().map_err(|_| wrong())?;
        let read = Self::Program(LocalProgram::new(user, program, machine));
        // Whatever is left out of a name would make it another one.
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(wrong())
        }
    }
}

/// By which way a consumer gets tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessPath {
    /// At the socket of a server on its machine.
    Socket,
    /// Over HTTP or HTTPS.
    Http,
}

impl AccessPath {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Socket, Self::Http];

    /// The word in JSON, SQL and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Http => "http",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.iter().copied().find(|path| path.as_str() == word);
        found.ok_or_else(|| InvalidValue::new("access path", format!("{word:?} is not known")))
    }
}

/// A consumer: who it is, and by which name it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumer {
    /// What a stop binds to.
    pub identity: ConsumerIdentity,
    /// What the identity is called: the key's name, a unit or an executable.
    pub identity_name: String,
    /// What it calls itself, if it does. For display alone.
    pub own_name: Option<ConsumerName>,
    /// By which way it comes.
    pub access_path: AccessPath,
}

impl Consumer {
    /// The name that is shown.
    pub fn name(&self) -> &str {
        let own = self.own_name.as_ref().map(ConsumerName::as_str);
        own.unwrap_or(&self.identity_name)
    }
}

/// What a consumer was seen to do with the token of one API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerUse {
    /// Who.
    pub consumer: Consumer,
    /// Whose token.
    pub api: ApiName,
    /// The token that it got last; `None` where it got none yet.
    pub generation: Option<Generation>,
    /// When it got that one first.
    pub moved_at: Option<DateTime<Utc>>,
    /// When it was seen last.
    pub last_seen_at: DateTime<Utc>,
}

/// How a consumer stands to the newest token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerState {
    /// It has the newest one.
    Current,
    /// It was seen within a day, and has an older one.
    Behind,
    /// It was seen within a day, and has got none yet.
    Waiting,
    /// It was not seen for a day.
    Away,
}

impl ConsumerState {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Current, Self::Behind, Self::Waiting, Self::Away];

    /// The word in JSON and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Waiting => "waiting",
            Self::Away => "away",
        }
    }
}

impl ConsumerUse {
    /// How it stands at `now`, where `newest` is the API's newest token. A number that is greater than the newest is of a token that was
    /// lost with a database server.
    pub fn state(&self, newest: Option<Generation>, now: DateTime<Utc>) -> ConsumerState {
        if now - self.last_seen_at >= AWAY_AFTER {
            return ConsumerState::Away;
        }
        match (self.generation, newest) {
            (None, _) => ConsumerState::Waiting,
            (Some(has), Some(newest)) if has != newest => ConsumerState::Behind,
            _ => ConsumerState::Current,
        }
    }

    /// Before this time whoever was seen last is forgotten.
    pub fn forgotten_before(now: DateTime<Utc>) -> DateTime<Utc> {
        now - FORGOTTEN_AFTER
    }
}

/// The operator's word that a consumer gets nothing until it is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStop {
    /// Who is stopped.
    pub identity: ConsumerIdentity,
    /// What it was called then.
    pub name: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, in the operator's words; may be empty.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
    }

    fn usage(generation: Option<u32>) -> ConsumerUse {
        ConsumerUse {
            consumer: Consumer {
                identity: ConsumerIdentity::Program(LocalProgram::new(1_000, Some("python3.11"), None)),
                identity_name: "python3.11".into(),
                own_name: None,
                access_path: AccessPath::Socket,
            },
            api: ApiName::new("PRIMARY").unwrap(),
            generation: generation.map(|number| Generation::new(number).unwrap()),
            moved_at: None,
            last_seen_at: at(0),
        }
    }

    #[rstest]
    #[case::has_the_newest(Some(3), Some(3), 0, ConsumerState::Current)]
    #[case::has_an_older_one(Some(2), Some(3), 0, ConsumerState::Behind)]
    #[case::has_one_that_was_lost(Some(4), Some(3), 0, ConsumerState::Behind)]
    #[case::has_none(None, Some(3), 0, ConsumerState::Waiting)]
    #[case::there_is_none(None, None, 0, ConsumerState::Waiting)]
    #[case::there_is_none_any_more(Some(3), None, 0, ConsumerState::Current)]
    #[case::almost_a_day_ago(Some(2), Some(3), 23, ConsumerState::Behind)]
    #[case::a_day_ago(Some(2), Some(3), 24, ConsumerState::Away)]
    fn a_consumer_stands_to_the_newest_token(
        #[case] has: Option<u32>,
        #[case] newest: Option<u32>,
        #[case] hours: i64,
        #[case] expected: ConsumerState,
    ) {
        let newest = newest.map(|number| Generation::new(number).unwrap());
        assert_eq!(usage(has).state(newest, at(hours)), expected);
    }

    #[rstest]
    #[case("key:01935f7a-0000-7000-8000-000000000001")]
    #[case("user:0")]
    #[case("user:1000/strategy.service")]
    #[case("user:1000/strategy:a.service@desk-1")]
    #[case("user:1000@desk-1")]
    fn an_identity_is_read_as_it_is_written(#[case] text: &str) {
        assert_eq!(text.parse::<ConsumerIdentity>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("trader")]
    #[case("key:trader")]
    #[case("user:")]
    #[case("user:-1")]
    #[case("user:1000/")]
    #[case("user:1000/a b")]
    #[case("user:1000/a/b")]
    #[case("user:1000@")]
    #[case("user:01000")]
    fn nothing_else_is_an_identity(#[case] text: &str) {
        assert!(text.parse::<ConsumerIdentity>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_a_program_is_called_its_identity_can_be_read(user: u32, program: Option<String>, machine: Option<String>) {
            let program = LocalProgram::new(user, program.as_deref(), machine.as_deref());
            let identity = ConsumerIdentity::Program(program);
            prop_assert_eq!(identity.to_string().parse::<ConsumerIdentity>().unwrap(), identity);
        }
    }
}
