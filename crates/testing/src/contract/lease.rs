//! The contract of `LoginLease`. That a holder which dies gives it back is each store's to test with a real process.

use vega_domain::ports::LeaseError;

use super::contract_fixture::ContractFixture;
use super::installation::Installation;

pub async fn the_lease_is_held_once_and_free_when_it_is_given_back<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let elsewhere = fixture.elsewhere().await;

    let held = fixture.lease.acquire().await.unwrap();
    for refused in [elsewhere.lease.acquire().await, fixture.lease.acquire().await] {
        assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    }
    drop(held);
    let again = elsewhere.lease.acquire().await.unwrap();
    let refused = fixture.lease.acquire().await;
    assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    drop(again);
    fixture.lease.acquire().await.unwrap();
}

pub async fn who_has_the_lease_is_told_while_it_is_held<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let elsewhere = fixture.elsewhere().await;

    assert_eq!(
        elsewhere.lease.holder().await.unwrap(),
        None,
        "nobody ever had it"
    );
    let held = fixture.lease.acquire().await.unwrap();
    for lease in [&elsewhere.lease, &fixture.lease] {
        assert!(lease.holder().await.unwrap().is_some());
    }
    drop(held);
    assert_eq!(
        elsewhere.lease.holder().await.unwrap(),
        None,
        "its name stays, it does not"
    );
    // Who asks is in nobody's way.
    let again = elsewhere.lease.acquire().await.unwrap();
    assert!(fixture.lease.holder().await.unwrap().is_some());
    drop(again);
}
