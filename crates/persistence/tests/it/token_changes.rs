//! `TokenChanges` over SQLite beyond the contract that every store keeps: files of the spool, and a database that is gone.

use std::time::Duration;

use tokio::time::timeout;
use vega_domain::ports::{TokenChanges, TokenSpool};
use vega_persistence::{FileTokenSpool, SqlTokenChanges};

use crate::database_fixture::{DatabaseFixture, api, open};

/// Far longer than the port promises; how long it takes is measured by `cargo xtask bench`.
const AT_MOST: Duration = Duration::from_secs(30);

/// Long enough to ask several times.
const QUIET: Duration = Duration::from_millis(300);

async fn is_told(changes: &SqlTokenChanges) {
    timeout(AT_MOST, changes.changed()).await.unwrap();
}

async fn is_not_told(changes: &SqlTokenChanges) {
    assert!(timeout(QUIET, changes.changed()).await.is_err());
}

#[tokio::test]
async fn what_goes_into_the_spool_is_told_too() {
    let fixture = DatabaseFixture::new().await;
    let spool = FileTokenSpool::new(open(&fixture.dir).await);
    let prepare = async |name| spool.prepare(&[api(name)]).await.unwrap();
    prepare("PRIMARY").await;
    let changes = SqlTokenChanges::new(fixture.data.clone());
    is_told(&changes).await;
    is_not_told(&changes).await;
    let slot = fixture.data.path().with_extension("spool").join("PRIMARY.slot");
    std::fs::write(slot, b"what another process keeps").unwrap();
    is_told(&changes).await;
    is_not_told(&changes).await;
    prepare("WEBSOCKET1").await;
    is_told(&changes).await;
    is_not_told(&changes).await;
}

#[tokio::test]
async fn a_database_that_cannot_tell_makes_the_caller_look() {
    let fixture = DatabaseFixture::new().await;
    let changes = SqlTokenChanges::new(fixture.data.clone());
    is_told(&changes).await;
    fixture.data.close().await;
    for _ in 0..3 {
        is_told(&changes).await;
    }
}
