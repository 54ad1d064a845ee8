//! Earlier rows that are put back with their values, rows that are taken away, and what closes accounts and counts presses:
//! nothing comes back, and what restricts stays.

use std::time::Duration;

use rstest::rstest;
use sqlx::sqlite::SqlitePool;
use vega_domain::audit::AuditKind;
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::Generation;
use vega_domain::ports::{
    AccessKeys, ConsoleSessions, CooldownRepository, OtpGrant, OtpLedger, RunHistory, SignInAttempts,
    StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::row_faults::RowFaults;
use vega_domain::secret::AuthorizationCode;
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::SqlTokenRepository;

use crate::database_fixture::{account, api, at, attempt, entry, mobile, open, token};

use crate::row_values::{Stage, attacker, hash, session, sql, stop};

/// What an attacker kept is put back, row values and all.
pub(crate) struct Kept;

impl Kept {
    pub(crate) async fn keep(pool: &SqlitePool, tables: &[&str]) {
        for table in tables {
            sql(
                pool,
                &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"),
            )
            .await;
        }
    }

    pub(crate) async fn put_back(pool: &SqlitePool, tables: &[&str]) {
        for table in tables {
            sql(
                pool,
                &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}"),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_token_row_from_before_its_revocation_is_not_served() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["upstox_tokens", "latest_changes"]).await;
    stage.revoke_token().await;
    Kept::put_back(&pool, &["upstox_tokens"]).await;
    let error = stage.token().await.unwrap_err();
    assert!(
        error.to_string().contains("an earlier one that was put back"),
        "{error}"
    );
    let faults = stage.faults().await;
    assert_eq!((faults.rows.len(), faults.rows[0].kind), (1, "put_back"));
    // With the list of latest changes it fits in itself, but the trail went on.
    Kept::put_back(&pool, &["latest_changes"]).await;
    assert!(matches!(
        stage.token().await.unwrap_err(),
        StoreError::NotAccepted(_)
    ));
}

/// It is remembered by its value, which must be that of what is stored.
#[tokio::test]
async fn a_list_of_changes_that_was_read_before_is_read_again_when_it_changes() {
    let stage = Stage::new().await;
    stage.token().await.unwrap();
    // Another process changes the list together with a row, and this one does so after it.
    let elsewhere = SqlTokenRepository::new(open(&stage.fixture.dir).await);
    let check = LastCheck {
        at: at(15),
        result: CheckResult::Invalid,
    };
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::new(2).unwrap(),
        check,
    };
    elsewhere
        .record_checks(&[(check, entry(AuditKind::TokenChecked))])
        .await
        .unwrap();
    stage.token().await.unwrap();
    stage.revoke_token().await;
    stage.token().await.unwrap();
    assert!(stage.faults().await.is_none());
    // The value is left as it is, and the list is edited.
    let pool = attacker(&stage.fixture).await;
    sql(
        &pool,
        "UPDATE latest_changes SET marks = replace(marks, 'revoked PRIMARY', 'revoked OTHER')",
    )
    .await;
    assert!(matches!(
        stage.token().await.unwrap_err(),
        StoreError::NotAccepted(_)
    ));
}

#[tokio::test]
async fn what_did_not_fit_when_it_was_revoked_stays_revoked() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    let key = stage.access.keys().await.unwrap()[0].key.id;
    Kept::keep(&pool, &["upstox_tokens", "access_keys"]).await;
    sql(
        &pool,
        "UPDATE upstox_tokens SET user_id = 'ZZ9999'; UPDATE access_keys SET scopes = 'admin'",
    )
    .await;
    stage.revoke_token().await;
    let audit = entry(AuditKind::KeyRevoked);
    assert!(stage.access.revoke_key(key, &audit).await.unwrap());
    Kept::put_back(&pool, &["upstox_tokens", "access_keys"]).await;
    let error = stage.token().await.unwrap_err();
    assert!(matches!(error, StoreError::ChangedOutside(_)), "{error}");
    let living = stage.access.keys().await.unwrap();
    assert!(living.iter().all(|stored| stored.key.id != key), "{living:?}");
}

#[tokio::test]
async fn a_token_row_that_was_taken_away_is_missed_and_its_number_is_not_given_again() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    sql(&pool, "DELETE FROM upstox_tokens WHERE generation = 2").await;
    let error = stage.token().await.unwrap_err();
    assert!(
        matches!(error, StoreError::ChangedOutside(_)),
        "the one before is not served: {error}"
    );
    sql(&pool, "DELETE FROM upstox_tokens").await;
    let error = stage.token().await.unwrap_err();
    assert!(error.to_string().contains("was taken away"), "{error}");
    let newest = stage
        .fixture
        .tokens
        .newest_generation(&api("PRIMARY"))
        .await
        .unwrap();
    assert_eq!(newest, Generation::new(2).ok());
}

#[tokio::test]
async fn a_newer_token_is_served_beside_what_does_not_fit() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    sql(&pool, "UPDATE upstox_tokens SET user_id = 'ZZ9999'").await;
    stage.token().await.unwrap_err();
    let run = stage.fixture.runs.active().await.unwrap().unwrap().id;
    let done = stage.fixture.answered(run, "PRIMARY", 3).await;
    let mut new = token(done, "PRIMARY", 3);
    new.token.generation = Generation::new(3).unwrap();
    stage
        .fixture
        .tokens
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    stage.token().await.unwrap();
    let owner = stage.fixture.tokens.owner(&account()).await.unwrap().unwrap();
    assert_eq!(owner.as_str(), "AB1234");
}

#[tokio::test]
async fn a_key_row_from_before_its_revocation_opens_nothing() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["access_keys"]).await;
    let id = stage.key;
    assert!(
        stage
            .access
            .revoke_key(id, &entry(AuditKind::KeyRevoked))
            .await
            .unwrap()
    );
    assert!(stage.access.keys().await.unwrap()[0].key.revoked_at.is_some());
    Kept::put_back(&pool, &["access_keys"]).await;
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.faults().await.rows[0].kind, "put_back");
    // Revoked once more it is gone, and comes back to nobody.
    stage
        .access
        .revoke_key(id, &entry(AuditKind::KeyRevoked))
        .await
        .unwrap();
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.faults().await.rows.len(), 0, "nothing is wrong any more");
    Kept::put_back(&pool, &["access_keys"]).await;
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.faults().await.rows.len(), 1);
}

#[tokio::test]
async fn sessions_and_links_come_back_to_nobody() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    Kept::keep(&pool, &["console_sessions", "console_links"]).await;
    assert!(stage.access.session(&hash(9)).await.unwrap().is_some());
    stage.access.touch_session(stage.session, at(100)).await.unwrap();
    let touched = stage.access.session(&hash(9)).await.unwrap().unwrap();
    assert_eq!(touched.last_seen_at, at(100));
    stage
        .access
        .end_session(stage.session, &entry(AuditKind::ConsoleSessionEnded))
        .await
        .unwrap();
    Kept::put_back(&pool, &["console_sessions"]).await;
    assert_eq!(
        stage.access.session(&hash(9)).await.unwrap(),
        None,
        "an ended one"
    );
    // A link and a session of one's own.
    sql(
        &pool,
        "UPDATE console_links SET code_hash = x'0707070707070707070707070707070707070707070707070707070707070707'",
    )
    .await;
    assert!(!stage.redeem(7, &session()).await, "a link that Vega never made");
    sql(&pool, "DELETE FROM console_sessions").await;
    stage.fixture.data.close().await;
}

#[rstest]
#[case::taken_away("DELETE FROM cooldowns")]
#[case::shorter("UPDATE cooldowns SET length_ms = 1")]
#[case::another("UPDATE cooldowns SET since = '2020-01-01T00:00:00+00:00', length_ms = 1")]
#[tokio::test]
async fn a_closed_account_stays_closed_whatever_is_done_to_its_row(#[case] edit: &str) {
    let stage = Stage::new().await;
    sql(&attacker(&stage.fixture).await, edit).await;
    let closed = stage.cooldowns.load_all().await.unwrap();
    assert_eq!(closed.len(), 1);
    assert!(closed[0].is_stop(), "{:?}", closed[0]);
    assert!(
        closed[0].failure.detail.contains("outside Vega"),
        "{:?}",
        closed[0]
    );
    // A cooldown does not take its place, the operator's word opens it, and then it is over.
    let cooldown = Cooldown {
        hold: AccountHold::Cooldown {
            length: Duration::from_secs(1),
        },
        ..stop()
    };
    stage
        .cooldowns
        .close(&cooldown, &entry(AuditKind::CooldownBegun))
        .await
        .unwrap();
    let closed = stage.cooldowns.load_all().await.unwrap();
    assert!(closed[0].is_stop());
    let audit = entry(AuditKind::AccountOpened);
    assert!(stage.cooldowns.open(&closed[0], &audit).await.unwrap());
    assert_eq!(stage.cooldowns.load_all().await.unwrap(), []);
    assert_eq!(stage.faults().await, RowFaults::default());
}

#[rstest]
#[case::taken_away("DELETE FROM otp_requests")]
#[case::earlier(
    "UPDATE otp_requests SET requested_at = '2020-01-01T00:00:00+00:00', boot = NULL, since_boot_ms = NULL"
)]
#[case::of_another("UPDATE otp_requests SET mobile_number = '9000000009'")]
#[tokio::test]
async fn no_press_is_made_while_the_record_of_presses_does_not_fit(#[case] edit: &str) {
    let stage = Stage::new().await;
    sql(&attacker(&stage.fixture).await, edit).await;
    let next = attempt(
        stage.fixture.runs.active().await.unwrap().unwrap().id,
        "WEBSOCKET1",
        1,
    );
    stage
        .fixture
        .journal
        .open_attempt(&next, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let stage = Stage {
        open_attempt: next.id,
        ..stage
    };
    let refused = stage.press().await.unwrap_err();
    assert!(matches!(refused, StoreError::ChangedOutside(_)), "{refused}");
    let shown = stage
        .fixture
        .journal
        .otp_presses(&[mobile()], 4)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(shown.len(), 4, "none is left");
    stage.fixture.data.accept("looked at it", at(50)).await.unwrap();
    assert_eq!(stage.faults().await, RowFaults::default());
    assert_eq!(stage.press().await.unwrap(), OtpGrant::Granted);
}

#[tokio::test]
async fn a_sign_in_that_was_brought_back_sends_its_code_to_nobody() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    let code = AuthorizationCode::new("CANARY-code");
    let journal = &stage.fixture.journal;
    let at_first = stage.open_attempt;
    Kept::keep(&pool, &["sign_in_attempts"]).await;
    let audit = entry(AuditKind::ExchangeIntended);
    journal.seal_code(at_first, &code, at(9), &audit).await.unwrap();
    Kept::put_back(&pool, &["sign_in_attempts"]).await;
    let again = journal
        .seal_code(at_first, &code, at(9), &audit)
        .await
        .unwrap_err();
    assert!(matches!(again, StoreError::ChangedOutside(_)), "{again}");
    let left = journal.unfinished().await.unwrap();
    assert!(
        left[0].delivered.is_none() && left[0].exchange_sent_at.is_some(),
        "{left:?}"
    );
    // It is closed as what needs a look, and its API waits for a yes of its own.
    let failure = Failure::new(FailureReason::NeedsReview, "left");
    journal
        .close(at_first, &failure, at(10), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
}

#[tokio::test]
async fn how_the_last_sign_in_ended_is_unresolved_when_its_row_is_edited() {
    let stage = Stage::new().await;
    let failure = Failure::new(FailureReason::OutcomeUnknown, "no answer");
    stage
        .fixture
        .journal
        .close(
            stage.open_attempt,
            &failure,
            at(10),
            &entry(AuditKind::AttemptClosed),
        )
        .await
        .unwrap();
    let pool = attacker(&stage.fixture).await;
    for edit in [
        "UPDATE sign_in_attempts SET failure = 'network' WHERE api = 'WEBSOCKET1'",
        "DELETE FROM sign_in_attempts WHERE api = 'WEBSOCKET1'",
    ] {
        sql(&pool, edit).await;
        let failures = stage.fixture.runs.last_failures().await.unwrap();
        let last = failures
            .iter()
            .find(|last| last.api == api("WEBSOCKET1"))
            .unwrap();
        assert_eq!(last.failure.reason, FailureReason::NeedsReview, "{edit}");
    }
}
