//! What a process takes over of a trail that another one let count, what it is left to find, and what a look forgets.

use chrono::DateTime;
use rstest::rstest;

use super::*;
use crate::audit::checkpoints::{Cause, Checkpoint};
use crate::audit::latest_changes::Mark;
use crate::key_files::key_source::KeySource;

const CHAIN: &[u8] = b"chain";
const END: &[u8] = b"end";

/// The server that was there, and the one that took its place.
const FIRST: Option<History> = Some(History {
    system: 4711,
    timeline: 1,
});
const SECOND: Option<History> = Some(History {
    system: 4711,
    timeline: 2,
});

/// A process that shares a file of checkpoints with others.
struct Process {
    trust: RowTrust,
    checkpoints: CheckpointFile,
    _folder: tempfile::TempDir,
}

impl Process {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vega.key");
        let key = RootKey::create(&file).unwrap();
        let checkpoints = CheckpointFile::at(&KeySource::File(file));
        Self {
            trust: RowTrust::new(&key, checkpoints.clone()),
            checkpoints,
            _folder: folder,
        }
    }

    /// Some process of this machine lets the trail count that ends there.
    fn accepted_by_somebody(&self, entry: i64) {
        let checkpoint = Checkpoint {
            at: DateTime::UNIX_EPOCH,
            cause: Cause::Accepted,
            chain_id: CHAIN.to_vec(),
            entry,
            value: [7; 32],
        };
        self.checkpoints.append(&checkpoint).unwrap();
    }

    /// A trail of Vega's that ends there; with a loss that was made safe on this timeline. `seen` stands at the entry that was seen.
    fn standing(&self, last: i64, lost_on: Option<i64>, seen: Option<&[u8]>) -> Standing {
        let mut marks = Marks::default();
        if let Some(timeline) = lost_on {
            let number = Some(timeline);
            marks.set(
                Whose::Lost,
                Mark {
                    number,
                    ..Mark::of(last)
                },
            );
        }
        let (marks, value) = self.trust.sealed(&marks, (last, END)).unwrap();
        Standing {
            key_id: Some(self.trust.key.0.to_vec()),
            chain_id: Some(CHAIN.to_vec()),
            last,
            chain: Some(END.to_vec()),
            seen: seen.map(<[u8]>::to_vec),
            entry: Some(last),
            marks: Some(marks),
            value: Some(value),
            state: None,
            url: None,
            machine: None,
        }
    }

    fn look(&self, standing: &Standing, before: &Before, history: Option<History>) -> Option<Look> {
        match self.trust.compare(standing, before, history) {
            Ok(look) => look,
            Err(why) => panic!("{why:?}"),
        }
    }

    /// What it takes over where it saw entry 49, finds a trail that ends at 24, and another process lets that one count meanwhile.
    fn taken_over(&self, history: Option<History>) -> Option<i64> {
        self.trust.saw(49, b"seen", FIRST);
        let before = self.trust.before();
        self.accepted_by_somebody(25);
        let standing = self.standing(24, None, None);
        let look = self.look(&standing, &before, history).unwrap();
        let accepted = self.trust.accepted_since(&look, &standing, &before);
        accepted.map(|before| before.entry())
    }

    fn seen(&self) -> i64 {
        self.trust.before().entry()
    }
}

#[test]
fn a_loss_that_another_process_makes_safe_at_this_moment_is_left_to_be_found() {
    let process = Process::new();
    assert_eq!(process.taken_over(SECOND), None);
    assert_eq!(process.seen(), 49, "what was seen is not forgotten");
    assert_eq!(process.trust.losses(), 0);
}

#[test]
fn a_trail_that_the_operator_let_count_is_taken_over() {
    let process = Process::new();
    assert_eq!(process.taken_over(FIRST), Some(25));
    assert_eq!(process.seen(), 25);
}

/// Both made the same loss safe, and each said so in the file.
#[test]
fn what_was_let_count_at_a_loss_does_not_let_the_next_trail_count() {
    let process = Process::new();
    process.accepted_by_somebody(25);
    process.trust.noticed_a_loss(25, &[7; 32], SECOND);
    process.accepted_by_somebody(25);
    process.trust.counts_acceptances(CHAIN);
    process.trust.saw(30, b"later", SECOND);
    let before = process.trust.before();
    let older = process.standing(26, None, None);
    let look = process.look(&older, &before, SECOND).unwrap();
    assert!(matches!(look.marks, Err(DatabaseMistrust::Older { .. })));
    assert!(process.trust.accepted_since(&look, &older, &before).is_none());
    assert_eq!(process.seen(), 30);
}

/// It began while the server was there on which another look saw more.
#[test]
fn a_look_on_the_next_server_judges_by_all_that_was_seen_on_the_one_before() {
    let process = Process::new();
    process.trust.saw(40, b"40", FIRST);
    let began = process.trust.before();
    process.trust.saw(41, b"41", FIRST);
    // The entries up to 40 are there; 41 is another one.
    let standing = process.standing(44, Some(2), Some(b"40"));
    assert!(process.look(&standing, &began, SECOND).is_none(), "look again");
    assert_eq!(process.seen(), 41);

    let fresh = process.trust.on(began, SECOND);
    assert_eq!(fresh.entry(), 41);
    let standing = process.standing(44, Some(2), Some(b"another"));
    let look = process.look(&standing, &fresh, SECOND).unwrap();
    assert!(matches!(look.marks, Err(DatabaseMistrust::Lost { .. })));
}

#[rstest]
#[case::slow_news_of_the_server_before(50, 60, b"60", FIRST)]
#[case::another_entry_of_that_number(50, 50, b"another", SECOND)]
#[case::an_earlier_one(50, 49, b"49", SECOND)]
fn what_is_seen_too_late_changes_nothing(
    #[case] seen: i64,
    #[case] entry: i64,
    #[case] chain: &[u8],
    #[case] history: Option<History>,
) {
    let process = Process::new();
    process.trust.saw(seen, b"50", SECOND);
    process.trust.saw(entry, chain, history);
    let Before(now) = process.trust.before();
    assert_eq!((now.entry, &*now.value, now.history), (50, &b"50"[..], SECOND));
}

/// The process that made it safe knew less of the trail.
#[rstest]
#[case::made_safe(Some(2), true)]
#[case::by_nobody(None, false)]
fn where_much_is_missing_it_is_a_loss_if_somebody_made_it_safe(
    #[case] lost_on: Option<i64>,
    #[case] is_loss: bool,
) {
    let process = Process::new();
    process.trust.saw(560, b"560", FIRST);
    let standing = process.standing(25, lost_on, None);
    let look = process.look(&standing, &process.trust.before(), SECOND).unwrap();
    assert_eq!(
        matches!(look.marks, Err(DatabaseMistrust::Lost { .. })),
        is_loss,
        "{:?}",
        look.marks
    );
}
