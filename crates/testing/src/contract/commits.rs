//! What every port says of a commit: it is made whole, together with its entry, or not at all.

use std::fmt::Debug;
use std::time::Duration;

use vega_domain::access::ConsoleLink;
use vega_domain::audit::AuditKind;
use vega_domain::cooldown::AccountHold;
use vega_domain::ports::{OtpGrant, StoreError};
use vega_domain::run::{RunState, StepState};
use vega_domain::secret::AuthorizationCode;
use vega_domain::sign_in::OtpBudget;

use super::access::{hash, key};
use super::contract_fixture::ContractFixture;
use super::cooldowns::closed;
use super::installation::Installation;
use crate::builders::{at, entry, mobile, token, wall};

const BUDGET: OtpBudget = OtpBudget {
    presses: 2,
    window: Duration::from_mins(11),
};

fn fails<T: Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Failed { .. })), "{outcome:?}");
}

pub async fn a_failed_commit_leaves_nothing<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let answered = fixture.answered(run, "PRIMARY", 1).await;
    let waiting = fixture.opened(run, "WEBSOCKET1", 1).await;
    let before = fixture.audit().await;
    let audit = entry(AuditKind::StepChanged);
    let code = AuthorizationCode::new("CANARY-code");
    let press = async || {
        let ledger = &fixture.otp_ledger;
        ledger.request_otp(waiting.id, &mobile(), BUDGET, &wall(1)).await
    };

    fixture.refuse_spool(true).await;
    fixture.refuse_commits(true).await;
    fails(&fixture.save_at(run, "PRIMARY", &StepState::SigningIn, 1).await);
    fails(&fixture.moves(run, RunState::Incomplete).await);
    fails(&fixture.runs.request_cancel(at(1)).await);
    fails(&fixture.store(&token(answered, "PRIMARY", 1)).await);
    fails(&press().await);
    fails(&fixture.codes.deliver_code(&waiting.state, &code, at(1)).await);
    fails(&fixture.seal_code(waiting.id).await);
    let stop = closed("a", AccountHold::Stop);
    fails(&fixture.cooldowns.close(&stop, &audit).await);
    fails(&fixture.keys.add_key(&key("trader", 1), &audit).await);
    let link = ConsoleLink { made_at: at(0) };
    fails(&fixture.sessions.put_link(&link, &hash(1), &audit).await);
    fixture.refuse_commits(false).await;
    fixture.refuse_spool(false).await;

    assert_eq!(fixture.audit().await, before);
    let active = fixture.run_history.active().await.unwrap().unwrap();
    assert!(active.steps.iter().all(|step| step.state == StepState::Pending));
    assert!(!fixture.runs.is_cancel_requested(run).await.unwrap());
    assert!(fixture.tokens.load_all().await.unwrap().is_empty());
    let unfinished = fixture.attempts.unfinished().await.unwrap();
    let found = unfinished.iter().find(|left| left.id == waiting.id).unwrap();
    assert!(found.delivered.is_none() && found.exchange_sent_at.is_none());
    assert_eq!(
        fixture
            .otp_ledger
            .otp_presses(&[mobile()], 9)
            .await
            .unwrap()
            .remove(0),
        []
    );
    assert_eq!(fixture.cooldowns.load_all().await.unwrap(), []);
    assert_eq!(fixture.keys.keys().await.unwrap(), []);

    // What failed can be done again.
    assert_eq!(press().await.unwrap(), OtpGrant::Granted);
    fixture.seal_code(waiting.id).await.unwrap();
    fixture.store(&token(answered, "PRIMARY", 1)).await.unwrap();
}
