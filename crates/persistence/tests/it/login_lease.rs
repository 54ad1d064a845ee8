//! `LoginLease` over a locked file, and over a row on a machine with such a file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rstest::rstest;
use tokio::time::{Instant, timeout};
use vega_domain::clock_reading::SinceBoot;
use vega_domain::ports::{Clock, LeaseError, LoginLease};
use vega_persistence::{DataSource, DatabasePlace, FileLoginLease};
use vega_testing::{PostgresServer, TestClock};

use crate::database_fixture::{DatabaseFixture, at, database_path, key_path, open};

const HOME: &str = "HOME_OF_THE_HOLDER";
const DATABASE: &str = "DATABASE_OF_THE_HOLDER";

#[tokio::test]
async fn the_lease_is_held_once_names_its_holder_and_is_free_when_dropped() {
    let fixture = DatabaseFixture::new().await;
    let lease = FileLoginLease::new(fixture.data.clone(), TestClock::at(at(7)));
    let elsewhere = FileLoginLease::new(open(&fixture.dir).await, TestClock::at(at(7)));

    let held = lease.acquire().await.unwrap();
    for refused in [elsewhere.acquire().await, lease.acquire().await] {
        let Err(LeaseError::Held(Some(holder))) = refused else {
            panic!("the lease was given twice")
        };
        assert_eq!((holder.pid, holder.since), (std::process::id(), at(7)));
        assert!(!holder.host.is_empty() && holder.is_this_process);
    }
    drop(held);
    drop(elsewhere.acquire().await.unwrap());
}

/// One machine without a pause: the test and the process that it starts.
async fn on_this_machine(url: &str, home: &Path) -> DataSource {
    let place = DatabasePlace {
        folder: home.join("data"),
        ..DatabasePlace::from(url)
    };
    DataSource::open(&place, &home.join("config/vega.key"))
        .await
        .unwrap()
}

/// The time of a computer that was not started anew.
#[derive(Debug)]
pub(crate) struct OneBoot;

impl Clock for OneBoot {
    fn now(&self) -> DateTime<Utc> {
        at(7)
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        Some(SinceBoot {
            boot: "one".into(),
            elapsed: Duration::from_secs(7),
        })
    }
}

/// A process of its own: takes the lease of the test that started it, and waits for its death.
#[expect(
    clippy::disallowed_methods,
    reason = "how the parent test tells the child what to do"
)]
#[tokio::test]
async fn holder() {
    let (Some(home), Ok(url)) = (std::env::var_os(HOME), std::env::var(DATABASE)) else {
        return;
    };
    let home = Path::new(&home);
    let data = on_this_machine(&url, home).await;
    let _held = data.login_lease(Arc::new(OneBoot)).acquire().await.unwrap();
    std::fs::write(home.join("held"), "").unwrap();
    std::future::pending::<()>().await;
}

#[rstest]
#[tokio::test]
async fn a_dead_process_leaves_the_lease_to_the_next(#[values("sqlite", "postgres")] engine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let url = match engine {
        "postgres" => PostgresServer::shared().fresh_database(),
        _ => format!("sqlite://{}", dir.path().join("data/vega_trade.db").display()),
    };
    let data = on_this_machine(&url, dir.path()).await;
    let lease = data.login_lease(Arc::new(OneBoot));
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "login_lease::holder", "--nocapture"])
        .env(HOME, dir.path())
        .env(DATABASE, &url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !dir.path().join("held").exists() {
        assert!(Instant::now() < until, "the holder never came so far");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = lease.acquire().await;
    let is_held = matches!(&refused, Err(LeaseError::Held(Some(by))) if by.pid == holder.id());
    assert!(is_held, "{refused:?}");
    let told = lease.holder().await.unwrap();
    assert!(told.as_ref().is_some_and(|by| by.pid == holder.id()), "{told:?}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(lease.holder().await.unwrap(), None, "it is dead");
    let no_silence = timeout(Duration::from_secs(10), lease.acquire()).await;
    drop(no_silence.unwrap().unwrap());
    data.close().await;
}

/// Between the other process's lock and its name stands the name of an earlier holder, which must not be told.
#[tokio::test]
async fn who_is_refused_waits_for_the_name_of_the_one_that_holds_it_now() {
    // In a container of its own it may have the same number as this one.
    let other_process = std::process::id();
    let fixture = DatabaseFixture::new().await;
    let lease = FileLoginLease::new(fixture.data.clone(), TestClock::at(at(7)));
    drop(lease.acquire().await.unwrap());

    let raw = fixture.raw().await;
    let mut other = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let lock = std::fs::File::open(fixture.data.path().with_extension("lease.lock")).unwrap();
    lock.try_lock().unwrap();
    let mut refused = tokio::spawn(async move { lease.acquire().await });
    let too_early = tokio::time::timeout(Duration::from_millis(200), &mut refused).await;
    assert!(too_early.is_err(), "{too_early:?}");
    sqlx::query("UPDATE login_lease SET pid = $1, host = 'other', process = 'another one'")
        .bind(other_process)
        .execute(&mut *other)
        .await
        .unwrap();
    other.commit().await.unwrap();

    let Err(LeaseError::Held(Some(holder))) = refused.await.unwrap() else {
        panic!("the lease was given twice")
    };
    assert_eq!((holder.pid, &*holder.host), (other_process, "other"));
    assert!(!holder.is_this_process, "a number alone says nothing");
}

/// A look takes the lock as several may: it is neither told as a holder, nor does it refuse the lease to anybody.
#[tokio::test]
async fn who_looks_refuses_the_lease_to_nobody() {
    let fixture = DatabaseFixture::new().await;
    let lease = FileLoginLease::new(fixture.data.clone(), TestClock::at(at(7)));
    drop(lease.acquire().await.unwrap());
    let look = std::fs::File::open(fixture.data.path().with_extension("lease.lock")).unwrap();
    look.lock_shared().unwrap();
    assert_eq!(lease.holder().await.unwrap(), None);
    let acquired = tokio::spawn(async move { lease.acquire().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(look);
    acquired.await.unwrap().unwrap();
}

#[tokio::test]
async fn two_names_of_one_database_have_one_lease() {
    let fixture = DatabaseFixture::new().await;
    let alias = fixture.dir.path().join("alias.db");
    std::os::unix::fs::symlink(database_path(&fixture.dir), &alias).unwrap();
    let url = format!("sqlite://{}", alias.display());
    let through_alias = DataSource::open(&url, &key_path(&fixture.dir)).await.unwrap();
    let held = FileLoginLease::new(fixture.data.clone(), TestClock::at(at(7)))
        .acquire()
        .await
        .unwrap();
    let refused = FileLoginLease::new(through_alias, TestClock::at(at(7)))
        .acquire()
        .await;
    assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    drop(held);
}
