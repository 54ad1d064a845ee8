//! The operator's answer to a plan is on record, whatever it was.

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ports::{Answer, MockApprover};
use vega_orchestration::Confirmation;

use crate::orchestration_fixture::{OrchestrationFixture, Standing};

#[rstest]
#[case::yes(Answer::Yes, AuditKind::PlanConfirmed, "PRIMARY, OPTIONCHAIN2")]
#[case::standing_yes(
    Answer::StandingYes,
    AuditKind::PlanConfirmed,
    "without what needs a yes of its own: PRIMARY, OPTIONCHAIN2"
)]
#[case::no(
    Answer::No,
    AuditKind::PlanDeclined,
    "the operator said no: PRIMARY, OPTIONCHAIN2"
)]
#[case::nobody(
    Answer::NobodyToAsk,
    AuditKind::PlanDeclined,
    "nobody could be asked: PRIMARY, OPTIONCHAIN2"
)]
#[tokio::test(start_paused = true)]
async fn every_answer_is_written_to_the_audit_trail(
    #[case] answer: Answer,
    #[case] kind: AuditKind,
    #[case] detail: &str,
) {
    let fixture = OrchestrationFixture::two_accounts();
    for api in ["WEBSOCKET1", "WEBSOCKET2", "OPTIONCHAIN1"] {
        fixture.has(api, Standing::Valid);
    }
    let plan = fixture.plan().await;
    let shown = plan.clone();
    let mut operator = MockApprover::new();
    operator
        .expect_confirm()
        .withf(move |plan| *plan == shown)
        .times(1)
        .return_const(answer);
    assert_eq!(
        fixture
            .orchestrator()
            .confirm(plan.clone(), &operator)
            .await
            .unwrap(),
        match answer {
            Answer::Yes | Answer::StandingYes => Confirmation::Start(Box::new(plan)),
            Answer::No => Confirmation::Declined,
            Answer::NobodyToAsk => Confirmation::NobodyToAsk,
        }
    );
    let entry = fixture.database.audit().pop().unwrap();
    assert_eq!((entry.kind, entry.detail.as_str()), (kind, detail));
    assert_eq!(fixture.log.take(), ["append"], "confirming starts nothing");
}

/// A yes that is not on record must not be acted upon.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_recorded_is_an_error() {
    let fixture = OrchestrationFixture::two_accounts();
    let plan = fixture.plan().await;
    let mut operator = MockApprover::new();
    operator.expect_confirm().return_const(Answer::Yes);
    fixture.faults.fail_at("append");
    assert!(fixture.orchestrator().confirm(plan, &operator).await.is_err());
}
