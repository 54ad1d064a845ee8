//! What a dead process left behind is finished or closed without a human, and never sent again.

use chrono::TimeDelta;
use rstest::rstest;
use vega_domain::account::Account;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, AttemptId, ClientId, Generation, RunId};
use vega_domain::ports::{
    AuditTrail, CodeDelivery, Delivery, NewAttempt, OtpGrant, OtpLedger, ProfileAnswer, SignInAttempts,
};
use vega_domain::secret::{AuthorizationCode, OAuthState};
use vega_services::Recovered;

use crate::generation_fixture::{BUDGET, GenerationFixture, ist, raw_answer, token_of};
use vega_testing::memory_store::End;

/// How far the dead process came.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Reached {
    Opened,
    CodeDelivered,
    CodeSealed,
    AnswerSealed,
}

impl GenerationFixture {
    /// Leaves an attempt of an earlier run, for the API at `index`.
    async fn left(&self, index: usize, reached: Reached) -> RunId {
        let at = ist("2026-11-23T03:29:30");
        let run = RunId::at(at);
        let api = &self.account.apis[index];
        let audit = AuditEntry::new(at, AuditKind::AttemptOpened, "");
        let id = AttemptId::at(at);
        let attempt = NewAttempt {
            id,
            run,
            account: self.account.id.clone(),
            api: api.name.clone(),
            client_id: api.client_id.clone(),
            generation: Generation::FIRST,
            state: OAuthState::new("CANARY-state"),
            opened_at: at,
        };
        self.database.open_attempt(&attempt, &audit).await.unwrap();
        if reached == Reached::CodeDelivered {
            let code = AuthorizationCode::new("CANARY-code");
            let delivered = self.database.deliver_code(&attempt.state, &code, at).await;
            assert!(matches!(delivered.unwrap(), Delivery::Taken(_)));
        }
        if reached >= Reached::CodeSealed {
            let code = AuthorizationCode::new("CANARY-code");
            self.database.seal_code(id, &code, at, &audit).await.unwrap();
        }
        if reached >= Reached::AnswerSealed {
            self.database
                .seal_answer(id, &raw_answer(), at, &audit)
                .await
                .unwrap();
        }
        self.log.take();
        run
    }

    async fn recover(&self) -> Vec<Recovered> {
        let accounts = [self.account.clone()];
        self.service().recover(&accounts).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_sealed_answer_becomes_a_served_token_without_a_human() {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.broker.reads(Ok(token_of("AB1234")));
    let run = fixture.left(0, Reached::AnswerSealed).await;
    let recovered = fixture.recover().await.remove(0);
    assert_eq!((recovered.run, recovered.outcome), (run, Ok(Generation::FIRST)));
    assert_eq!(recovered.api, fixture.account.apis[0].name);
    assert_eq!(fixture.database.ends(), [End::Stored]);
    let stored = fixture.database.audit().pop().unwrap();
    assert_eq!((stored.kind, stored.run), (AuditKind::TokenStored, Some(run)));
    assert!(
        fixture.recover().await.is_empty(),
        "nothing is left for a second start"
    );
}

#[tokio::test(start_paused = true)]
async fn a_recovered_token_is_published_last_and_no_code_is_sent() {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::AnswerSealed).await;
    fixture.recover().await;
    assert_eq!(fixture.log.take(), ["read", "profile", "store", "publish"]);
    assert!(fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn a_recovered_token_dies_by_the_time_its_exchange_was_intended() {
    let fixture = GenerationFixture::at(ist("2026-11-23T08:45:00"));
    fixture.left(0, Reached::AnswerSealed).await;
    let recovered = fixture.recover().await.remove(0);
    assert_eq!(
        recovered.outcome.unwrap_err().reason,
        FailureReason::ExpiredMeanwhile
    );
    let token = fixture.database.tokens().remove(0).token;
    assert_eq!(token.issued_at, ist("2026-11-23T03:29:30"));
    assert_eq!(token.valid_until, ist("2026-11-23T03:30:00"));
    assert!(!fixture.is_served(), "it died before Vega came back");
}

/// Each machine that was taken over from, before the sign-in began and since.
#[rstest]
#[case::nobody_was(&[], &[], "Vega ended before the answer came")]
#[case::one_was(&[], &["desk-2"], "on desk-2. If the answer came, it lies there: start Vega there before")]
#[case::so_was_who_cleared_up_after_it(&[], &["desk-2", "desk-3"], "on desk-2. If the answer came")]
#[case::one_was_before(&["desk-2"], &[], "Vega ended before the answer came")]
#[tokio::test(start_paused = true)]
async fn where_a_lost_answer_may_lie_is_told_with_its_machine(
    #[case] before: &[&str],
    #[case] since: &[&str],
    #[case] words: &str,
) {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::CodeSealed).await;
    let opened_at = fixture.database.attempts()[0].opened_at;
    let taken_over = async |from: &[&str], at| {
        for host in from {
            let entry = AuditEntry::new(at, AuditKind::LeaseTakenOver, format!("process 4711 on {host}"));
            fixture.database.append(&entry).await.unwrap();
        }
    };
    taken_over(before, opened_at - TimeDelta::seconds(1)).await;
    taken_over(since, opened_at + TimeDelta::seconds(20)).await;
    let failure = fixture.recover().await.remove(0).outcome.unwrap_err();
    assert_eq!(failure.reason, FailureReason::OutcomeUnknown);
    assert!(failure.detail.contains(words), "{failure}");
}

/// An OTP may be spent: that is another thing than a sign-in that had hardly begun.
#[tokio::test(start_paused = true)]
async fn a_death_past_the_press_is_told_as_such() {
    let fixture = GenerationFixture::new();
    fixture.left(0, Reached::Opened).await;
    let attempt = fixture.database.attempts()[0].id;
    let mobile = &fixture.account.mobile_number;
    let now = ClockReading::by_wall_clock(ist("2026-11-23T03:29:31"));
    let granted = fixture.database.request_otp(attempt, mobile, BUDGET, &now).await;
    assert_eq!(granted.unwrap(), OtpGrant::Granted);
    let outcome = fixture.recover().await.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().reason, FailureReason::InterruptedPastPress);
}

/// The human has signed in, and the process that waited for the code died before it came.
#[tokio::test(start_paused = true)]
async fn a_code_that_nobody_lived_to_send_is_sent_once() {
    let fixture = GenerationFixture::at(ist("2026-11-23T03:31:00"));
    fixture.left(0, Reached::CodeDelivered).await;
    let recovered = fixture.recover().await.remove(0);
    assert_eq!(recovered.outcome, Ok(Generation::FIRST));
    let sent = fixture.log.take();
    let expected = [
        "seal_code",
        "POST",
        "seal_answer",
        "read",
        "profile",
        "store",
        "publish",
    ];
    assert_eq!(sent, expected);
    assert!(fixture.recover().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_code_that_came_long_ago_is_not_sent() {
    let fixture = GenerationFixture::at(ist("2026-11-23T03:39:31"));
    fixture.left(0, Reached::CodeDelivered).await;
    let outcome = fixture.recover().await.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().reason, FailureReason::Interrupted);
    assert_eq!(fixture.log.take(), ["close interrupted"]);
}

#[rstest]
#[case::code_sealed(Reached::CodeSealed, FailureReason::OutcomeUnknown)]
#[case::only_opened(Reached::Opened, FailureReason::Interrupted)]
#[tokio::test(start_paused = true)]
async fn without_an_answer_the_attempt_is_closed_and_no_code_is_sent(
    #[case] reached: Reached,
    #[case] reason: FailureReason,
) {
    let fixture = GenerationFixture::new();
    let run = fixture.left(0, reached).await;
    let recovered = fixture.recover().await.remove(0);
    assert_eq!(recovered.outcome.unwrap_err().reason, reason);
    assert_eq!(fixture.log.take(), [format!("close {reason}")]);
    assert_eq!(fixture.database.ends(), [End::Closed(reason)]);
    let closed = fixture.database.audit().pop().unwrap();
    assert_eq!((closed.kind, closed.run), (AuditKind::AttemptClosed, Some(run)));
    assert_eq!(closed.api.as_ref(), Some(&fixture.account.apis[0].name));
    assert_eq!(closed.account.as_ref(), Some(&fixture.account.id));
}

fn without_account(account: &Account) -> Vec<Account> {
    let mut other = account.clone();
    other.id = AccountId::new("another").unwrap();
    vec![other]
}

fn without_api(account: &Account) -> Vec<Account> {
    let mut account = account.clone();
    account.apis.remove(0);
    vec![account]
}

fn with_another_app(account: &Account) -> Vec<Account> {
    let mut account = account.clone();
    account.apis[0].client_id = ClientId::new("a-later-app").unwrap();
    vec![account]
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn what_is_not_configured_any_more_is_closed_and_never_stored(
    #[values(without_account, without_api, with_another_app)] now: fn(&Account) -> Vec<Account>,
    #[values(
        (Reached::AnswerSealed, FailureReason::NeedsReview),
        (Reached::CodeSealed, FailureReason::OutcomeUnknown),
        (Reached::CodeDelivered, FailureReason::Interrupted),
        (Reached::Opened, FailureReason::Interrupted)
    )]
    left: (Reached, FailureReason),
) {
    let (reached, reason) = left;
    let fixture = GenerationFixture::new();
    fixture.left(0, reached).await;
    let mut recovered = fixture.service().recover(&now(&fixture.account)).await.unwrap();
    assert_eq!(recovered.remove(0).outcome.unwrap_err().reason, reason);
    assert_eq!(fixture.log.take(), [format!("close {reason}")]);
    assert!(fixture.database.tokens().is_empty());
    assert!(!fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn a_sealed_answer_is_judged_like_a_fresh_one() {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::AnswerSealed).await;
    fixture.broker.reads(Ok(token_of("ZZ9999")));
    let outcome = fixture.recover().await.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().reason, FailureReason::WrongUser);
    assert_eq!(
        fixture.log.take(),
        ["read", "log out", "token_logged_out", "close wrong_user"]
    );

    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::AnswerSealed).await;
    let outage = Failure::new(FailureReason::BrokerDown, "HTTP 503");
    fixture.broker.says(ProfileAnswer::Unknown(outage));
    let outcome = fixture.recover().await.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().reason, FailureReason::Unverified);
    assert_eq!(fixture.log.take(), ["read", "profile", "store"]);
    assert!(!fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_stored_waits_for_the_next_start() {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::AnswerSealed).await;
    fixture.faults.fail_at("store");
    let outcome = fixture.recover().await.remove(0).outcome;
    assert_eq!(outcome.unwrap_err().reason, FailureReason::Storage);
    assert_eq!(fixture.database.ends(), [End::Open]);
    assert!(
        fixture.is_served(),
        "its answer is durable, and this process has it"
    );

    fixture.faults.heal();
    assert_eq!(fixture.recover().await.remove(0).outcome, Ok(Generation::FIRST));
    assert!(fixture.is_served());
}

#[tokio::test(start_paused = true)]
async fn one_bad_attempt_does_not_keep_the_others_from_their_end() {
    let fixture = GenerationFixture::at(ist("2026-11-23T02:00:00"));
    fixture.left(0, Reached::CodeSealed).await;
    fixture.left(1, Reached::AnswerSealed).await;
    let recovered = fixture.recover().await;
    let reasons: Vec<_> = recovered
        .iter()
        .map(|attempt| {
            attempt
                .outcome
                .as_ref()
                .map_err(|failure| failure.reason)
                .copied()
        })
        .collect();
    assert_eq!(
        reasons,
        [Err(FailureReason::OutcomeUnknown), Ok(Generation::FIRST)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let fixture = GenerationFixture::new();
    fixture.left(0, Reached::AnswerSealed).await;
    fixture.faults.fail_at("unfinished");
    assert!(fixture.service().recover(&[]).await.is_err());
    assert_eq!(fixture.database.ends(), [End::Open]);
}
