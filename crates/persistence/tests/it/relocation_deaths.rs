//! A process that dies in the middle of a move, after each step and at any moment: one place counts at most, and the same command ends
//! what was begun. The dying process is this test program again.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ports::AuditTrail;
use vega_persistence::{DataSource, DatabasePlace, MoveError, MoveStep, Relocation, SqlAuditTrail};

use crate::database_fixture::{at, entry};
use crate::key_rotation::assert_all_opens;
use crate::relocation::{Places, Side, lease_of};

const FROM: &str = "VEGA_TEST_MOVES_FROM";
const TO: &str = "VEGA_TEST_MOVES_TO";
const FOLDER: &str = "VEGA_TEST_MOVES_IN";
const KEY: &str = "VEGA_TEST_MOVES_WITH";
const DIES_AT: &str = "VEGA_TEST_DIES_AT";

/// What the child runs. As a test of its own it has nothing to do.
#[expect(
    clippy::disallowed_methods,
    reason = "how the parent test tells the child what to do"
)]
#[tokio::test]
async fn child() {
    let told = |name: &str| std::env::var(name).ok();
    let (Some(from), Some(to), Some(folder), Some(key)) = (told(FROM), told(TO), told(FOLDER), told(KEY))
    else {
        return;
    };
    let dies_at = told(DIES_AT).unwrap_or_default();
    let place = |url: &str| DatabasePlace {
        folder: folder.clone().into(),
        ..DatabasePlace::from(url)
    };
    let source = Relocation::open(&place(&from), std::path::Path::new(&key))
        .await
        .unwrap();
    let _held = lease_of(&source).await;
    let to = place(&to);
    let moved = source.move_to(&to, at(100), |step| {
        if step.code() == dies_at {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    });
    moved.await.unwrap();
}

fn start_child(places: &Places, from: Side, dies_at: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "relocation_deaths::child", "--nocapture"])
        .env(FROM, places.place(from).url)
        .env(TO, places.place(from.other()).url)
        .env(FOLDER, places.place(from).folder)
        .env(KEY, places.key())
        .env(DIES_AT, dies_at)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether it takes an entry: what counts does.
async fn takes_writes(places: &Places, side: Side) -> bool {
    let Ok(data) = places.open(side).await else {
        return false;
    };
    // What the dead one gave nobody back is free when nothing was heard of it; a plain entry asks for no lease.
    let trail = SqlAuditTrail::new(data.clone());
    let taken = trail.append(&entry(AuditKind::PlanDeclined)).await.is_ok();
    data.close().await;
    taken
}

/// A file that is not there is none that could be written to by mistake.
async fn count(places: &Places, from: Side) -> [bool; 2] {
    let file = places.dir.path().join("data/vega_trade.db");
    let there_may_be_one = |side| side == Side::Server || file.exists();
    let mut counts = [false; 2];
    for (place, side) in [from, from.other()].into_iter().enumerate() {
        counts[place] =
            there_may_be_one(side) && is_the_one(places, side).await && takes_writes(places, side).await;
    }
    counts
}

/// Not an empty one, in which a program would begin anew.
async fn is_the_one(places: &Places, side: Side) -> bool {
    let there = match side {
        Side::File => "SELECT count(*) FROM sqlite_schema WHERE name = 'audit_events'",
        Side::Server => "SELECT count(*) FROM pg_tables WHERE tablename = 'audit_events'",
    };
    places.ask(side, there).await != "0" && places.ask(side, "SELECT count(*) FROM audit_events").await != "0"
}

#[rstest]
#[case::marked(MoveStep::Marked, [false, false])]
#[case::copied(MoveStep::Copied, [false, false])]
#[case::verified(MoveStep::Verified, [false, false])]
#[case::gone(MoveStep::Gone, [false, false])]
#[case::counts(MoveStep::Counts, [false, true])]
#[tokio::test]
async fn after_a_death_the_same_command_ends_what_was_begun(
    #[values(Side::File, Side::Server)] from: Side,
    #[case] step: MoveStep,
    #[case] counts: [bool; 2],
) {
    let places = Places::new().filled(from).await;
    let ended = start_child(&places, from, step.code()).wait().unwrap();
    assert_eq!(
        ended.code(),
        None,
        "the child reached {step:?} and was killed there"
    );
    assert_eq!(count(&places, from).await, counts, "{step:?}");
    let moved = places.relocate(from, |_| ()).await.unwrap();
    assert_eq!((moved.opened, moved.unreadable.len(), moved.fault), (6, 0, None));
    assert_eq!(count(&places, from).await, [false, true]);
    assert_all_opens(&places.open(from.other()).await.unwrap()).await;
    // And once more: it says the same, and changes nothing.
    places.relocate(from, |_| ()).await.unwrap();
}

#[rstest]
#[case::marked(MoveStep::Marked)]
#[case::copied(MoveStep::Copied)]
#[case::verified(MoveStep::Verified)]
#[tokio::test]
async fn a_move_that_has_not_ended_is_cancelled_and_begun_anew(
    #[values(Side::File, Side::Server)] from: Side,
    #[case] step: MoveStep,
) {
    let places = Places::new().filled(from).await;
    start_child(&places, from, step.code()).wait().unwrap();
    cancel(&places, from).await.unwrap();
    assert_eq!(count(&places, from).await, [true, false]);
    places.relocate(from, |_| ()).await.unwrap();
    assert_eq!(count(&places, from).await, [false, true]);
    let ended = cancel(&places, from).await.unwrap_err();
    assert!(matches!(ended, MoveError::Ended(_)), "{ended}");
}

async fn cancel(places: &Places, from: Side) -> Result<(), MoveError> {
    let source = Relocation::open(&places.place(from), &places.key()).await?;
    let held = lease_of(&source).await;
    let cancelled = source.cancel(at(200)).await;
    drop(held);
    source.close().await;
    cancelled
}

/// What an older copy has not got is not overwritten by it.
#[tokio::test]
async fn a_copy_of_the_source_does_not_end_the_move_of_the_true_one() {
    let places = Places::new().filled(Side::File).await;
    let file = places.dir.path().join("data/vega_trade.db");
    let copy = std::fs::read(&file).unwrap();
    start_child(&places, Side::File, MoveStep::Gone.code())
        .wait()
        .unwrap();
    for ending in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(file.with_extension(ending));
    }
    std::fs::write(&file, copy).unwrap();
    let refused = places.relocate(Side::File, |_| ()).await.unwrap_err();
    assert!(matches!(refused, MoveError::OfAnotherMove(_)), "{refused}");
}

#[rstest]
#[tokio::test]
async fn a_death_at_any_moment_loses_nothing(#[values(Side::File, Side::Server)] from: Side) {
    for round in 0_u64..8 {
        let places = Places::new().filled(from).await;
        let mut child = start_child(&places, from, "");
        // From its first words on it opens the database and moves it.
        let mut first = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        tokio::time::sleep(Duration::from_millis(round * 120)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let [here, there] = count(&places, from).await;
        assert!(!(here && there), "round {round}");
        places.relocate(from, |_| ()).await.unwrap();
        assert_eq!(count(&places, from).await, [false, true], "round {round}");
        let data: DataSource = places.open(from.other()).await.unwrap();
        assert_all_opens(&data).await;
        data.close().await;
    }
}
