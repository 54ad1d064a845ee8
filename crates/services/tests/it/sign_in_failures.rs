//! A sign-in that ends without a code: the attempt is closed with that failure and nothing is sent.

use vega_domain::audit::AuditKind;
use vega_domain::failure::{Failure, FailureReason};

use crate::world::World;
use vega_testing::memory_store::End;

#[tokio::test(start_paused = true)]
async fn every_failed_sign_in_closes_its_attempt_and_sends_nothing() {
    for &reason in FailureReason::ALL {
        if reason.is_of_storage() {
            continue;
        }
        let world = World::new();
        let mut human = world.human();
        human.fails = Some(Failure::new(reason, "words of the page"));
        assert_eq!(
            world.generate_with(&mut human).await,
            Err(Failure::new(reason, "words of the page"))
        );
        assert_eq!(
            world.log.take(),
            [
                "record signing_in".to_owned(),
                "open_attempt".into(),
                "sign_in".into(),
                "request_otp".into(),
                "press".into(),
                format!("close {reason}"),
            ]
        );
        assert_eq!(world.database.ends(), [End::Closed(reason)]);
        let closed = world.database.audit().pop().unwrap();
        assert_eq!(closed.kind, AuditKind::AttemptClosed);
        assert!(closed.detail.contains(reason.code()) && closed.detail.contains("words of the page"));
        assert_eq!(closed.run, Some(world.run));
        assert_eq!(closed.api.as_ref(), Some(&world.account.apis[0].name));
        assert_eq!(closed.account.as_ref(), Some(&world.account.id));
    }
}

/// A permit that the database could not write reaches the service as a failed sign-in.
#[tokio::test(start_paused = true)]
async fn a_sign_in_that_the_database_broke_leaves_its_attempt_open() {
    let world = World::new();
    let mut human = world.human();
    human.fails = Some(Failure::new(FailureReason::Storage, "the disk is full"));
    let failure = world.generate_with(&mut human).await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::Storage);
    assert_eq!(world.database.ends(), [End::Open]);
    assert!(!world.log.take().contains(&"POST".to_owned()));
}
