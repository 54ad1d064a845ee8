//! The contract of `TokenSpool`, with the repositories that put things there and look there for readers.

use vega_domain::audit::AuditKind;
use vega_domain::ids::{AttemptId, Generation};
use vega_domain::ports::{LeftAnswer, StoreError, TokenCheck};
use vega_domain::secret::AccessToken;
use vega_domain::token::{CheckResult, LastCheck};

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{api, at, entry, token};

/// An answer and a token that the database did not take; it takes nothing still.
async fn both_kept<I: Installation>() -> (ContractFixture<I>, AttemptId) {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let answered = fixture.answered(run, "PRIMARY", 1).await;
    let waiting = fixture.opened(run, "WEBSOCKET1", 1).await.id;
    fixture.seal_code(waiting).await.unwrap();
    let both = [api("PRIMARY"), api("WEBSOCKET1")];
    fixture.spool.prepare(&both).await.unwrap();
    fixture.refuse_commits(true).await;
    fixture.store(&token(answered, "PRIMARY", 1)).await.unwrap();
    fixture.seal_answer(waiting).await.unwrap();
    (fixture, answered)
}

pub async fn where_no_room_can_be_made_nothing_is_called_kept<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let answered = fixture.answered(run, "PRIMARY", 1).await;
    fixture.refuse_spool(true).await;
    let refused = fixture.spool.prepare(&[api("PRIMARY")]).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    fixture.refuse_commits(true).await;
    let lost = fixture.store(&token(answered, "PRIMARY", 1)).await;
    assert!(matches!(lost, Err(StoreError::Failed { .. })), "{lost:?}");
}

pub async fn what_is_kept_is_shown_and_moved_when_the_database_takes_it<I: Installation>() {
    let (fixture, _) = both_kept::<I>().await;
    let before = fixture.audit().await;
    assert!(!fixture.spool.is_empty().await.unwrap());
    assert_eq!(
        fixture.token("PRIMARY").await.access_token.expose(),
        "CANARY-token-PRIMARY-1"
    );
    let newest = fixture.tokens.newest_generation(&api("PRIMARY")).await;
    assert_eq!(newest.unwrap(), Some(Generation::FIRST));

    fixture.refuse_commits(false).await;
    let elsewhere = fixture.elsewhere().await;
    let mut moved = elsewhere.spool.import(at(900)).await.unwrap();
    moved.sort_unstable();
    assert_eq!(moved, [api("PRIMARY"), api("WEBSOCKET1")]);
    let after = fixture.audit().await;
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
    let left = fixture.attempts.unfinished().await.unwrap();
    let [left] = &left[..] else {
        panic!("the token's attempt is over: {left:?}")
    };
    assert!(matches!(left.answer, LeftAnswer::Sealed(_)), "{:?}", left.answer);

    assert!(fixture.spool.is_empty().await.unwrap());
    assert_eq!(fixture.spool.import(at(901)).await.unwrap(), []);
    assert_eq!(fixture.audit().await.len(), after.len());
}

pub async fn room_that_is_made_again_leaves_what_is_kept<I: Installation>() {
    let (fixture, _) = both_kept::<I>().await;
    let all = [api("PRIMARY"), api("WEBSOCKET1"), api("OPTIONCHAIN1")];
    fixture.spool.prepare(&all).await.unwrap();
    fixture.refuse_commits(false).await;
    assert_eq!(fixture.spool.import(at(900)).await.unwrap().len(), 2);
}

pub async fn what_the_database_does_not_take_stays_in_the_spool<I: Installation>() {
    let (fixture, _) = both_kept::<I>().await;
    let before = fixture.audit().await;
    let refused = fixture.spool.import(at(900)).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    fixture.token("PRIMARY").await;
    fixture.refuse_commits(false).await;
    assert_eq!(fixture.audit().await, before);
    assert_eq!(fixture.spool.import(at(901)).await.unwrap().len(), 2);
}

pub async fn what_the_database_knows_already_is_only_removed<I: Installation>() {
    let (fixture, answered) = both_kept::<I>().await;
    fixture.refuse_commits(false).await;
    let mut stored = token(answered, "PRIMARY", 1);
    stored.token.access_token = AccessToken::new("CANARY-token-in-its-row");
    fixture.store(&stored).await.unwrap();
    let before = fixture.count(AuditKind::TokenStored).await;

    let moved = fixture.spool.import(at(900)).await.unwrap();
    assert_eq!(moved, [api("WEBSOCKET1")]);
    assert_eq!(fixture.count(AuditKind::TokenStored).await, before);
    assert_eq!(
        fixture.token("PRIMARY").await.access_token.expose(),
        "CANARY-token-in-its-row"
    );
    assert_eq!(fixture.spool.import(at(901)).await.unwrap(), []);
}

pub async fn a_token_that_is_rejected_in_the_spool_is_rejected_in_its_row<I: Installation>() {
    let (fixture, _) = both_kept::<I>().await;
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(50),
            result: CheckResult::Invalid,
        },
    };
    let audit = entry(AuditKind::TokenChecked);
    let newest = fixture.tokens.record_checks(&[(check, audit)]).await.unwrap();
    assert_eq!(newest, [true]);
    assert_eq!(fixture.token("PRIMARY").await.rejected_at, Some(at(50)));

    fixture.refuse_commits(false).await;
    fixture.spool.import(at(900)).await.unwrap();
    assert_eq!(fixture.token("PRIMARY").await.rejected_at, Some(at(50)));
    let told = fixture.audit().await;
    let told = told.iter().find(|entry| entry.kind == AuditKind::TokenChecked);
    assert_eq!(told.unwrap().at, at(900));
}

/// Another machine signed in while this one kept its token: both have the same number.
pub async fn a_token_of_a_later_sign_in_is_not_taken_for_the_kept_one_of_its_number<I: Installation>() {
    let (fixture, answered) = both_kept::<I>().await;
    let check = |at, result| {
        let check = TokenCheck {
            api: api("PRIMARY"),
            generation: Generation::FIRST,
            check: LastCheck { at, result },
        };
        [(check, entry(AuditKind::TokenChecked))]
    };
    let dead = check(at(50), CheckResult::Invalid);
    fixture.tokens.record_checks(&dead).await.unwrap();
    fixture.refuse_commits(false).await;
    let mut later = token(answered, "PRIMARY", 1);
    later.token.access_token = AccessToken::new("CANARY-token-in-its-row");
    fixture.store(&later).await.unwrap();
    let is_the_later_one = async || {
        let shown = fixture.token("PRIMARY").await;
        assert_eq!(shown.access_token.expose(), "CANARY-token-in-its-row");
        assert_eq!(shown.rejected_at, None);
        shown.last_check
    };
    is_the_later_one().await;
    let good = check(at(60), CheckResult::Valid);
    fixture.tokens.record_checks(&good).await.unwrap();
    assert_eq!(is_the_later_one().await, Some(good[0].0.check));
    fixture.spool.import(at(900)).await.unwrap();
    assert_eq!(is_the_later_one().await, Some(good[0].0.check));
}
