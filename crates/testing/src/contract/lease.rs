//! The contract of `LoginLease`. That a holder which dies gives it back is each store's to test with a real process.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vega_domain::ports::{Lease, LeaseError, LoginLease};

use super::contract_fixture::ContractFixture;
use super::installation::Installation;

/// Far longer than it takes to give it back.
const AT_MOST: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(10);

async fn soon(lease: &dyn LoginLease) -> Box<dyn Lease> {
    let acquired = async {
        loop {
            match lease.acquire().await {
                Err(LeaseError::Held(_)) => sleep(AGAIN).await,
                acquired => return acquired.unwrap(),
            }
        }
    };
    timeout(AT_MOST, acquired).await.unwrap()
}

async fn is_soon_nobodys(lease: &dyn LoginLease) {
    let nobodys = async {
        while lease.holder().await.unwrap().is_some() {
            sleep(AGAIN).await;
        }
    };
    timeout(AT_MOST, nobodys).await.unwrap();
}

pub async fn the_lease_is_held_once_and_free_when_it_is_given_back<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let elsewhere = fixture.elsewhere().await;

    let held = fixture.lease.acquire().await.unwrap();
    let refused = elsewhere.lease.acquire().await;
    assert!(matches!(refused, Err(LeaseError::Held(Some(_)))), "{refused:?}");
    let refused = fixture.lease.acquire().await;
    assert!(
        matches!(&refused, Err(LeaseError::Held(Some(holder))) if holder.is_this_process),
        "{refused:?}"
    );
    drop(held);
    let again = soon(&*elsewhere.lease).await;
    let refused = fixture.lease.acquire().await;
    assert!(matches!(refused, Err(LeaseError::Held(_))), "{refused:?}");
    drop(again);
    soon(&*fixture.lease).await;
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
    fixture.lease.refuse_taken_over().await.unwrap();
    drop(held);
    // Its name stays, it does not.
    is_soon_nobodys(&*elsewhere.lease).await;
    // Who asks is in nobody's way.
    let again = soon(&*elsewhere.lease).await;
    assert!(fixture.lease.holder().await.unwrap().is_some());
    drop(again);
}
