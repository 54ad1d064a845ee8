//! A sign-in that ends without a code: the attempt is closed with that failure and nothing is sent.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};

use crate::generation_fixture::GenerationFixture;
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn every_failed_sign_in_closes_its_attempt_and_sends_nothing() {
    for &reason in FailureReason::ALL {
        if reason.is_of_storage() {
            continue;
        }
        let fixture = GenerationFixture::new();
        let mut human = fixture.human();
        human.fails = Some(Failure::new(reason, "words of the page"));
        assert_eq!(
            fixture.generate_with(&mut human).await,
            Err(Failure::new(reason, "words of the page"))
        );
        assert_eq!(
            fixture.log.take(),
            [
                "record signing_in".to_owned(),
                "open_attempt".into(),
                "sign_in".into(),
                "request_otp".into(),
                "press".into(),
                format!("close {reason}"),
            ]
        );
        assert_eq!(fixture.database.ends(), [End::Closed(reason)]);
        let closed = fixture.database.audit().pop().unwrap();
        assert_eq!(closed.kind, AuditKind::AttemptClosed);
        assert!(closed.detail.contains(reason.code()) && closed.detail.contains("words of the page"));
        assert_eq!(closed.run, Some(fixture.run));
        assert_eq!(closed.api.as_ref(), Some(&fixture.account.apis[0].name));
        assert_eq!(closed.account.as_ref(), Some(&fixture.account.id));
    }
}

/// A permit that the database could not write reaches the service as a failed sign-in.
#[tokio::test(start_paused = true)]
async fn a_sign_in_that_the_database_broke_leaves_its_attempt_open() {
    let fixture = GenerationFixture::new();
    let mut human = fixture.human();
    human.fails = Some(Failure::new(FailureReason::Storage, "the disk is full"));
    let failure = fixture.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Storage);
    assert_eq!(fixture.database.ends(), [End::Open]);
    assert!(!fixture.log.take().contains(&"POST".to_owned()));
}
