//! `TokenChanges` over SQLite beyond the contract that every store keeps: files of the spool, and a database that is gone.

use std::time::Duration;

use chrono::TimeDelta;
use rstest::rstest;
use tokio::time::timeout;
use vega_domain::audit::AuditKind;
use vega_domain::ids::Generation;
use vega_domain::ports::{TokenChanges, TokenCheck, TokenSpool, UpstoxTokenRepository};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_persistence::{FileTokenSpool, SqlTokenChanges};

use crate::database_fixture::{DatabaseFixture, api, entry, open, token};

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

/// Numbers of what was lost with a server are used again, so a number does not tell what came later.
#[rstest]
#[case::it_is_the_last_thing_that_happened(1, false, true)]
#[case::somebody_signed_in_later(-1, false, false)]
#[case::somebody_revoked_later(1, true, false)]
#[tokio::test]
async fn a_token_is_put_back_unless_something_came_later(
    #[case] issued_minutes_later: i64,
    #[case] is_revoked: bool,
    #[case] is_put_back: bool,
) {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    let told = entry(AuditKind::TokenStored);
    let first = token(attempt, "PRIMARY", 1);
    fixture.tokens.store(&first, &told).await.unwrap();
    let lost = StoredToken {
        generation: Generation::new(2).unwrap(),
        issued_at: first.token.issued_at + TimeDelta::minutes(issued_minutes_later),
        access_token: AccessToken::new("CANARY-lost"),
        ..first.token.clone()
    };
    if is_revoked {
        let check = TokenCheck {
            api: lost.api.clone(),
            generation: Generation::FIRST,
            check: LastCheck {
                at: lost.issued_at + TimeDelta::minutes(1),
                result: CheckResult::Revoked,
            },
        };
        let revoked = entry(AuditKind::TokenRevoked);
        fixture.tokens.record_checks(&[(check, revoked)]).await.unwrap();
    }
    let changes = SqlTokenChanges::new(fixture.data.clone());
    assert_eq!(changes.put_back(&lost, &told).await.unwrap(), is_put_back);
    let newest = fixture.tokens.newest_generation(&lost.api).await.unwrap();
    assert_eq!(newest.map(Generation::get), Some(if is_put_back { 2 } else { 1 }));
}
