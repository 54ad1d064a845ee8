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
use super::cooldowns::closed;
use super::installation::Installation;
use super::world::World;
use crate::builders::{at, entry, mobile, token, wall};

const BUDGET: OtpBudget = OtpBudget {
    presses: 2,
    window: Duration::from_mins(11),
};

fn fails<T: Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Failed { .. })), "{outcome:?}");
}

pub async fn a_failed_commit_leaves_nothing<I: Installation>() {
    let world = World::<I>::new().await;
    let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let answered = world.answered(run, "PRIMARY", 1).await;
    let waiting = world.opened(run, "WEBSOCKET1", 1).await;
    let before = world.audit().await;
    let audit = entry(AuditKind::StepChanged);
    let code = AuthorizationCode::new("CANARY-code");
    let press = async || {
        let ledger = &world.otp_ledger;
        ledger.request_otp(waiting.id, &mobile(), BUDGET, &wall(1)).await
    };

    world.refuse_spool(true).await;
    world.refuse_commits(true).await;
    fails(&world.save_at(run, "PRIMARY", &StepState::SigningIn, 1).await);
    fails(&world.moves(run, RunState::Incomplete).await);
    fails(&world.runs.request_cancel(at(1)).await);
    fails(&world.store(&token(answered, "PRIMARY", 1)).await);
    fails(&press().await);
    fails(&world.codes.deliver_code(&waiting.state, &code, at(1)).await);
    fails(&world.seal_code(waiting.id).await);
    let stop = closed("a", AccountHold::Stop);
    fails(&world.cooldowns.close(&stop, &audit).await);
    fails(&world.keys.add_key(&key("trader", 1), &audit).await);
    let link = ConsoleLink { made_at: at(0) };
    fails(&world.sessions.put_link(&link, &hash(1), &audit).await);
    world.refuse_commits(false).await;
    world.refuse_spool(false).await;

    assert_eq!(world.audit().await, before);
    let active = world.run_history.active().await.unwrap().unwrap();
    assert!(active.steps.iter().all(|step| step.state == StepState::Pending));
    assert!(!world.runs.is_cancel_requested(run).await.unwrap());
    assert!(world.tokens.load_all().await.unwrap().is_empty());
    let unfinished = world.attempts.unfinished().await.unwrap();
    let found = unfinished.iter().find(|left| left.id == waiting.id).unwrap();
    assert!(found.delivered.is_none() && found.exchange_sent_at.is_none());
    assert_eq!(world.otp_ledger.otp_presses(&mobile(), 9).await.unwrap(), []);
    assert_eq!(world.cooldowns.load_all().await.unwrap(), []);
    assert_eq!(world.keys.keys().await.unwrap(), []);

    // What failed can be done again.
    assert_eq!(press().await.unwrap(), OtpGrant::Granted);
    world.seal_code(waiting.id).await.unwrap();
    world.store(&token(answered, "PRIMARY", 1)).await.unwrap();
}
