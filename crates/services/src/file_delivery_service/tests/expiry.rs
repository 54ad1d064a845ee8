//! What becomes of a file whose token is dead, or that `vega.toml` names no more.

use std::time::Duration;

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{ContentDigest, DeliveryProblem, DeliveryState, FileStanding};
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_file::OnExpiry;
use vega_domain::token_kind::WantedKind;

use super::fixture::{A_MOMENT, Fixture, content_of, generation};
use crate::test_builders::{api, stored};

/// Also what an earlier version put there, while the newest one is refused.
#[rstest]
#[case::delivered("put", 0)]
#[case::the_next_is_not_put("put", 9)]
#[case::the_next_is_refused("prepare", 9)]
#[tokio::test(start_paused = true)]
async fn a_dead_token_is_in_no_file_that_is_vegas(#[case] deed: &'static str, #[case] refusals: usize) {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.fails(deed, refusals, DeliveryProblem::WriteFailed);
    fixture.publish(2);
    fixture.runs_for(A_MOMENT).await;
    fixture.publish(3);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.failures.lock().unwrap().clear();
    fixture.ports.registry.remove(&api("PRIMARY"), generation(3));
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(*fixture.disk.file.lock().unwrap(), None);
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
    assert_eq!(fixture.kinds().last(), Some(&AuditKind::FileDeliveryEnded));
}

/// Over 03:30 and back, and after a restart; nothing of the other kind comes to who did not ask for it.
#[rstest]
#[case::trade(WantedKind::Trade, [Some("token-PRIMARY-9"), None, None, Some("token-PRIMARY-10")])]
#[case::read(WantedKind::Read, [None, None, Some("token-@default-1"), Some("token-@default-1")])]
#[case::either(
    WantedKind::TradeOrRead,
    [Some("token-PRIMARY-9"), None, Some("token-@default-1"), Some("token-PRIMARY-10")]
)]
#[tokio::test(start_paused = true)]
async fn a_file_gets_the_kind_that_its_row_names(
    #[case] kind: WantedKind,
    #[case] held: [Option<&'static str>; 4],
) {
    let mut fixture = Fixture::new(OnExpiry::Remove);
    fixture.ports.files[0].kind = kind;
    let registry = fixture.ports.registry.clone();
    let analytics = ApiName::of_analytics(&AccountId::new("default").unwrap());
    let steps: [&dyn Fn(); 4] = [
        &|| assert!(registry.publish(&stored("PRIMARY", 9))),
        &|| registry.remove(&api("PRIMARY"), generation(9)),
        &|| {
            let token = StoredToken {
                api: analytics.clone(),
                access_token: AccessToken::new("token-@default-1"),
                ..stored("PRIMARY", 1)
            };
            assert!(registry.publish(&token));
        },
        &|| assert!(registry.publish(&stored("PRIMARY", 10))),
    ];
    for (step, expected) in steps.into_iter().zip(held) {
        step();
        fixture.runs_for(A_MOMENT).await;
        let expected = expected.map(content_of);
        assert_eq!(*fixture.disk.file.lock().unwrap(), expected);
    }
    if kind == WantedKind::Read {
        assert_eq!(fixture.row().api, analytics);
        fixture.ports.files.clear();
        registry.remove(&analytics, generation(1));
        fixture.runs_for(A_MOMENT).await;
        let left = *fixture.disk.file.lock().unwrap();
        assert_eq!(left, None, "vega.toml names it no more, and its token is over");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_put_there_is_not_removed() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    *fixture.disk.file.lock().unwrap() = Some(ContentDigest([9; 32]));
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(*fixture.disk.file.lock().unwrap(), Some(ContentDigest([9; 32])));
    let audit = fixture
        .store
        .read(|tables| tables.audit.last().unwrap().detail.clone());
    assert!(
        audit.ends_with("it stays, for it is not what Vega wrote"),
        "{audit}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_kept_stays_when_its_token_dies() {
    let fixture = Fixture::new(OnExpiry::Keep);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert!(fixture.disk.file.lock().unwrap().is_some());
    assert_eq!(fixture.row().state, DeliveryState::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_is_tried_again() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.fails("remove", 2, DeliveryProblem::RemovalFailed);
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    assert_eq!(fixture.row().failed.map(|failed| failed.tries), Some(1));
    fixture.runs_for(Duration::from_mins(1)).await;
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
}

#[rstest]
#[case::remove(OnExpiry::Remove)]
#[case::keep(OnExpiry::Keep)]
#[tokio::test(start_paused = true)]
async fn a_file_that_is_named_no_more_stays_until_its_token_dies(#[case] on_expiry: OnExpiry) {
    let mut fixture = Fixture::new(on_expiry);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.ports.files.clear();
    fixture.publish(1);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert!(fixture.disk.file.lock().unwrap().is_some(), "its token lives");
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(
        fixture.disk.file.lock().unwrap().is_some(),
        on_expiry == OnExpiry::Keep
    );
    let rows = fixture.store.read(|tables| tables.deliveries.len());
    assert_eq!(rows, 0, "nothing is left of it");
}
