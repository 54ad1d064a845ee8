//! Checks of tokens that are in the spool: what rejects one there takes it from every reader, and goes on record when the
//! token moves into the database.

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ids::Generation;
use vega_domain::ports::{TokenCheck, TokenSpool, UpstoxTokenRepository};
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::tokens_without_opening;

use crate::database_fixture::{api, at, entry, key_path, token, url};
use crate::spool::Desk;

#[tokio::test]
async fn a_check_of_a_kept_token_is_kept_with_it() {
    let desk = Desk::new().await;
    desk.kept_token().await;
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(7),
            result: CheckResult::Invalid,
        },
    };
    let recorded = [(check, entry(AuditKind::TokenChecked))];
    assert_eq!(desk.tokens.record_checks(&recorded).await.unwrap(), [true]);
    let all = desk.tokens.load_all().await.unwrap();
    assert_eq!(
        all[0].as_ref().unwrap().rejected_at,
        Some(at(7)),
        "a dead token is not served"
    );
    desk.table_works("upstox_tokens").await;
    desk.spool.import(at(9)).await.unwrap();
    assert_eq!(desk.fixture.token("PRIMARY").await.rejected_at, Some(at(7)));
    let audit = desk.audit().await;
    let [.., stored, rejected] = &audit[..] else {
        panic!("{audit:?}")
    };
    assert_eq!((&*stored.0, &*rejected.0), ("token_stored", "token_checked"));
    assert!(
        rejected.1.starts_with("kept in the spool since "),
        "{}",
        rejected.1
    );
}

/// Of a kept token that is refused, found good, or revoked, its row knows the end.
#[rstest]
#[case::found_good_again(&[CheckResult::Invalid, CheckResult::Valid], false, false, "token_stored")]
#[case::refused_twice(
    &[CheckResult::Invalid, CheckResult::Valid, CheckResult::Invalid],
    true,
    false,
    "token_checked"
)]
// A revocation is on record before the token is in its row.
#[case::revoked_and_then_checked(&[CheckResult::Revoked, CheckResult::Valid], true, true, "token_stored")]
#[case::refused_and_then_revoked(&[CheckResult::Invalid, CheckResult::Revoked], true, true, "token_stored")]
#[tokio::test]
async fn what_became_of_a_kept_token_moves_with_it(
    #[case] results: &[CheckResult],
    #[case] refused: bool,
    #[case] revoked: bool,
    #[case] told_last: &str,
) {
    let desk = Desk::new().await;
    desk.kept_token().await;
    for (seconds, &result) in (7..).zip(results) {
        let check = TokenCheck {
            api: api("PRIMARY"),
            generation: Generation::FIRST,
            check: LastCheck {
                at: at(seconds),
                result,
            },
        };
        let audit = entry(AuditKind::TokenChecked);
        let newest = desk.tokens.record_checks(&[(check, audit)]).await.unwrap();
        assert_eq!(newest, [true]);
    }
    let all = desk.tokens.load_all().await.unwrap();
    let kept = all[0].as_ref().unwrap();
    assert_eq!((kept.is_refused(), kept.is_revoked()), (refused, revoked));
    desk.table_works("upstox_tokens").await;
    desk.spool.import(at(20)).await.unwrap();
    let row = desk.fixture.token("PRIMARY").await;
    assert_eq!((row.is_refused(), row.is_revoked()), (refused, revoked));
    assert_eq!(desk.audit().await.pop().unwrap().0, told_last);
}

/// A process died after it had moved a token and before it cleared the spool, or moves it just now; then the operator
/// revokes it.
#[tokio::test]
async fn a_token_in_both_places_that_is_rejected_in_one_is_served_from_none() {
    let desk = Desk::new().await;
    let run = desk.fixture.running(&["PRIMARY"]).await;
    let attempt = desk.fixture.answered(run, "PRIMARY", 1).await;
    desk.table_fails("upstox_tokens").await;
    let stored = entry(AuditKind::TokenStored);
    let new = token(attempt, "PRIMARY", 1);
    desk.tokens.store(&new, &stored).await.unwrap();
    desk.table_works("upstox_tokens").await;
    desk.fixture.tokens.store(&new, &stored).await.unwrap();
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(7),
            result: CheckResult::Revoked,
        },
    };
    let revoked = entry(AuditKind::TokenRevoked);
    let newest = desk.tokens.record_checks(&[(check, revoked)]).await.unwrap();
    assert_eq!(newest, [true]);
    let all = desk.tokens.load_all().await.unwrap();
    assert!(all[0].as_ref().unwrap().is_refused());
    let served_without_opening =
        tokens_without_opening(&url(&desk.fixture.dir), &key_path(&desk.fixture.dir)).await;
    assert!(served_without_opening.unwrap()[0].is_refused());

    assert!(desk.spool.import(at(9)).await.unwrap().is_empty());
    assert_eq!(desk.fixture.token("PRIMARY").await.rejected_at, Some(at(7)));
    assert!(desk.fixture.token("PRIMARY").await.is_revoked());
    assert_eq!(desk.audit().await.pop().unwrap().0, "token_revoked");
    let before = desk.audit().await.len();
    desk.spool.import(at(10)).await.unwrap();
    assert_eq!(desk.audit().await.len(), before, "it is told once");
}
