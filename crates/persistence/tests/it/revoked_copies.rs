//! Copies of the spool's files, and rows that are taken away: a token that was revoked comes back from none of them.

use std::path::PathBuf;

use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::Generation;
use vega_domain::ports::{TokenCheck, TokenSpool, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, LastCheck, StoredToken};
use vega_persistence::tokens_without_opening;

use crate::row_values::{attacker, sql};
use crate::spool::Desk;
use crate::world::{account, api, at, key_path, url};

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
    assert!(desk.tokens.record_check(&check, &audit).await.unwrap());
}

/// Neither in this process nor to whoever reads without opening is it a good one.
async fn assert_worthless(desk: &Desk) {
    let all = desk.tokens.load_all().await.unwrap();
    let served: Vec<_> = all.iter().flatten().filter(|token| !token.is_refused()).collect();
    assert!(served.is_empty(), "{served:?}");
    let unopened = tokens_without_opening(&url(&desk.world.dir), &key_path(&desk.world.dir)).await;
    let served: Vec<_> = unopened
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
    let row = desk.world.token("PRIMARY").await;
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
    let attempt = desk.world.answered(run, "PRIMARY", 2).await;
    let new = crate::world::token(attempt, "PRIMARY", 2);
    let stored = AuditEntry::new(at(9), AuditKind::TokenStored, "");
    desk.tokens.store(&new, &stored).await.unwrap();
    assert!(desk.world.token("PRIMARY").await.is_servable(at(10)));
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
        let pool = attacker(&desk.world).await;
        sql(&pool, &format!("DELETE FROM upstox_tokens{spoil}")).await;
        desk.world.data.accept("looked at it", at(60)).await.unwrap();
        copies.put_back();
        assert_worthless(&desk).await;
    }
}

/// Where the database cannot be read at all, the checkpoint tells that something was revoked since.
#[tokio::test]
async fn a_database_that_cannot_be_read_does_not_free_an_earlier_file_of_the_spool() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let copies = Copies::keep(&desk);
    let before = tokens_without_opening(&url(&desk.world.dir), &key_path(&desk.world.dir)).await;
    assert_eq!(before.unwrap().len(), 1);
    revoke(&desk).await;
    copies.put_back();
    desk.world.data.close().await;
    std::fs::write(desk.world.data.path(), b"no database").unwrap();
    let unopened = tokens_without_opening(&url(&desk.world.dir), &key_path(&desk.world.dir)).await;
    let unopened = unopened.unwrap();
    assert!(unopened.iter().all(StoredToken::is_refused), "{unopened:?}");
}
