//! A key rotation where several machines have the database: nobody is left without the key, those who run go on without a pause, and one
//! that lacks it says where it is. Each machine has a key file of its own.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use vega_domain::audit::{AuditKind, AuditVerdict};
use vega_domain::machine::{Machine, NextKey};
use vega_domain::ports::{
    AuditHistory, AuditTrail, RunHistory, StoreError, TokenSpool, UpstoxTokenRepository,
};
use vega_persistence::{
    DataSource, KeySource, OpenError, PreparedKey, Program, Rotation, RotationError, SqlAuditHistory,
    SqlAuditTrail, SqlExecutionStateRepository, SqlTokenRepository, StepsError, create_private_dir,
};
use vega_testing::TestClock;

use crate::database_fixture::{DatabaseFixture, at, entry, token};
use crate::postgres_desk::Desk;
use crate::spool::Desk as SpoolDesk;

const URL: &str = "http://127.0.0.1:28020/";

pub(crate) async fn said(data: &DataSource, at: DateTime<Utc>) {
    let server = Program::Server { url: Some(URL) };
    data.say_what_is_here(server, "1.2.3", at).await.unwrap();
}

async fn own(data: &DataSource) -> Machine {
    let machines = data.machines("1.2.3", at(0)).await.unwrap();
    machines.into_iter().find(|machine| machine.is_this_one).unwrap()
}

/// Two machines that have heard of each other, and a token that the first one stored.
pub(crate) async fn two_machines(desk: &Desk) -> (DataSource, DataSource) {
    let (one, other) = (
        desk.machine_with_key("desk1").await,
        desk.machine_with_key("desk2").await,
    );
    let lease = one.login_lease(TestClock::at(at(0)));
    let held = lease.acquire().await.unwrap();
    let fixture = DatabaseFixture::of(tempfile::tempdir().unwrap(), one.clone());
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    drop(held);
    for data in [&one, &other] {
        said(data, at(0)).await;
    }
    (one, other)
}

async fn rotated(data: &DataSource, at: DateTime<Utc>) -> Result<Rotation, RotationError> {
    let _held = data.login_lease(TestClock::at(at)).acquire().await.unwrap();
    data.rotate_key(at, |_| ()).await
}

pub(crate) async fn committed(
    data: &DataSource,
    without: &[String],
    at: DateTime<Utc>,
) -> Result<Rotation, RotationError> {
    let _held = data.login_lease(TestClock::at(at)).acquire().await.unwrap();
    data.commit_key(without, at, |_| ()).await
}

pub(crate) async fn prepared(data: &DataSource) -> PreparedKey {
    let prepared = data.prepare_key(&[], at(1)).await.unwrap();
    said(data, at(1)).await;
    prepared
}

/// As the operator does it, with `scp -p`.
pub(crate) fn copied(desk: &Desk, file: &Path, machine: &str) {
    let to = desk.key_of(machine).with_file_name(file.file_name().unwrap());
    std::fs::copy(file, to).unwrap();
}

fn steps(outcome: Result<Rotation, RotationError>) -> StepsError {
    match outcome {
        Err(RotationError::Steps(why)) => why,
        outcome => panic!("{outcome:?}"),
    }
}

pub(crate) async fn token_of(data: &DataSource) -> Result<String, StoreError> {
    let tokens = SqlTokenRepository::new(data.clone()).load_all().await?;
    match tokens.into_iter().next() {
        Some(Ok(token)) => Ok(token.access_token.expose().to_owned()),
        Some(Err(unreadable)) => Err(unreadable.error),
        None => panic!("no token"),
    }
}

pub(crate) async fn append(data: &DataSource) -> Result<(), StoreError> {
    let entry = entry(AuditKind::PlanDeclined);
    SqlAuditTrail::new(data.clone()).append(&entry).await
}

pub(crate) async fn verdict(data: &DataSource) -> AuditVerdict {
    SqlAuditHistory::new(data.clone()).verify(None).await.unwrap()
}

#[tokio::test]
async fn a_key_is_put_in_force_when_every_machine_has_it_and_nobody_stops() {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let second = own(&other).await.name;
    let refused = steps(rotated(&one, at(1)).await);
    assert!(
        matches!(&refused, StepsError::SeveralMachines(names) if *names == [second.clone()]),
        "{refused}"
    );
    assert!(matches!(
        steps(committed(&one, &[], at(1)).await),
        StepsError::NotPrepared
    ));

    let next = prepared(&one).await;
    assert_eq!(prepared(&one).await, next, "asked twice, the same key is told");
    assert_eq!(
        (own(&one).await.next_key, own(&other).await.next_key),
        (NextKey::Held, NextKey::Lacking)
    );
    let refused = steps(committed(&one, &[], at(2)).await);
    assert!(
        matches!(&refused, StepsError::NotEverywhere { machines, .. } if *machines == [second.clone()]),
        "{refused}"
    );
    let before = (one.key_id(), std::fs::read(desk.key_of("desk2")).unwrap());
    assert_eq!(token_of(&other).await.unwrap(), "CANARY-token-PRIMARY-1");

    copied(&desk, &next.file, "desk2");
    said(&other, at(3)).await;
    assert_eq!(own(&other).await.next_key, NextKey::Held);
    let reads = async {
        loop {
            assert_eq!(token_of(&other).await.unwrap(), "CANARY-token-PRIMARY-1");
            append(&other).await.unwrap();
        }
    };
    let rotates = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let rotation = committed(&one, &[], at(4)).await.unwrap();
        assert_eq!(rotation.unreadable, [""; 0]);
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        () = reads => unreachable!("it reads for ever"),
        () = rotates => {}
    }
    for (data, name) in [(&one, "desk1"), (&other, "desk2")] {
        append(data).await.unwrap();
        data.prove_key().unwrap();
        assert_eq!(
            (data.key_id(), verdict(data).await.fault),
            (next.id.clone(), None)
        );
        // The next one has its place, and the one before it a second name.
        assert_eq!(
            std::fs::read(desk.key_of(name)).unwrap(),
            std::fs::read(desk.key_of("desk1")).unwrap()
        );
        assert_ne!(std::fs::read(desk.key_of(name)).unwrap(), before.1);
        let kept = desk
            .key_of(name)
            .with_file_name(format!("vega.key.2026-09-21.{}", before.0));
        assert_eq!(std::fs::read(kept).unwrap(), before.1);
        said(data, at(5)).await;
        assert_eq!(own(data).await.next_key, NextKey::NotPrepared);
        assert!(own(data).await.has_key);
        data.close().await;
    }
    for name in ["desk1", "desk2"] {
        let again = desk.machine_with_key(name).await;
        assert_eq!(token_of(&again).await.unwrap(), "CANARY-token-PRIMARY-1");
    }
}

#[tokio::test]
async fn a_machine_without_the_key_writes_nothing_and_says_where_it_is() {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let (first, second) = (own(&one).await.name, own(&other).await.name);
    let next = prepared(&one).await;
    let nobody = steps(committed(&one, &["desk9".into()], at(2)).await);
    assert!(matches!(nobody, StepsError::NoSuchMachine(_)), "{nobody}");
    committed(&one, std::slice::from_ref(&second), at(2))
        .await
        .unwrap();
    said(&one, at(2)).await;

    let entries = verdict(&one).await.entries;
    let to = desk
        .key_of("desk2")
        .with_file_name(format!("vega.key.next-{}", next.id));
    for refused in [
        append(&other).await,
        token_of(&other).await.map(drop),
        other.prove_writable().await,
    ] {
        let words = refused.unwrap_err().to_string();
        assert!(
            words.contains(&first) && words.contains(to.to_str().unwrap()),
            "{words}"
        );
    }
    assert_eq!(verdict(&one).await.entries, entries);
    // It is seen, and that it lacks the key; nobody is led to its server.
    said(&other, at(3)).await;
    let seen = one.machines("1.2.3", at(3)).await.unwrap();
    let seen = seen.iter().find(|machine| machine.name == second).unwrap();
    assert!(!seen.has_key && seen.seen_at == at(3), "{seen:?}");

    // Started anew it is refused in the same way.
    let again = desk.opens_with_key("desk2").await.map(drop).unwrap_err();
    assert!(matches!(again, OpenError::WrongKey { .. }), "{again}");
    let words = again.to_string();
    assert!(words.contains(to.to_str().unwrap()), "{words}");
    assert!(words.contains("rotated while this machine was away"), "{words}");

    // What both say to do: then the one that runs goes on, and so does a start.
    std::fs::copy(desk.key_of("desk1"), &to).unwrap();
    append(&other).await.unwrap();
    assert_eq!(token_of(&other).await.unwrap(), "CANARY-token-PRIMARY-1");
    assert!(!to.exists(), "it has its place");
    other.close().await;
    append(&desk.machine_with_key("desk2").await).await.unwrap();
    let told = one.machines("1.2.3", at(3)).await.unwrap();
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn a_machine_that_was_not_seen_for_a_day_is_not_waited_for() {
    let desk = Desk::new();
    let (one, _other) = two_machines(&desk).await;
    let day = TimeDelta::days(1);
    let later = at(0) + day - TimeDelta::seconds(1);
    assert!(matches!(
        steps(rotated(&one, later).await),
        StepsError::SeveralMachines(_)
    ));
    rotated(&one, at(0) + day).await.unwrap();
}

#[tokio::test]
async fn a_prepared_key_is_found_where_it_is_and_made_anew_where_it_is_lost() {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let first = own(&one).await.name;
    let next = prepared(&one).await;
    let elsewhere = other.prepare_key(&[], at(2)).await.unwrap_err();
    assert!(elsewhere.to_string().contains(&first), "{elsewhere}");
    let elsewhere = steps(committed(&other, &[], at(2)).await);
    assert!(
        matches!(&elsewhere, StepsError::NotHere(_)) && elsewhere.to_string().contains(&first),
        "{elsewhere}"
    );
    let anew = other.prepare_key(&[first], at(2)).await.unwrap();
    assert_ne!(anew.id, next.id);
    assert!(anew.file.exists());
}

/// A URL that a machine sealed with the old key is believed after the rotation too.
#[tokio::test]
async fn where_servers_are_is_known_after_a_rotation() {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let next = prepared(&one).await;
    copied(&desk, &next.file, "desk2");
    said(&other, at(2)).await;
    committed(&one, &[], at(3)).await.unwrap();
    append(&one).await.unwrap();
    let machines = one.machines("1.2.3", at(3)).await.unwrap();
    assert!(
        machines.iter().all(|machine| machine.url.as_deref() == Some(URL)),
        "{machines:?}"
    );
}

/// The service manager gives one machine its key, and Vega never writes there: the copy goes beside Vega's other files.
#[tokio::test]
async fn a_machine_with_a_credential_goes_on_with_the_copy_until_the_credential_is_made_anew() {
    let desk = Desk::new();
    let one = desk.machine_with_key("desk1").await;
    let folder = desk.key_of("desk2").parent().unwrap().to_owned();
    let credential = desk.dir.path().join("credentials/vega.key");
    for folder in [&folder, &credential.parent().unwrap().to_owned()] {
        create_private_dir(folder).unwrap();
    }
    std::fs::copy(desk.key_of("desk1"), &credential).unwrap();
    let source = KeySource::Credential {
        key: credential.clone(),
        folder,
    };
    let other = desk.opens_with("desk2", &source).await.unwrap();
    for data in [&one, &other] {
        said(data, at(0)).await;
    }
    let nothing = other.prepare_key(&[], at(1)).await.unwrap_err().to_string();
    assert!(nothing.contains("systemd-creds"), "{nothing}");

    let next = prepared(&one).await;
    assert_eq!(own(&other).await.next_key, NextKey::Lacking);
    let copy = desk
        .key_of("desk2")
        .with_file_name(next.file.file_name().unwrap());
    std::fs::copy(&next.file, &copy).unwrap();
    said(&other, at(2)).await;
    assert_eq!(own(&other).await.next_key, NextKey::Held);
    committed(&one, &[], at(3)).await.unwrap();
    append(&other).await.unwrap();
    assert_eq!(other.key_id(), next.id);
    other.close().await;

    let again = desk.opens_with("desk2", &source).await.unwrap();
    append(&again).await.unwrap();
    again.close().await;
    assert!(copy.exists(), "the credential is the old one still");
    std::fs::remove_file(&credential).unwrap();
    std::fs::copy(desk.key_of("desk1"), &credential).unwrap();
    std::fs::remove_file(&copy).unwrap();
    let anew = desk.opens_with("desk2", &source).await.unwrap();
    append(&anew).await.unwrap();
    assert_eq!(verdict(&anew).await.fault, None);
}

/// A machine keeps a token that the database did not take, while the key is rotated elsewhere.
#[rstest]
#[tokio::test]
async fn what_is_kept_in_files_is_sealed_with_the_next_key(#[values(true, false)] runs_on: bool) {
    let desk = Desk::new();
    let (one, other) = two_machines(&desk).await;
    let kept = SpoolDesk::over(DatabaseFixture::of(tempfile::tempdir().unwrap(), other.clone()));
    let run = SqlExecutionStateRepository::new(other.clone())
        .active()
        .await
        .unwrap()
        .unwrap();
    let held = other.login_lease(TestClock::at(at(1))).acquire().await.unwrap();
    let attempt = kept.fixture.answered(run.id, "WEBSOCKET1", 1).await;
    desk.change(
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
         CREATE TRIGGER refuses BEFORE INSERT ON upstox_tokens FOR EACH ROW EXECUTE FUNCTION refuses()",
    );
    let new = token(attempt, "WEBSOCKET1", 1);
    kept.tokens
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    desk.change("DROP TRIGGER refuses ON upstox_tokens");
    drop(held);

    let next = prepared(&one).await;
    copied(&desk, &next.file, "desk2");
    said(&other, at(2)).await;
    committed(&one, &[], at(3)).await.unwrap();
    let data = if runs_on {
        append(&other).await.unwrap();
        other
    } else {
        other.close().await;
        desk.machine_with_key("desk2").await
    };
    let kept = SpoolDesk::over(DatabaseFixture::of(tempfile::tempdir().unwrap(), data.clone()));
    let loaded = kept.tokens.load_all().await.unwrap();
    assert_eq!(
        loaded.iter().filter(|token| token.is_ok()).count(),
        2,
        "{loaded:?}"
    );
    let _held = data.login_lease(TestClock::at(at(4))).acquire().await.unwrap();
    kept.spool.import(at(4)).await.unwrap();
    assert_eq!(SqlTokenRepository::new(data).load_all().await.unwrap().len(), 2);
}
