//! The contract of `TokenChanges`.

use std::time::Duration;

use tokio::time::timeout;
use vega_domain::audit::AuditKind;
use vega_domain::ids::Generation;
use vega_domain::ports::{TokenChanges, TokenCheck};
use vega_domain::token::{CheckResult, LastCheck};

use super::contract_fixture::ContractFixture;
use super::installation::{Installation, Stores};
use crate::builders::{api, at, entry, token};

/// Far longer than the port promises; how long it takes is measured by `cargo xtask bench`.
const AT_MOST: Duration = Duration::from_secs(30);

/// Long enough to ask several times.
const QUIET: Duration = Duration::from_millis(300);

async fn is_told(changes: &dyn TokenChanges) {
    timeout(AT_MOST, changes.changed()).await.unwrap();
}

async fn is_told_once(changes: &dyn TokenChanges) {
    is_told(changes).await;
    assert!(timeout(QUIET, changes.changed()).await.is_err(), "told twice");
}

async fn reject(stores: &Stores) {
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(10),
            result: CheckResult::Invalid,
        },
    };
    let audit = entry(AuditKind::TokenChecked);
    stores.tokens.record_checks(&[(check, audit)]).await.unwrap();
}

pub async fn each_commit_is_told_whoever_made_it<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let other = fixture.elsewhere().await;
    let changes = &*fixture.changes;
    is_told_once(changes).await;

    let run = fixture.running(&["PRIMARY"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    is_told_once(changes).await;
    for by in [&*fixture, &other] {
        reject(by).await;
        is_told_once(changes).await;
    }
}

pub async fn a_commit_that_comes_while_a_call_waits_ends_it<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let other = fixture.elsewhere().await;
    is_told(&*fixture.changes).await;
    tokio::join!(is_told(&*fixture.changes), reject(&other));
}

pub async fn what_goes_into_the_spool_is_told_too<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture.spool.prepare(&[api("PRIMARY")]).await.unwrap();
    fixture.refuse_commits(true).await;
    let other = fixture.elsewhere().await;
    is_told_once(&*other.changes).await;
    fixture.store(&token(attempt, "PRIMARY", 1)).await.unwrap();
    is_told_once(&*other.changes).await;
}

pub async fn a_call_that_is_dropped_has_seen_nothing<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    is_told(&*fixture.changes).await;
    reject(&fixture).await;
    for _ in 0..20 {
        // Given up before the store answers, mostly; what is told is told.
        if timeout(Duration::ZERO, fixture.changes.changed()).await.is_ok() {
            return;
        }
    }
    is_told(&*fixture.changes).await;
}
