//! The contract of `TokenSpool`, with the repositories that put things there and look there for readers.

use vega_domain::audit::AuditKind;
use vega_domain::ids::{AttemptId, Generation};
use vega_domain::ports::{LeftAnswer, StoreError, TokenCheck};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck};

use super::installation::Installation;
use super::world::World;
use crate::builders::{api, at, entry, token};

/// An answer and a token that the database did not take; it takes nothing still.
async fn both_kept<I: Installation>() -> (World<I>, AttemptId) {
    let world = World::<I>::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let answered = world.answered(run, "PRIMARY", 1).await;
    let waiting = world.opened(run, "WEBSOCKET1", 1).await.id;
    world.seal_code(waiting).await.unwrap();
    let both = [api("PRIMARY"), api("WEBSOCKET1")];
    world.spool.prepare(&both).await.unwrap();
    world.refuse_commits(true).await;
    world.store(&token(answered, "PRIMARY", 1)).await.unwrap();
    world.seal_answer(waiting).await.unwrap();
    (world, answered)
}

pub async fn where_no_room_can_be_made_nothing_is_called_kept<I: Installation>() {
    let world = World::<I>::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let answered = world.answered(run, "PRIMARY", 1).await;
    world.refuse_spool(true).await;
    let refused = world.spool.prepare(&[api("PRIMARY")]).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    world.refuse_commits(true).await;
    let lost = world.store(&token(answered, "PRIMARY", 1)).await;
    assert!(matches!(lost, Err(StoreError::Failed { .. })), "{lost:?}");
}

pub async fn what_is_kept_is_shown_and_moved_when_the_database_takes_it<I: Installation>() {
    let (world, _) = both_kept::<I>().await;
    let before = world.audit().await;
    assert_eq!(
        world.token("PRIMARY").await.access_token.expose(),
        "CANARY-token-PRIMARY-1"
    );
    let newest = world.tokens.newest_generation(&api("PRIMARY")).await;
    assert_eq!(newest.unwrap(), Some(Generation::FIRST));

    world.refuse_commits(false).await;
    let elsewhere = world.elsewhere().await;
    let mut moved = elsewhere.spool.import(at(900)).await.unwrap();
    moved.sort_unstable();
    assert_eq!(moved, [api("PRIMARY"), api("WEBSOCKET1")]);
    let after = world.audit().await;
    let mut entries: Vec<_> = after[before.len()..]
        .iter()
        .map(|entry| (entry.kind, entry.at))
        .collect();
    entries.sort_by_key(|(kind, _)| kind.code());
    assert_eq!(
        entries,
        [
            (AuditKind::AnswerReceived, at(900)),
            (AuditKind::TokenStored, at(900))
        ]
    );
    let left = world.attempts.unfinished().await.unwrap();
    let [left] = &left[..] else {
        panic!("the token's attempt is over: {left:?}")
    };
    assert!(matches!(left.answer, LeftAnswer::Sealed(_)), "{:?}", left.answer);

    assert_eq!(world.spool.import(at(901)).await.unwrap(), []);
    assert_eq!(world.audit().await.len(), after.len());
}

pub async fn room_that_is_made_again_leaves_what_is_kept<I: Installation>() {
    let (world, _) = both_kept::<I>().await;
    let all = [api("PRIMARY"), api("WEBSOCKET1"), api("OPTIONCHAIN1")];
    world.spool.prepare(&all).await.unwrap();
    world.refuse_commits(false).await;
    assert_eq!(world.spool.import(at(900)).await.unwrap().len(), 2);
}

pub async fn what_the_database_does_not_take_stays_in_the_spool<I: Installation>() {
    let (world, _) = both_kept::<I>().await;
    let before = world.audit().await;
    let refused = world.spool.import(at(900)).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    world.token("PRIMARY").await;
    world.refuse_commits(false).await;
    assert_eq!(world.audit().await, before);
    assert_eq!(world.spool.import(at(901)).await.unwrap().len(), 2);
}

pub async fn what_the_database_knows_already_is_only_removed<I: Installation>() {
    let (world, answered) = both_kept::<I>().await;
    world.refuse_commits(false).await;
    let mut stored = token(answered, "PRIMARY", 1);
    stored.token.access_token = AccessToken::new("CANARY-token-in-its-row");
    world.store(&stored).await.unwrap();
    let before = world.count(AuditKind::TokenStored).await;

    let moved = world.spool.import(at(900)).await.unwrap();
    assert_eq!(moved, [api("WEBSOCKET1")]);
    assert_eq!(world.count(AuditKind::TokenStored).await, before);
    assert_eq!(
        world.token("PRIMARY").await.access_token.expose(),
        "CANARY-token-in-its-row"
    );
    assert_eq!(world.spool.import(at(901)).await.unwrap(), []);
}

pub async fn a_token_that_is_rejected_in_the_spool_is_rejected_in_its_row<I: Installation>() {
    let (world, _) = both_kept::<I>().await;
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(50),
            result: CheckResult::Invalid,
        },
    };
    let audit = entry(AuditKind::TokenChecked);
    assert!(world.tokens.record_check(&check, &audit).await.unwrap());
    assert_eq!(world.token("PRIMARY").await.rejected_at, Some(at(50)));

    world.refuse_commits(false).await;
    world.spool.import(at(900)).await.unwrap();
    assert_eq!(world.token("PRIMARY").await.rejected_at, Some(at(50)));
    let told = world.audit().await;
    let told = told.iter().find(|entry| entry.kind == AuditKind::TokenChecked);
    assert_eq!(told.unwrap().at, at(900));
}
