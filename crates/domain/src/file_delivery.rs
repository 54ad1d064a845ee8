//! Deliveries: one version of a token, brought to one file of one machine. Decides when a file is behind, when a delivery that failed is
//! tried again, and what its failures are called.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::ids::{ApiName, Generation};
use crate::invalid_value::InvalidValue;
use crate::token_file::OnExpiry;

/// Tells a token from every other one of its API: a generation alone does not, for it comes twice where a database lost the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenVersion(String);

impl TokenVersion {
    /// As the hot registry tells versions apart.
    pub fn new(version: impl Into<String>) -> Self {
        Self(version.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of what is in a file, by which Vega knows its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContentDigest(pub [u8; 32]);

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentDigest({:02x}…)", self.0[0])
    }
}

/// The latest delivery to a file. It stays when it has ended, so that it is never made twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDelivery {
    /// The file.
    pub path: PathBuf,
    /// The name under which the token is kept.
    pub api: ApiName,
    /// Which token.
    pub version: TokenVersion,
    /// Which one it is in the count of that name.
    pub generation: Generation,
    /// What becomes of the file, also when `vega.toml` names it no more.
    pub on_expiry: OnExpiry,
    /// What Vega had written there before.
    pub held: Option<ContentDigest>,
    /// What this delivery writes: on record before it is in place.
    pub written: Option<ContentDigest>,
    /// How far it came.
    pub state: DeliveryState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The last try that failed since then.
    pub failed: Option<FailedTry>,
}

impl FileDelivery {
    /// Whether a file with this in it is Vega's.
    pub fn wrote(&self, content: ContentDigest) -> bool {
        [self.held, self.written].contains(&Some(content))
    }

    /// Whether this version has come to its end: the file holds it, and what follows has succeeded.
    pub fn is_done_with(&self, version: &TokenVersion) -> bool {
        self.state == DeliveryState::Delivered && self.version == *version
    }
}

/// How far a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not all of it is done: the file is not replaced, or what follows has not succeeded.
    Pending,
    /// The file was replaced, and what follows has succeeded.
    Delivered,
    /// The token is dead, and the file was removed, or left as it is.
    Ended,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Ended];

    /// The stable name in the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Ended => "ended",
        }
    }

    /// Reads a stored name.
    pub fn parse(code: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == code)
            .ok_or_else(|| InvalidValue::new("state of a delivery", format!("{code:?} is not known")))
    }
}

/// A try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTry {
    /// When.
    pub at: DateTime<Utc>,
    /// How many failed one after the other, this one among them.
    pub tries: u32,
    /// Why.
    pub failure: DeliveryFailure,
}

/// Why a delivery did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The cause.
    pub problem: DeliveryProblem,
    /// What the system or the command said; never a token.
    pub detail: String,
}

impl DeliveryFailure {
    /// Of this cause, with these words.
    pub fn new(problem: DeliveryProblem, detail: impl Into<String>) -> Self {
        Self {
            problem,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for DeliveryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.summary())?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $summary:literal, $advice:literal;)*) => {
        /// The causes, by what the operator does about them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DeliveryProblem {
            $($(#[$doc])* $variant,)*
        }

        impl DeliveryProblem {
            /// Every cause.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name in the database and in JSON.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What happened, in words that a detail may follow.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }

            /// What the operator does about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

problems! {
    /// What is at the path cannot be replaced.
    PathUnfit = "path_unfit", "the path is no plain file",
        "Move away what is there, or name another path";
    /// The folder is missing or not safe.
    FolderUnfit = "folder_unfit", "the folder of the file cannot be used",
        "Make the folder, or take from others the right to write in it (chmod go-w)";
    /// The template does not give a text.
    TemplateFailed = "template_failed", "the template failed",
        "Correct the template: docs/guide/programs.md names what it may use";
    /// The system refused to write it.
    WriteFailed = "write_failed", "the new file could not be written",
        "Make room, or let Vega's user write in the folder";
    /// The system refused its owner, group or mode.
    OwnerRefused = "owner_refused", "the new file could not be given to its owner or group",
        "Name a group that Vega's user is in; only root gives files to other users";
    /// The check said no.
    CheckFailed = "check_failed", "the check refused the new file",
        "Run the check by hand with a file of this kind";
    /// The check did not end.
    CheckTooSlow = "check_too_slow", "the check did not end in time",
        "Name a check that ends within 10 s";
    /// The command or signal that follows failed.
    ThenFailed = "then_failed", "the file is replaced, but what follows failed",
        "Mend what `then` names; Vega goes on trying";
    /// The command that follows did not end.
    ThenTooSlow = "then_too_slow", "the file is replaced, but what follows did not end in time",
        "Name a command that ends within 2 minutes";
    /// The file of a dead token could not be removed.
    RemovalFailed = "removal_failed", "the file holds a dead token and could not be removed",
        "Remove it by hand";
}

impl DeliveryProblem {
    /// Reads a stored name.
    pub fn parse(code: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .iter()
            .copied()
            .find(|problem| problem.code() == code)
            .ok_or_else(|| InvalidValue::new("cause of a failed delivery", format!("{code:?} is not known")))
    }
}

/// How long to wait after so many tries that failed.
pub fn pause_after(tries: u32) -> Duration {
    Duration::from_secs(match tries {
        0 | 1 => 1,
        2 => 5,
        3 => 30,
        _ => 60,
    })
}

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStanding {
    /// It was delivered with the token that programs get now.
    Current,
    /// It was not: the newest token is not in it, or not all that follows was done, or a dead token may be in it still.
    Behind,
    /// There is no token for it.
    NoToken,
}

impl FileStanding {
    /// By the latest delivery, and by the version that programs get now.
    pub fn of(delivery: Option<&FileDelivery>, served: Option<&TokenVersion>, on_expiry: OnExpiry) -> Self {
        match (delivery, served) {
            (Some(delivery), Some(version)) if delivery.is_done_with(version) => Self::Current,
            (_, Some(_)) => Self::Behind,
            (Some(delivery), None)
                if delivery.state != DeliveryState::Ended && on_expiry == OnExpiry::Remove =>
            {
                Self::Behind
            }
            (_, None) => Self::NoToken,
        }
    }

    /// The stable name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::NoToken => "no_token",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn delivery(version: &str, state: DeliveryState) -> FileDelivery {
        FileDelivery {
            path: "/run/token".into(),
            api: ApiName::new("PRIMARY").unwrap(),
            version: TokenVersion::new(version),
            generation: Generation::FIRST,
            on_expiry: OnExpiry::Remove,
            held: None,
            written: Some(ContentDigest([1; 32])),
            state,
            since: DateTime::UNIX_EPOCH,
            failed: None,
        }
    }

    #[rstest]
    #[case::never(None, None, FileStanding::NoToken)]
    #[case::first(None, Some("1-a"), FileStanding::Behind)]
    #[case::done(Some(("1-a", DeliveryState::Delivered)), Some("1-a"), FileStanding::Current)]
    #[case::half(Some(("1-a", DeliveryState::Pending)), Some("1-a"), FileStanding::Behind)]
    #[case::newer(Some(("1-a", DeliveryState::Delivered)), Some("2-b"), FileStanding::Behind)]
    #[case::the_number_again(Some(("1-a", DeliveryState::Delivered)), Some("1-b"), FileStanding::Behind)]
    #[case::alive_again(Some(("1-a", DeliveryState::Ended)), Some("1-a"), FileStanding::Behind)]
    #[case::dead_and_there(Some(("1-a", DeliveryState::Delivered)), None, FileStanding::Behind)]
    #[case::dead_and_half(Some(("1-a", DeliveryState::Pending)), None, FileStanding::Behind)]
    #[case::dead_and_gone(Some(("1-a", DeliveryState::Ended)), None, FileStanding::NoToken)]
    fn a_file_is_behind_until_its_version_is_done(
        #[case] row: Option<(&str, DeliveryState)>,
        #[case] served: Option<&str>,
        #[case] standing: FileStanding,
    ) {
        let row = row.map(|(version, state)| delivery(version, state));
        let served = served.map(TokenVersion::new);
        assert_eq!(
            FileStanding::of(row.as_ref(), served.as_ref(), OnExpiry::Remove),
            standing
        );
        if served.is_none() {
            let kept = FileStanding::of(row.as_ref(), None, OnExpiry::Keep);
            assert_eq!(
                kept,
                FileStanding::NoToken,
                "a file that is kept waits for nothing"
            );
        }
    }

    proptest! {
        /// 1, 5, 30 s, then each minute: never sooner than before, never later than a minute.
        #[test]
        fn tries_come_less_often_and_never_stop(tries in 1..10_000_u32) {
            let (pause, next) = (pause_after(tries), pause_after(tries + 1));
            prop_assert!(pause <= next && next <= Duration::from_mins(1));
        }
    }

    #[test]
    fn the_first_tries_come_soon() {
        let pauses = [1, 2, 3, 4, 5].map(|tries| pause_after(tries).as_secs());
        assert_eq!(pauses, [1, 5, 30, 60, 60]);
    }

    #[test]
    fn every_cause_has_a_name_and_a_way_out() {
        for &problem in DeliveryProblem::ALL {
            assert_eq!(DeliveryProblem::parse(problem.code()), Ok(problem));
            assert!(!problem.advice().ends_with('.') && !problem.summary().ends_with('.'));
        }
        DeliveryProblem::parse("other").unwrap_err();
    }

    #[test]
    fn a_file_is_ours_by_what_is_in_it() {
        let mut row = delivery("1-a", DeliveryState::Pending);
        row.held = Some(ContentDigest([2; 32]));
        let ours = [1, 2, 3].map(|byte| row.wrote(ContentDigest([byte; 32])));
        assert_eq!(ours, [true, true, false]);
    }
}
