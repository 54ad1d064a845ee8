//! The process that puts a prepared key in force dies, after each step, while another machine serves: that one goes on without a pause, and
//! so does the next start of the first. The dying process is this test program again.

use std::process::{Command, Stdio};

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_persistence::{DataSource, DatabasePlace, RotationStep};
use vega_testing::{PostgresServer, TestClock};

use crate::database_fixture::at;
use crate::postgres_desk::Desk;
use crate::postgres_keys::{append, committed, copied, prepared, said, token_of, two_machines, verdict};

const DATABASE: &str = "VEGA_TEST_COMMITS_IN";
const FOLDER: &str = "VEGA_TEST_COMMITS_AT";
const KEY: &str = "VEGA_TEST_COMMITS_WITH";
const DIES_AT: &str = "VEGA_TEST_DIES_AT";

/// What the child runs. As a test of its own it has nothing to do.
#[expect(
    clippy::disallowed_methods,
    reason = "how the parent test tells the child what to do"
)]
#[tokio::test]
async fn child() {
    let told = |name: &str| std::env::var(name).ok();
    let (Some(url), Some(folder), Some(key), Some(dies_at)) =
        (told(DATABASE), told(FOLDER), told(KEY), told(DIES_AT))
    else {
        return;
    };
    let place = DatabasePlace {
        folder: folder.into(),
        ..DatabasePlace::from(&url)
    };
    let data = DataSource::open(&place, std::path::Path::new(&key))
        .await
        .unwrap();
    let _held = data.login_lease(TestClock::at(at(4))).acquire().await.unwrap();
    let commit = data.commit_key(&[], at(4), |step| {
        if step.code() == dies_at {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    });
    commit.await.unwrap();
}

#[rstest]
#[case(RotationStep::NextKeyWritten, false)]
#[case(RotationStep::SealedAnew, false)]
#[case(RotationStep::Committed, true)]
#[case(RotationStep::OldKeyKept, true)]
#[case(RotationStep::KeyInPlace, true)]
#[tokio::test]
async fn a_death_after_each_step_stops_nobody(#[case] step: RotationStep, #[case] is_in_force: bool) {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let next = prepared(&one).await;
    copied(&desk, &next.file, "desk2");
    said(&other, at(3)).await;
    one.close().await;
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres_key_deaths::child", "--nocapture"])
        .env(DATABASE, &desk.url)
        .env(FOLDER, desk.dir.path().join("desk1"))
        .env(KEY, desk.key_of("desk1"))
        .env(DIES_AT, step.code())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(
        ended.code(),
        None,
        "the child reached {step:?} and was killed there"
    );

    append(&other).await.unwrap();
    assert_eq!(token_of(&other).await.unwrap(), "CANARY-token-PRIMARY-1");
    assert_eq!(other.key_id() == next.id, is_in_force);
    let again = desk.machine_with_key("desk1").await;
    append(&again).await.unwrap();
    assert_eq!(token_of(&again).await.unwrap(), "CANARY-token-PRIMARY-1");
    if !is_in_force {
        // It is dead, and nobody has to wait until its silence tells.
        desk.change("UPDATE login_lease SET released = true");
        said(&other, at(5)).await;
        committed(&again, &[], at(5)).await.unwrap();
    }
    for (data, name) in [(&again, "desk1"), (&other, "desk2")] {
        append(data).await.unwrap();
        assert_eq!(
            (data.key_id(), verdict(data).await.fault),
            (next.id.clone(), None)
        );
        assert_eq!(
            std::fs::read(desk.key_of(name)).unwrap(),
            std::fs::read(desk.key_of("desk1")).unwrap()
        );
    }
    let rotated = format!(
        "SELECT count(*) FROM audit_events WHERE kind = '{}'",
        AuditKind::KeyRotated.code()
    );
    assert_eq!(PostgresServer::shared().ask(&desk.url, &rotated), "1");
}
