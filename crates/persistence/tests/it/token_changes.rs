//! `TokenChanges` over SQLite: two data sources are two processes' worth of connections.

use std::time::Duration;

use rstest::rstest;
use tokio::time::timeout;
use vega_domain::audit::AuditKind;
use vega_domain::ids::Generation;
use vega_domain::ports::{TokenChanges, TokenCheck, TokenSpool, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::{DataSource, FileTokenSpool, SqliteTokenChanges, SqliteTokenRepository};

use crate::world::{World, api, at, entry, open, token};

/// Far longer than the port promises; how long it takes is measured by `cargo xtask bench`.
const AT_MOST: Duration = Duration::from_secs(30);

/// Long enough to ask several times.
const QUIET: Duration = Duration::from_millis(300);

async fn is_told(changes: &SqliteTokenChanges) {
    timeout(AT_MOST, changes.changed()).await.unwrap();
}

async fn is_not_told(changes: &SqliteTokenChanges) {
    assert!(timeout(QUIET, changes.changed()).await.is_err());
}

async fn reject(data: &DataSource) {
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(10),
            result: CheckResult::Invalid,
        },
    };
    SqliteTokenRepository::new(data.clone())
        .record_check(&check, &entry(AuditKind::TokenChecked))
        .await
        .unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    ThisProcess,
    Another,
}

#[rstest]
#[case::this_process(By::ThisProcess)]
#[case::another_process(By::Another)]
#[tokio::test]
async fn each_commit_is_told_once_whoever_made_it(#[case] by: By) {
    let world = World::new().await;
    let other = open(&world.dir).await;
    let changes = SqliteTokenChanges::new(world.data.clone());
    is_told(&changes).await;
    is_not_told(&changes).await;

    let run = world.running(&["PRIMARY"]).await;
    let attempt = world.answered(run, "PRIMARY", 1).await;
    is_told(&changes).await;
    is_not_told(&changes).await;

    let data = if by == By::Another { &other } else { &world.data };
    let tokens = SqliteTokenRepository::new(data.clone());
    tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    is_told(&changes).await;
    is_not_told(&changes).await;

    reject(data).await;
    is_told(&changes).await;
    is_not_told(&changes).await;
}

#[tokio::test]
async fn a_commit_that_comes_while_a_call_waits_ends_it() {
    let world = World::new().await;
    let changes = SqliteTokenChanges::new(world.data.clone());
    is_told(&changes).await;
    let other = open(&world.dir).await;
    tokio::join!(is_told(&changes), reject(&other));
}

#[tokio::test]
async fn what_goes_into_the_spool_is_told_too() {
    let world = World::new().await;
    let spool = FileTokenSpool::new(open(&world.dir).await);
    let prepare = async |name| spool.prepare(&[api(name)]).await.unwrap();
    prepare("PRIMARY").await;
    let changes = SqliteTokenChanges::new(world.data.clone());
    is_told(&changes).await;
    is_not_told(&changes).await;
    let slot = world.data.path().with_extension("spool").join("PRIMARY.slot");
    std::fs::write(slot, b"what another process keeps").unwrap();
    is_told(&changes).await;
    is_not_told(&changes).await;
    prepare("WEBSOCKET1").await;
    is_told(&changes).await;
    is_not_told(&changes).await;
}

#[tokio::test]
async fn a_call_that_is_dropped_has_seen_nothing() {
    let world = World::new().await;
    let changes = SqliteTokenChanges::new(world.data.clone());
    is_told(&changes).await;
    reject(&world.data).await;
    for _ in 0..20 {
        // Given up before SQLite answers, mostly; what is told is told.
        if timeout(Duration::ZERO, changes.changed()).await.is_ok() {
            return;
        }
    }
    is_told(&changes).await;
}

#[tokio::test]
async fn a_database_that_cannot_tell_makes_the_caller_look() {
    let world = World::new().await;
    let changes = SqliteTokenChanges::new(world.data.clone());
    is_told(&changes).await;
    world.data.close().await;
    for _ in 0..3 {
        is_told(&changes).await;
    }
}
