//! `LoginLease` over a locked file.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::ports::{Clock, LeaseError, LoginLease};
use vega_persistence::FileLoginLease;

use crate::world::{World, at, open};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        at(7)
    }
}

#[tokio::test]
async fn the_lease_is_held_once_names_its_holder_and_is_free_when_dropped() {
    let world = World::new().await;
    let lease = FileLoginLease::new(world.data.clone(), Arc::new(Fixed));
    let elsewhere = FileLoginLease::new(open(&world.dir).await, Arc::new(Fixed));

    let held = lease.acquire().await.unwrap();
    for refused in [elsewhere.acquire().await, lease.acquire().await] {
        let Err(LeaseError::Held(Some(holder))) = refused else {
            panic!("the lease was given twice")
        };
        assert_eq!((holder.pid, holder.since), (std::process::id(), at(7)));
        assert!(!holder.host.is_empty());
    }
    drop(held);
    drop(elsewhere.acquire().await.unwrap());
}
