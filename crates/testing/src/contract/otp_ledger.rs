//! The contract of `OtpLedger`: one press per attempt, a budget per mobile number, over restarts and clocks.

use std::time::Duration;

use vega_domain::audit::AuditKind;
use vega_domain::clock_reading::{ClockReading, SinceBoot};
use vega_domain::ids::{AttemptId, MobileNumber};
use vega_domain::ports::OtpGrant;
use vega_domain::sign_in::OtpBudget;

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{at, mobile, wall};

const BUDGET: OtpBudget = OtpBudget {
    presses: 2,
    window: Duration::from_mins(11),
};

impl<I: Installation> ContractFixture<I> {
    async fn four_attempts(&self) -> Vec<AttemptId> {
        let run = self.running(&["PRIMARY"]).await;
        let mut attempts = Vec::new();
        for _ in 0..4 {
            attempts.push(self.opened(run, "PRIMARY", 1).await.id);
        }
        attempts
    }

    async fn press(&self, attempt: AttemptId, number: &MobileNumber, now: &ClockReading) -> OtpGrant {
        let asked = self.otp_ledger.request_otp(attempt, number, BUDGET, now);
        asked.await.unwrap()
    }
}

pub async fn presses_are_recorded_counted_and_never_doubled<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempts = fixture.four_attempts().await;
    let press = async |index: usize, number: &MobileNumber, seconds| {
        fixture.press(attempts[index], number, &wall(seconds)).await
    };
    let other = MobileNumber::new("9000000002").unwrap();

    assert_eq!(press(0, &mobile(), 0).await, OtpGrant::Granted);
    assert_eq!(
        press(0, &mobile(), 1).await,
        OtpGrant::PressedBefore,
        "one press per attempt"
    );
    assert_eq!(press(1, &mobile(), 2).await, OtpGrant::Granted);
    assert_eq!(
        press(2, &mobile(), 3).await,
        OtpGrant::BudgetUsedUp { until: at(660) }
    );
    assert_eq!(
        press(2, &other, 4).await,
        OtpGrant::Granted,
        "the budget belongs to the number"
    );
    assert_eq!(
        press(3, &mobile(), 660).await,
        OtpGrant::Granted,
        "the first press has left the window"
    );

    let each = [other, mobile()];
    let pressed = fixture.otp_ledger.otp_presses(&each, 9).await.unwrap();
    assert_eq!(pressed, [vec![wall(4)], vec![wall(0), wall(2), wall(660)]]);
    let newest = fixture.otp_ledger.otp_presses(&each, 2).await.unwrap();
    assert_eq!(newest, [vec![wall(4)], vec![wall(2), wall(660)]]);
    assert_eq!(fixture.count(AuditKind::OtpRequested).await, 4);
    assert_eq!(fixture.count(AuditKind::OtpWithheld).await, 1);
}

pub async fn a_press_in_the_window_counts_once_and_is_never_refused<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempts = fixture.four_attempts().await;
    let note = async |index: usize, seconds| {
        let noted = fixture
            .otp_ledger
            .note_otp(attempts[index], &mobile(), &wall(seconds))
            .await;
        noted.unwrap();
    };
    let press = async |index: usize, seconds| fixture.press(attempts[index], &mobile(), &wall(seconds)).await;

    note(0, 0).await;
    note(0, 1).await;
    assert_eq!(
        press(0, 2).await,
        OtpGrant::PressedBefore,
        "this attempt has its press"
    );
    assert_eq!(press(1, 3).await, OtpGrant::Granted);
    note(1, 4).await;
    assert_eq!(
        press(2, 5).await,
        OtpGrant::BudgetUsedUp { until: at(660) },
        "the human's press counts as Vega's"
    );
    note(2, 6).await;
    assert_eq!(
        press(3, 660).await,
        OtpGrant::BudgetUsedUp { until: at(663) },
        "the one beyond the budget counts as well"
    );

    assert_eq!(
        fixture
            .otp_ledger
            .otp_presses(&[mobile()], 9)
            .await
            .unwrap()
            .remove(0),
        [wall(0), wall(3), wall(6)],
        "one row per attempt, with its first time"
    );
    assert_eq!(fixture.count(AuditKind::OtpRequestedInWindow).await, 2);
    assert_eq!(fixture.count(AuditKind::OtpRequested).await, 1);
}

pub async fn the_ledger_survives_a_restart<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let attempts = fixture.four_attempts().await;
    fixture.press(attempts[0], &mobile(), &wall(0)).await;

    let ledger = fixture.elsewhere().await.otp_ledger;
    assert_eq!(
        ledger.otp_presses(&[mobile()], 9).await.unwrap().remove(0),
        [wall(0)]
    );
    let again = ledger.request_otp(attempts[0], &mobile(), BUDGET, &wall(9)).await;
    assert_eq!(again.unwrap(), OtpGrant::PressedBefore);
}

/// The clock is set, and set again; the time since boot tells the truth, and after a new boot nothing is held for ever.
pub async fn setting_the_clock_neither_opens_the_ledger_nor_holds_it<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let press = async |wall_clock: i64, boot: &str, elapsed: u64| {
        let attempt = fixture.opened(run, "PRIMARY", 1).await.id;
        let now = ClockReading {
            at: at(wall_clock),
            since_boot: Some(SinceBoot {
                boot: boot.into(),
                elapsed: Duration::from_secs(elapsed),
            }),
        };
        fixture.press(attempt, &mobile(), &now).await
    };
    let used_up = |until| OtpGrant::BudgetUsedUp { until: at(until) };
    assert_eq!(press(0, "a", 100).await, OtpGrant::Granted);
    assert_eq!(press(7_200, "a", 101).await, OtpGrant::Granted, "set forward");
    assert_eq!(
        press(14_400, "a", 759).await,
        used_up(14_401),
        "set forward again"
    );
    assert_eq!(
        press(14_400, "a", 760).await,
        OtpGrant::Granted,
        "11 minutes after the first"
    );
    assert_eq!(press(10, "b", 5).await, used_up(670), "set back over a new boot");
    assert_eq!(
        press(669, "b", 664).await,
        used_up(670),
        "the wait does not begin anew"
    );
    assert_eq!(press(670, "b", 665).await, OtpGrant::Granted);
}
