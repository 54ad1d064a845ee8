//! The kinds of rounds. Each has a file that plays it on a pair of machines and says what was broken beyond what is looked at after every
//! round.

mod at_once;
mod behind_a_take_over;
mod cleared_up;
mod clocks_apart;
mod commit_unanswered;
mod crashed;
mod crashed_often;
mod failed_over;
mod held_up;
mod key_rotated;
mod killed;
mod late_answer;
mod lost_commits;
mod news_lost;
mod out_of_reach;
mod within_a_write;

use anyhow::Result;
use clap::ValueEnum;
use fastrand::Rng;

use crate::pair::Pair;

/// What happens to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The process that signs in dies.
    Killed,
    /// It dies while a server runs on the other machine.
    ClearedUp,
    /// It is held up for longer than others wait.
    HeldUp,
    /// It goes on at the moment when another one takes over.
    BehindATakeOver,
    /// It is cut off within a write.
    WithinAWrite,
    /// It is cut off with an answer in its hands.
    LateAnswer,
    /// The answer to one of its commits is lost, or the commit itself.
    CommitUnanswered,
    /// The database crashes right after it acknowledged a token.
    Crashed,
    /// The database crashes again and again while both write.
    CrashedOften,
    /// A standby that has everything takes the place of the database server.
    FailedOver,
    /// A standby that has not got the last commits does.
    LostCommits,
    /// The database, or the way to it, is away while tokens are read.
    OutOfReach,
    /// One machine's connections to it carry nothing more, and nobody is told.
    Forgotten,
    /// The other machine hears no notification.
    NewsLost,
    /// Both sign in at once.
    AtOnce,
    /// The budget is used up by machines whose clocks are apart.
    ClocksApart,
    /// The key is rotated while both serve.
    KeyRotated,
}

/// The kinds of the rounds to come, drawn so that each comes up soon.
pub(crate) struct Kinds {
    all: Vec<Kind>,
    to_come: Vec<Kind>,
}

impl Kinds {
    /// Only these; all where none is named.
    pub(crate) fn of(only: &[Kind]) -> Self {
        let all = if only.is_empty() {
            Kind::value_variants()
        } else {
            only
        };
        Self {
            all: all.to_vec(),
            to_come: Vec::new(),
        }
    }

    pub(crate) fn next(&mut self, random: &mut Rng) -> Option<Kind> {
        if self.to_come.is_empty() {
            self.to_come.clone_from(&self.all);
            random.shuffle(&mut self.to_come);
        }
        self.to_come.pop()
    }
}

impl Kind {
    /// Plays one round. Returns what happened, for the words of a finding.
    pub(crate) async fn play(self, pair: &mut Pair) -> Result<String> {
        match self {
            Self::Killed => killed::play(pair).await,
            Self::ClearedUp => cleared_up::play(pair).await,
            Self::HeldUp => held_up::play(pair).await,
            Self::BehindATakeOver => behind_a_take_over::play(pair).await,
            Self::WithinAWrite => within_a_write::play(pair).await,
            Self::LateAnswer => late_answer::play(pair).await,
            Self::CommitUnanswered => commit_unanswered::play(pair).await,
            Self::Crashed => crashed::play(pair).await,
            Self::CrashedOften => crashed_often::play(pair).await,
            Self::FailedOver => failed_over::play(pair).await,
            Self::LostCommits => lost_commits::play(pair).await,
            Self::OutOfReach => out_of_reach::play(pair).await,
            Self::Forgotten => out_of_reach::play_forgotten(pair).await,
            Self::NewsLost => news_lost::play(pair).await,
            Self::AtOnce => at_once::play(pair).await,
            Self::ClocksApart => clocks_apart::play(pair).await,
            Self::KeyRotated => key_rotated::play(pair).await,
        }
    }
}
