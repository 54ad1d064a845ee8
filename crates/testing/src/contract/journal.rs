//! The contracts of `SignInAttempts` and `CodeDelivery`.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ports::{CodeDelivery, Delivery, LeftAnswer, NewAttempt};
use vega_domain::run::StepState;
use vega_domain::secret::{AuthorizationCode, OAuthState};

use super::contract_fixture::{ContractFixture, is_conflict};
use super::installation::Installation;
use crate::builders::{api, at, run, token};

fn code(text: &str) -> AuthorizationCode {
    AuthorizationCode::new(text)
}

fn refused() -> Failure {
    Failure::new(FailureReason::PinRefused, "words")
}

impl<I: Installation> ContractFixture<I> {
    /// A sign-in that waits for its code.
    async fn waiting(&self) -> NewAttempt {
        let run = self.running(&["PRIMARY"]).await;
        self.opened(run, "PRIMARY", 1).await
    }

    async fn deliver(&self, state: &OAuthState, text: &str) -> Delivery {
        let code = code(text);
        self.codes.deliver_code(state, &code, at(2)).await.unwrap()
    }
}

async fn waits_for(codes: &dyn CodeDelivery, state: &OAuthState) -> Option<String> {
    let found = codes.delivered_code(state).await.unwrap();
    found.map(|code| code.expose().to_owned())
}

pub async fn a_code_is_taken_once<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempt = fixture.waiting().await.id;
    fixture.seal_code(attempt).await.unwrap();
    is_conflict(&fixture.seal_code(attempt).await);
    fixture.seal_answer(attempt).await.unwrap();
    is_conflict(&fixture.seal_code(attempt).await);
    assert_eq!(
        fixture.count(AuditKind::ExchangeIntended).await,
        1,
        "the first writer wins"
    );
}

pub async fn an_answer_needs_an_intended_exchange_and_comes_once<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempt = fixture.waiting().await.id;
    is_conflict(&fixture.seal_answer(attempt).await);
    fixture.seal_code(attempt).await.unwrap();
    fixture.seal_answer(attempt).await.unwrap();
    is_conflict(&fixture.seal_answer(attempt).await);
}

/// The machine that received it was away, and another one cleared up.
pub async fn an_answer_that_comes_home_opens_its_attempt_again<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempt = fixture.waiting().await.id;
    fixture.seal_code(attempt).await.unwrap();
    let unknown = Failure::new(FailureReason::OutcomeUnknown, "nobody knows");
    fixture.closes(attempt, &unknown, 5).await;
    assert!(fixture.attempts.unfinished().await.unwrap().is_empty());

    fixture.seal_answer(attempt).await.unwrap();
    let unfinished = fixture.attempts.unfinished().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert!(
        matches!(unfinished[0].answer, LeftAnswer::Sealed(_)),
        "{unfinished:?}"
    );
    assert_eq!(fixture.run_history.last_failures().await.unwrap().len(), 0);
    fixture.store(&token(attempt, "PRIMARY", 1)).await.unwrap();
    is_conflict(&fixture.seal_answer(attempt).await);
}

pub async fn an_answer_that_comes_too_late_is_refused<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let late = fixture.opened(run, "PRIMARY", 1).await.id;
    fixture.seal_code(late).await.unwrap();
    let unknown = Failure::new(FailureReason::OutcomeUnknown, "nobody knows");
    fixture.closes(late, &unknown, 5).await;
    fixture.opened(run, "PRIMARY", 1).await;
    is_conflict(&fixture.seal_answer(late).await);

    let refused_code = fixture.opened(run, "WEBSOCKET1", 1).await.id;
    fixture.seal_code(refused_code).await.unwrap();
    fixture.closes(refused_code, &refused(), 6).await;
    is_conflict(&fixture.seal_answer(refused_code).await);
}

pub async fn a_token_that_comes_home_is_stored_and_a_late_one_is_not<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let unknown = Failure::new(FailureReason::OutcomeUnknown, "nobody knows");
    let late = fixture.opened(run, "WEBSOCKET1", 1).await.id;
    let home = fixture.opened(run, "PRIMARY", 1).await.id;
    for attempt in [late, home] {
        fixture.seal_code(attempt).await.unwrap();
        fixture.closes(attempt, &unknown, 5).await;
    }
    fixture.opened(run, "WEBSOCKET1", 1).await;
    is_conflict(&fixture.store(&token(late, "WEBSOCKET1", 1)).await);

    fixture.store(&token(home, "PRIMARY", 1)).await.unwrap();
    assert_eq!(fixture.tokens.load_all().await.unwrap().len(), 1);
    is_conflict(&fixture.seal_answer(home).await);
}

pub async fn unfinished_attempts_tell_how_far_they_came<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let opened = fixture.opened(run, "PRIMARY", 1).await;
    let delivered = fixture.opened(run, "PRIMARY", 1).await;
    fixture.deliver(&delivered.state, "CANARY-first").await;
    let sent = fixture.opened(run, "PRIMARY", 1).await;
    fixture.seal_code(sent.id).await.unwrap();
    let answered = fixture.answered(run, "PRIMARY", 1).await;
    let closed = fixture.answered(run, "PRIMARY", 1).await;
    fixture.closes(closed, &refused(), 5).await;

    let unfinished = fixture.attempts.unfinished().await.unwrap();
    assert_eq!(unfinished.len(), 4);
    let find = |id| unfinished.iter().find(|attempt| attempt.id == id).unwrap();
    let found = find(opened.id);
    assert_eq!(
        (found.run, &found.api, &found.client_id, found.opened_at),
        (run, &opened.api, &opened.client_id, at(0))
    );
    assert!(found.exchange_sent_at.is_none() && found.delivered.is_none());
    let code = find(delivered.id).delivered.as_ref().unwrap();
    assert_eq!(code.expose(), "CANARY-first");
    assert_eq!(find(sent.id).exchange_sent_at, Some(at(1)));
    assert!(find(sent.id).delivered.is_none(), "it was sent");
    assert!(matches!(find(sent.id).answer, LeftAnswer::None));
    let LeftAnswer::Sealed(answer) = &find(answered).answer else {
        panic!("the answer must open")
    };
    assert_eq!(
        (answer.status, answer.complete, answer.expose()),
        (200, true, &b"CANARY-answer"[..])
    );
}

pub async fn an_answer_that_does_not_open_hides_no_other_attempt<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let damaged = fixture.answered(run, "PRIMARY", 1).await;
    let whole = fixture.answered(run, "PRIMARY", 1).await;
    fixture.damage_answer(damaged).await;
    let unfinished = fixture.attempts.unfinished().await.unwrap();
    let find = |id| &unfinished.iter().find(|attempt| attempt.id == id).unwrap().answer;
    assert!(matches!(find(damaged), LeftAnswer::Unreadable(_)));
    assert!(matches!(find(whole), LeftAnswer::Sealed(_)));
}

pub async fn closing_a_closed_attempt_changes_nothing<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let NewAttempt { id, run, .. } = fixture.waiting().await;
    fixture.closes(id, &refused(), 5).await;
    fixture
        .closes(id, &Failure::new(FailureReason::Interrupted, ""), 9)
        .await;
    let unsaved = fixture.attempts.unsaved_failure(run, &api("PRIMARY")).await;
    assert_eq!(unsaved.unwrap(), Some(refused()));
    assert_eq!(fixture.count(AuditKind::AttemptClosed).await, 1);
}

/// Its process died between the attempt's end and the step's, or before the attempt was even opened again.
pub async fn a_failure_that_no_step_tells_of_is_found<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = run(&["PRIMARY", "WEBSOCKET1"]);
    fixture.begins(&run).await;
    let run = run.id;
    let unsaved = async |name: &str| fixture.attempts.unsaved_failure(run, &api(name)).await.unwrap();
    let save = async |seconds, state: &StepState| {
        fixture.save_at(run, "PRIMARY", state, seconds).await.unwrap();
    };
    save(1, &StepState::SigningIn).await;
    let attempt = fixture.opened(run, "PRIMARY", 1).await.id;
    assert_eq!(unsaved("PRIMARY").await, None, "it is open");
    fixture.closes(attempt, &refused(), 5).await;
    assert_eq!(unsaved("PRIMARY").await, Some(refused()));
    assert_eq!(unsaved("WEBSOCKET1").await, None);
    save(6, &StepState::Pending).await;
    assert_eq!(unsaved("PRIMARY").await, None, "the step came later");
}

pub async fn the_first_code_of_a_state_is_taken_and_no_other<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let state = fixture.waiting().await.state;
    let codes = &*fixture.codes;
    assert_eq!(waits_for(codes, &state).await, None);

    // From another process, as a server beside the waiting command line.
    let server = fixture.elsewhere().await.codes;
    let foreign = OAuthState::new("somebody else's");
    assert_eq!(fixture.deliver(&foreign, "x").await, Delivery::Unknown);

    let (first, second) = (code("CANARY-first"), code("CANARY-second"));
    let (one, other) = tokio::join!(
        server.deliver_code(&state, &first, at(2)),
        codes.deliver_code(&state, &second, at(2)),
    );
    let outcomes = [one.unwrap(), other.unwrap()];
    let is_taken = |outcome: &Delivery| *outcome == Delivery::Taken(api("PRIMARY"));
    let winner = outcomes.iter().position(is_taken).unwrap();
    assert_eq!(outcomes[1 - winner], Delivery::CameBefore(api("PRIMARY")));
    let expected = ["CANARY-first", "CANARY-second"][winner];
    assert_eq!(waits_for(codes, &state).await.as_deref(), Some(expected));
    assert_eq!(fixture.count(AuditKind::CodeReceived).await, 1);
}

pub async fn a_delivered_code_is_sent_once<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let NewAttempt { id, state, .. } = fixture.waiting().await;
    fixture.deliver(&state, "CANARY-code").await;
    fixture.seal_code(id).await.unwrap();
    is_conflict(&fixture.seal_code(id).await);
    assert_eq!(waits_for(&*fixture.codes, &state).await, None, "it is on its way");
    let again = fixture.deliver(&state, "CANARY-code").await;
    assert_eq!(again, Delivery::CameBefore(api("PRIMARY")));
}

pub async fn a_code_for_a_sign_in_that_ended_comes_too_late<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let NewAttempt { id, state, .. } = fixture.waiting().await;
    fixture.closes(id, &refused(), 1).await;
    let late = fixture.deliver(&state, "CANARY-code").await;
    assert_eq!(late, Delivery::TooLate(api("PRIMARY")));
    assert_eq!(waits_for(&*fixture.codes, &state).await, None);
}
