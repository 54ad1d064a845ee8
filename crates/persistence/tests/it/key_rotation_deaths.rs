//! A process that dies in the middle of a rotation, at every step and at any moment: the next start opens the database with
//! what lies there, and nothing is lost. The dying process is this test program again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rstest::rstest;
use vega_persistence::{DataSource, RotationStep};

use crate::database_fixture::{DatabaseFixture, at, open};
use crate::key_rotation::{assert_all_opens, fault, sealed};

const HOME: &str = "VEGA_TEST_ROTATES_IN";
const DIES_AT: &str = "VEGA_TEST_DIES_AT";
/// How often the child is killed at any moment.
const ROUNDS: u64 = 25;

/// What the child runs. As a test of its own it has nothing to do.
#[expect(
    clippy::disallowed_methods,
    reason = "how the parent test tells the child what to do"
)]
#[tokio::test]
async fn child() {
    let Some(home) = std::env::var_os(HOME) else {
        return;
    };
    let dies_at = std::env::var(DIES_AT).unwrap_or_default();
    let home = Path::new(&home);
    let url = format!("sqlite://{}", home.join("data/vega_trade.db").display());
    let key = home.join("config/vega.key");
    loop {
        let data = DataSource::open(&url, &key).await.unwrap();
        data.rotate_key(at(100), |step| {
            if step.code() == dies_at {
                let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
            }
        })
        .await
        .unwrap();
        data.close().await;
    }
}

fn start_child(fixture: &DatabaseFixture, dies_at: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "key_rotation_deaths::child", "--nocapture"])
        .env(HOME, fixture.dir.path())
        .env(DIES_AT, dies_at)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Opens with what lies there, is whole, and can be rotated again.
async fn assert_whole(fixture: &DatabaseFixture, what: &str) {
    for _ in 0..2 {
        let data = open(&fixture.dir).await;
        assert_all_opens(&data).await;
        assert_eq!(fault(&data).await, None, "{what}");
        data.rotate_key(at(200), |_| ()).await.unwrap();
        data.close().await;
    }
}

#[rstest]
#[case(RotationStep::NextKeyWritten, 0)]
#[case(RotationStep::SealedAnew, 0)]
#[case(RotationStep::Committed, 1)]
#[case(RotationStep::OldKeyKept, 1)]
#[case(RotationStep::KeyInPlace, 1)]
#[tokio::test]
async fn a_death_after_each_step_loses_nothing(#[case] step: RotationStep, #[case] rotations: usize) {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let mut child = start_child(&fixture, step.code());
    let ended = child.wait().unwrap();
    assert_eq!(
        ended.code(),
        None,
        "the child reached {step:?} and was killed there"
    );
    let rotated = || async {
        let kinds = fixture.audit_kinds().await;
        kinds.iter().filter(|kind| *kind == "key_rotated").count()
    };
    assert_eq!(rotated().await, rotations);
    assert_whole(&fixture, step.code()).await;
    assert_eq!(rotated().await, rotations + 2);
}

#[tokio::test]
async fn a_death_at_any_moment_loses_nothing() {
    // Its own connections stay open meanwhile, so that locks which this process lost by mistake are missed.
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    let mut rotated = 0;
    for round in 0_u64.. {
        // Of a slow machine each round asks for more time, until the child came far enough to be worth killing.
        let (pass, place) = (round / ROUNDS, round % ROUNDS);
        if pass > 0 && rotated >= ROUNDS / 2 {
            break;
        }
        let mut child = start_child(&fixture, "");
        // From its first words on it opens and rotates without end.
        let mut first = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        tokio::time::sleep(Duration::from_millis((place * 17 % 200) << pass)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let data = open(&fixture.dir).await;
        assert_all_opens(&data).await;
        assert_eq!(fault(&data).await, None, "round {round}");
        data.close().await;
        let kinds = fixture.audit_kinds().await;
        rotated = kinds.iter().filter(|kind| *kind == "key_rotated").count() as u64;
    }
}
