//! Copies of the spool's files, and rows that are taken away: a token that was revoked comes back from none of them.

use std::path::PathBuf;

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::Generation;
use vega_domain::ports::{AccessKeys, TokenCheck, TokenSpool, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_persistence::{SqlAccessRepository, tokens_without_opening};

use crate::database_fixture::{account, api, at, key_path, url};
use crate::row_values::{attacker, sql};
use crate::spool::Desk;

/// The spool's files as they were.
struct Copies(Vec<(PathBuf, Vec<u8>)>);

impl Copies {
    fn keep(desk: &Desk) -> Self {
        let files = std::fs::read_dir(desk.folder()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        Self(
            files
                .map(|file| (file.clone(), std::fs::read(file).unwrap()))
                .collect(),
        )
    }

    fn put_back(&self) {
        for (file, bytes) in &self.0 {
            std::fs::write(file, bytes).unwrap();
        }
    }
}

async fn revoke(desk: &Desk) {
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(7),
            result: CheckResult::Revoked,
        },
    };
    let words = "generation 1, by the operator";
    let audit = AuditEntry::new(at(7), AuditKind::TokenRevoked, words).about(&account(), &api("PRIMARY"));
    let newest = desk.tokens.record_checks(&[(check, audit)]).await.unwrap();
    assert_eq!(newest, [true]);
}

/// With its log, from which SQLite would build a part of it again.
fn make_unreadable(desk: &Desk) {
    let database = desk.fixture.data.path();
    for ending in ["db", "db-wal", "db-shm"] {
        let _ = std::fs::remove_file(database.with_extension(ending));
    }
    std::fs::write(database, b"no database").unwrap();
}

/// Neither in this process nor to whoever reads without opening is it a good one.
async fn assert_worthless(desk: &Desk) {
    let all = desk.tokens.load_all().await.unwrap();
    let served: Vec<_> = all.iter().flatten().filter(|token| !token.is_refused()).collect();
    assert!(served.is_empty(), "{served:?}");
    let served_without_opening =
        tokens_without_opening(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
    let served: Vec<_> = served_without_opening
        .unwrap()
        .into_iter()
        .filter(|token| !token.is_refused())
        .collect();
    assert!(served.is_empty(), "without opening: {served:?}");
}

#[tokio::test]
async fn an_earlier_file_of_the_spool_does_not_bring_a_revoked_token_back() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let copies = Copies::keep(&desk);
    assert!(
        desk.tokens.load_all().await.unwrap()[0]
            .as_ref()
            .unwrap()
            .is_servable(at(8))
    );
    revoke(&desk).await;
    let told = desk.audit().await;
    assert_eq!(told.last().unwrap().0, "token_revoked", "at once");
    copies.put_back();
    assert_worthless(&desk).await;
    desk.table_works("upstox_tokens").await;
    desk.spool.import(at(20)).await.unwrap();
    let row = desk.fixture.token("PRIMARY").await;
    assert!(row.is_revoked() && !row.is_servable(at(21)));
    let newest = desk.tokens.newest_generation(&api("PRIMARY")).await.unwrap();
    assert_eq!(newest, Some(Generation::FIRST));
    let revoked = desk
        .audit()
        .await
        .into_iter()
        .filter(|(kind, _)| kind == "token_revoked");
    assert_eq!(revoked.count(), 1, "told once");
    copies.put_back();
    assert_worthless(&desk).await;
}

/// Its number is not given again, or the next token would be taken for it.
#[tokio::test]
async fn the_next_token_counts_after_a_revoked_one_that_is_lost() {
    let desk = Desk::new().await;
    let (run, _) = desk.kept_token().await;
    revoke(&desk).await;
    std::fs::remove_dir_all(desk.folder()).unwrap();
    desk.table_works("upstox_tokens").await;
    let newest = desk.tokens.newest_generation(&api("PRIMARY")).await.unwrap();
    assert_eq!(newest, Some(Generation::FIRST));
    let attempt = desk.fixture.answered(run, "PRIMARY", 2).await;
    let new = crate::database_fixture::token(attempt, "PRIMARY", 2);
    let stored = AuditEntry::new(at(9), AuditKind::TokenStored, "");
    desk.tokens.store(&new, &stored).await.unwrap();
    assert!(desk.fixture.token("PRIMARY").await.is_servable(at(10)));
}

#[tokio::test]
async fn a_row_that_was_taken_away_and_accepted_does_not_come_back_from_the_spool() {
    for spoil in [
        "",
        "; DELETE FROM latest_changes",
        "; DELETE FROM latest_changes; DELETE FROM audit_events WHERE id > 2",
    ] {
        let desk = Desk::new().await;
        desk.kept_token().await;
        let copies = Copies::keep(&desk);
        desk.table_works("upstox_tokens").await;
        desk.spool.import(at(6)).await.unwrap();
        revoke(&desk).await;
        let pool = attacker(&desk.fixture).await;
        sql(&pool, &format!("DELETE FROM upstox_tokens{spoil}")).await;
        desk.fixture.data.accept("looked at it", at(60)).await.unwrap();
        copies.put_back();
        assert_worthless(&desk).await;
    }
}

/// The clock was ahead when the operator accepted a database of which nothing counts any more. What is signed in for
/// afterwards counts all the same, in its row and in the spool.
#[tokio::test]
async fn a_clock_that_was_ahead_at_an_acceptance_takes_no_later_token() {
    let desk = Desk::new().await;
    let (run, _) = desk.kept_token().await;
    desk.table_works("upstox_tokens").await;
    desk.spool.import(at(6)).await.unwrap();
    let pool = attacker(&desk.fixture).await;
    sql(
        &pool,
        "DELETE FROM latest_changes; DELETE FROM audit_events WHERE id > 2",
    )
    .await;
    desk.fixture
        .data
        .accept("looked at it", at(100_000))
        .await
        .unwrap();
    assert!(desk.fixture.token("PRIMARY").await.is_revoked());

    let attempt = desk.fixture.answered(run, "PRIMARY", 2).await;
    let new = crate::database_fixture::token(attempt, "PRIMARY", 2);
    let stored = AuditEntry::new(at(9), AuditKind::TokenStored, "");
    desk.table_fails("upstox_tokens").await;
    desk.tokens.store(&new, &stored).await.unwrap();
    let served = desk.tokens.load_all().await.unwrap();
    assert!(
        served[0].as_ref().unwrap().is_servable(at(10)),
        "from the spool: {served:?}"
    );
    desk.table_works("upstox_tokens").await;
    desk.spool.import(at(11)).await.unwrap();
    assert!(desk.fixture.token("PRIMARY").await.is_servable(at(12)));
}

/// A token of before waits in the spool, and somebody makes its sign-in look open again: it is moved, as a revoked one.
#[tokio::test]
async fn an_edited_sign_in_makes_no_token_of_before_good() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let copies = Copies::keep(&desk);
    desk.table_works("upstox_tokens").await;
    let pool = attacker(&desk.fixture).await;
    sql(
        &pool,
        "DELETE FROM latest_changes; DELETE FROM audit_events WHERE id = 1",
    )
    .await;
    desk.fixture.data.accept("looked at it", at(60)).await.unwrap();
    copies.put_back();
    sql(
        &pool,
        "UPDATE sign_in_attempts SET status = 'answered', closed_at = NULL",
    )
    .await;
    desk.spool.import(at(70)).await.unwrap();
    let all = desk.tokens.load_all().await.unwrap();
    let served: Vec<_> = all.iter().flatten().filter(|token| !token.is_refused()).collect();
    assert!(served.is_empty(), "{served:?}");
}

/// Where the database cannot be read at all, only what took a token out of force speaks against the spool's copies; of an
/// earlier Vega's checkpoints nobody can tell what they were for.
#[tokio::test]
async fn a_checkpoint_of_something_else_withholds_no_token() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let key = crate::access_repository::key("ALGO", 1);
    let access = SqlAccessRepository::new(desk.fixture.data.clone());
    let added = AuditEntry::new(at(6), AuditKind::KeyAdded, "");
    access.add_key(&key, &added).await.unwrap();
    let revoked = AuditEntry::new(at(7), AuditKind::KeyRevoked, "");
    assert!(access.revoke_key(key.key.id, &revoked).await.unwrap());
    desk.fixture.data.close().await;
    make_unreadable(&desk);
    let served = async || {
        let tokens = tokens_without_opening(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
        tokens.unwrap().iter().filter(|token| !token.is_refused()).count()
    };
    assert_eq!(served().await, 1);
    let checkpoints = key_path(&desk.fixture.dir).with_file_name("vega.checkpoints");
    let text = std::fs::read_to_string(&checkpoints).unwrap();
    assert!(text.contains(" other-change "), "{text}");
    std::fs::write(&checkpoints, text.replace(" other-change ", " change ")).unwrap();
    assert_eq!(served().await, 0);
}

/// Where the database cannot be read at all, the checkpoint tells that something was revoked since.
#[tokio::test]
async fn a_database_that_cannot_be_read_does_not_free_an_earlier_file_of_the_spool() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let copies = Copies::keep(&desk);
    let before = tokens_without_opening(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
    assert_eq!(before.unwrap().len(), 1);
    revoke(&desk).await;
    copies.put_back();
    desk.fixture.data.close().await;
    make_unreadable(&desk);
    let served_without_opening =
        tokens_without_opening(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
    let served_without_opening = served_without_opening.unwrap();
    assert!(
        served_without_opening.iter().all(StoredToken::is_refused),
        "{served_without_opening:?}"
    );
}
