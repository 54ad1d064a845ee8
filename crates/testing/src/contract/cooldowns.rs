//! The contract of `CooldownRepository`.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, MobileNumber};

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{at, entry, moment};

pub(super) fn closed(id: &str, hold: AccountHold) -> Cooldown {
    let number = if id == "a" { "9000000001" } else { "9000000002" };
    Cooldown {
        account: AccountId::new(id).unwrap(),
        mobile_number: MobileNumber::new(number).unwrap(),
        since: moment(1),
        hold,
        failure: Failure::new(FailureReason::PinRefused, "the page's words"),
    }
}

fn cooldown(seconds: u64) -> AccountHold {
    let length = Duration::from_secs(seconds);
    AccountHold::Cooldown { length }
}

impl<I: Installation> ContractFixture<I> {
    async fn close(&self, cooldown: &Cooldown) {
        let audit = entry(AuditKind::AccountStopped);
        self.cooldowns.close(cooldown, &audit).await.unwrap();
    }

    async fn open(&self, cooldown: &Cooldown) -> bool {
        let audit = entry(AuditKind::AccountOpened);
        self.cooldowns.open(cooldown, &audit).await.unwrap()
    }

    async fn all_closed(&self) -> Vec<Cooldown> {
        self.cooldowns.load_all().await.unwrap()
    }
}

pub async fn a_closed_account_stays_closed_over_a_restart_until_it_is_opened<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    assert_eq!(fixture.all_closed().await, []);
    let both = [closed("a", AccountHold::Stop), closed("b", cooldown(660))];
    for one in &both {
        fixture.close(one).await;
    }

    let again = fixture.elsewhere().await.cooldowns;
    assert_eq!(again.load_all().await.unwrap(), both);
    let opened = entry(AuditKind::AccountOpened);
    assert!(again.open(&both[0], &opened).await.unwrap());
    assert!(!again.open(&both[0], &opened).await.unwrap());
    assert_eq!(fixture.all_closed().await, both[1..]);
    assert_eq!(
        fixture.audit_kinds().await,
        [
            AuditKind::AccountStopped,
            AuditKind::AccountStopped,
            AuditKind::AccountOpened
        ],
        "what changed nothing is not on record"
    );
}

pub async fn a_cooldown_does_not_replace_a_stop_but_a_stop_does_a_cooldown<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    fixture.close(&closed("a", cooldown(660))).await;
    fixture.close(&closed("a", AccountHold::Stop)).await;
    fixture.close(&closed("a", cooldown(900))).await;
    assert_eq!(fixture.all_closed().await, [closed("a", AccountHold::Stop)]);
}

pub async fn one_number_is_closed_once_whatever_the_account_is_called<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    fixture.close(&closed("a", AccountHold::Stop)).await;
    let mut renamed = closed("a", AccountHold::Stop);
    renamed.account = AccountId::new("renamed").unwrap();
    renamed.since = moment(9);
    fixture.close(&renamed).await;
    assert_eq!(fixture.all_closed().await, [renamed]);
}

pub async fn a_cooldown_that_came_later_is_not_opened<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (mut earlier, later) = (closed("a", cooldown(660)), closed("a", cooldown(660)));
    earlier.since = moment(0);
    fixture.close(&earlier).await;
    fixture.close(&later).await;
    assert!(!fixture.open(&earlier).await);
    assert_eq!(fixture.all_closed().await, [later]);
    assert_eq!(fixture.count(AuditKind::AccountOpened).await, 0);
}

pub async fn a_cooldown_from_the_future_is_dated_anew_and_no_other<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (mut future, other) = (closed("a", cooldown(660)), closed("b", cooldown(660)));
    future.since = ClockReading::by_wall_clock(at(9_000));
    for one in [&future, &other] {
        fixture.close(one).await;
    }
    fixture.cooldowns.redate(&future, &moment(5)).await.unwrap();
    future.since = moment(5);
    assert_eq!(fixture.all_closed().await, [future, other]);
}
