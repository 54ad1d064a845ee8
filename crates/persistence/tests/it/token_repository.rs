//! `UpstoxTokenRepository` over SQLite.

use vega_domain::audit::AuditKind;
use vega_domain::failure::FailureReason;
use vega_domain::ids::{AccountId, Generation, UserId};

use vega_domain::ports::{StoreError, TokenCheck, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, LastCheck};

use crate::world::{World, api, at, entry, token};

#[tokio::test]
async fn a_stored_token_reads_back_whole() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = world.answered(run, "PRIMARY", 1).await;
    let new = token(attempt, "PRIMARY", 1);
    world
        .tokens
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();

    let found = world.token("PRIMARY").await;
    assert_eq!(found.access_token.expose(), "CANARY-token-PRIMARY-1");
    assert_eq!(
        (found.client_id, found.user_id, found.generation, found.account),
        (
            new.token.client_id,
            new.token.user_id,
            new.token.generation,
            new.token.account
        )
    );
    assert_eq!(
        (
            found.issued_at,
            found.valid_until,
            found.verified_at,
            found.rejected_at,
            found.last_check
        ),
        (
            new.token.issued_at,
            new.token.valid_until,
            new.token.verified_at,
            None,
            new.token.last_check
        )
    );
    let newest = async |name| world.tokens.newest_generation(&api(name)).await.unwrap();
    assert_eq!(
        (newest("PRIMARY").await, newest("OTHER").await),
        (Some(Generation::FIRST), None)
    );
}

#[tokio::test]
async fn the_newest_generation_wins_and_the_audit_is_in_the_commit() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for (name, generation) in [("PRIMARY", 1), ("WEBSOCKET1", 1), ("PRIMARY", 2)] {
        let attempt = world.answered(run, name, generation).await;
        world
            .tokens
            .store(&token(attempt, name, generation), &entry(AuditKind::TokenStored))
            .await
            .unwrap();
    }
    let all = world.tokens.load_all().await.unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|token| token.as_ref().unwrap())
        .map(|token| (token.api.as_str(), token.generation.get()))
        .collect();
    assert_eq!(seen, [("PRIMARY", 2), ("WEBSOCKET1", 1)]);
    let stored = world
        .audit_kinds()
        .await
        .iter()
        .filter(|kind| *kind == "token_stored")
        .count();
    assert_eq!(stored, 3);
}

#[tokio::test]
async fn an_account_is_whose_its_newest_verified_token_is() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    let account = AccountId::new("default").unwrap();
    assert_eq!(world.tokens.owner(&account).await.unwrap(), None);
    for (name, user, verified) in [
        ("PRIMARY", "AB1234", Some(at(5))),
        ("WEBSOCKET1", "CD5678", Some(at(6))),
        ("WEBSOCKET2", "ZZ9999", None),
    ] {
        let attempt = world.answered(run, name, 1).await;
        let mut new = token(attempt, name, 1);
        new.token.user_id = UserId::new(user).unwrap();
        new.token.verified_at = verified;
        world
            .tokens
            .store(&new, &entry(AuditKind::TokenStored))
            .await
            .unwrap();
    }
    let owner = world.tokens.owner(&account).await.unwrap();
    assert_eq!(owner, Some(UserId::new("CD5678").unwrap()));
    let other = AccountId::new("family").unwrap();
    assert_eq!(world.tokens.owner(&other).await.unwrap(), None);
}

#[tokio::test]
async fn a_stale_generation_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let first = world.answered(run, "PRIMARY", 1).await;
    let second = world.answered(run, "PRIMARY", 1).await;
    world
        .tokens
        .store(&token(first, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    let before = world.audit_kinds().await.len();

    for generation in [1, 3] {
        let refused = world
            .tokens
            .store(
                &token(second, "PRIMARY", generation),
                &entry(AuditKind::TokenStored),
            )
            .await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    assert_eq!(world.audit_kinds().await.len(), before);
    let kept = world.token("PRIMARY").await;
    assert_eq!(kept.access_token.expose(), "CANARY-token-PRIMARY-1");
}

#[tokio::test]
async fn storing_closes_the_attempt_and_erases_its_code_and_answer() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = world.answered(run, "PRIMARY", 1).await;
    world
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    let (status, code, answer): (String, Option<Vec<u8>>, Option<Vec<u8>>) =
        sqlx::query_as("SELECT status, sealed_code, sealed_answer FROM sign_in_attempts")
            .fetch_one(&world.raw().await)
            .await
            .unwrap();
    assert_eq!((status.as_str(), code, answer), ("stored", None, None));

    let again = world
        .tokens
        .store(&token(attempt, "PRIMARY", 2), &entry(AuditKind::TokenStored))
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict(_))),
        "one attempt, one token"
    );
}

#[tokio::test]
async fn a_check_keeps_the_first_verdicts_and_touches_only_its_generation() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY"]).await;
    for generation in [1, 2] {
        let attempt = world.answered(run, "PRIMARY", generation).await;
        world
            .tokens
            .store(
                &token(attempt, "PRIMARY", generation),
                &entry(AuditKind::TokenStored),
            )
            .await
            .unwrap();
    }
    let check = |generation, seconds, result| TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::new(generation).unwrap(),
        check: LastCheck {
            at: at(seconds),
            result,
        },
    };
    let record = async |check: TokenCheck| {
        world
            .tokens
            .record_check(&check, &entry(AuditKind::TokenChecked))
            .await
            .unwrap()
    };
    let unreachable = CheckResult::Unknown(FailureReason::Network);

    assert!(
        !record(check(1, 10, CheckResult::Invalid)).await,
        "generation 1 is not the newest"
    );
    assert!(record(check(2, 20, CheckResult::Valid)).await);
    assert!(record(check(2, 30, unreachable)).await);
    let token = world.token("PRIMARY").await;
    assert_eq!((token.verified_at, token.rejected_at), (Some(at(3)), None));
    assert_eq!(
        token.last_check,
        Some(LastCheck {
            at: at(30),
            result: unreachable
        })
    );

    record(check(2, 40, CheckResult::Invalid)).await;
    record(check(2, 50, CheckResult::Invalid)).await;
    let token = world.token("PRIMARY").await;
    assert_eq!(token.rejected_at, Some(at(40)));
    record(check(2, 55, unreachable)).await;
    assert_eq!(world.token("PRIMARY").await.rejected_at, Some(at(40)));

    record(check(2, 60, CheckResult::Valid)).await;
    let token = world.token("PRIMARY").await;
    assert_eq!((token.verified_at, token.rejected_at), (Some(at(3)), None));
    assert!(!token.is_refused(), "a good answer takes a refusal back");

    record(check(2, 70, CheckResult::Revoked)).await;
    for (seconds, result) in [
        (80, CheckResult::Valid),
        (90, unreachable),
        (95, CheckResult::Revoked),
    ] {
        assert!(record(check(2, seconds, result)).await);
        let token = world.token("PRIMARY").await;
        assert!(token.is_refused() && token.is_revoked(), "{result:?}");
        assert_eq!(token.rejected_at, Some(at(70)));
        assert_eq!(token.last_check.unwrap().at, at(70));
    }
}

/// From before there was a column for what the operator revoked.
#[tokio::test]
async fn a_rejection_of_an_earlier_vega_stays_for_good() {
    let world = World::new().await;
    let migration = include_str!("../../../../migrations/sqlite/0014_revoked_tokens.sql");
    let update = migration.lines().last().unwrap();
    assert!(
        update.starts_with("UPDATE upstox_tokens SET revoked_at"),
        "{update}"
    );
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for name in ["PRIMARY", "WEBSOCKET1"] {
        let attempt = world.answered(run, name, 1).await;
        let stored = entry(AuditKind::TokenStored);
        world
            .tokens
            .store(&token(attempt, name, 1), &stored)
            .await
            .unwrap();
    }
    world.check("PRIMARY", 1, CheckResult::Invalid).await;
    sqlx::query(update).execute(&world.raw().await).await.unwrap();
    // Read as it stands there: the migration comes before rows have their values.
    let revoked: Vec<String> =
        sqlx::query_scalar("SELECT api FROM upstox_tokens WHERE revoked_at IS NOT NULL")
            .fetch_all(&world.raw().await)
            .await
            .unwrap();
    assert_eq!(revoked, ["PRIMARY"]);
}

#[tokio::test]
async fn one_unreadable_token_does_not_hide_the_others() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for name in ["PRIMARY", "WEBSOCKET1"] {
        let attempt = world.answered(run, name, 1).await;
        world
            .tokens
            .store(&token(attempt, name, 1), &entry(AuditKind::TokenStored))
            .await
            .unwrap();
    }
    // Somebody with write access swaps the tokens of two rows.
    sqlx::query(
        "UPDATE upstox_tokens SET sealed_access_token =
             (SELECT sealed_access_token FROM upstox_tokens WHERE api = 'WEBSOCKET1') WHERE api = 'PRIMARY'",
    )
    .execute(&world.raw().await)
    .await
    .unwrap();
    let all = world.tokens.load_all().await.unwrap();
    let Err(moved) = &all[0] else {
        panic!("a moved value must not open")
    };
    assert!(matches!(&moved.error, StoreError::ChangedOutside(words) if words.contains("moved it there")));
    assert_eq!((moved.api.as_str(), moved.valid_until), ("PRIMARY", at(50_000)));
    assert_eq!(
        world.tokens.newest_generation(&api("PRIMARY")).await.unwrap(),
        Some(Generation::FIRST)
    );
    assert_eq!(
        all[1].as_ref().unwrap().access_token.expose(),
        "CANARY-token-WEBSOCKET1-1"
    );
}

#[tokio::test]
async fn no_secret_is_readable_on_disk() {
    let world = World::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let attempt = world.answered(run, "PRIMARY", 1).await;
    world
        .tokens
        .store(&token(attempt, "PRIMARY", 1), &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    world.answered(run, "WEBSOCKET1", 1).await;
    let bytes = world.bytes_on_disk();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    assert!(holds(b"PRIMARY"), "the look must see the file's text");
    assert!(!holds(b"CANARY"), "a secret is on disk in clear");
}
