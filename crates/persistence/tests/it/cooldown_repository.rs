//! `CooldownRepository` over SQLite.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};
use vega_domain::moment::{Moment, SinceBoot};
use vega_domain::ports::CooldownRepository;
use vega_persistence::SqliteCooldownRepository;

use crate::world::{World, at, entry, open};

/// By both clocks.
fn moment(seconds: u32) -> Moment {
    Moment {
        at: at(seconds.into()),
        since_boot: Some(SinceBoot {
            boot: "this".into(),
            elapsed: Duration::from_secs(seconds.into()),
        }),
    }
}

fn closed(id: &str, length: Option<u64>) -> Cooldown {
    let number = if id == "a" { "9000000001" } else { "9000000002" };
    Cooldown {
        account: AccountId::new(id).unwrap(),
        mobile_number: MobileNumber::new(number).unwrap(),
        since: moment(1),
        length: length.map(Duration::from_secs),
        failure: Failure::new(FailureReason::PinRefused, "the page's words"),
    }
}

#[tokio::test]
async fn a_closed_account_stays_closed_over_a_restart_until_it_is_opened() {
    let world = World::new().await;
    let cooldowns = SqliteCooldownRepository::new(world.data.clone());
    assert_eq!(cooldowns.load_all().await.unwrap(), []);
    let both = [closed("a", None), closed("b", Some(660))];
    for one in &both {
        cooldowns
            .close(one, &entry(AuditKind::AccountStopped))
            .await
            .unwrap();
    }

    let again = SqliteCooldownRepository::new(open(&world.dir).await);
    assert_eq!(again.load_all().await.unwrap(), both);
    let opened = entry(AuditKind::AccountOpened);
    let mut earlier = closed("a", None);
    earlier.since = moment(0);
    assert!(
        !again.open(&earlier, &opened).await.unwrap(),
        "the one that came later stays"
    );
    assert!(again.open(&both[0], &opened).await.unwrap());
    assert!(!again.open(&both[0], &opened).await.unwrap());
    assert_eq!(cooldowns.load_all().await.unwrap(), both[1..]);
    assert_eq!(
        world.audit_kinds().await,
        ["account_stopped", "account_stopped", "account_opened"],
        "what changed nothing is not on record"
    );
}

#[tokio::test]
async fn a_cooldown_does_not_replace_a_stop_but_a_stop_does_a_cooldown() {
    let world = World::new().await;
    let cooldowns = SqliteCooldownRepository::new(world.data.clone());
    let audit = entry(AuditKind::AccountStopped);
    cooldowns.close(&closed("a", Some(660)), &audit).await.unwrap();
    cooldowns.close(&closed("a", None), &audit).await.unwrap();
    cooldowns.close(&closed("a", Some(900)), &audit).await.unwrap();
    assert_eq!(cooldowns.load_all().await.unwrap(), [closed("a", None)]);
}

#[tokio::test]
async fn a_cooldown_from_the_future_is_dated_anew_and_no_other() {
    let world = World::new().await;
    let cooldowns = SqliteCooldownRepository::new(world.data.clone());
    let audit = entry(AuditKind::CooldownBegun);
    let (mut future, other) = (closed("a", Some(660)), closed("b", Some(660)));
    future.since = Moment::by_wall_clock(at(9_000));
    for one in [&future, &other] {
        cooldowns.close(one, &audit).await.unwrap();
    }
    cooldowns.redate(&future, &moment(5)).await.unwrap();
    future.since = moment(5);
    assert_eq!(cooldowns.load_all().await.unwrap(), [future, other]);
}
