//! What a plan will take: how many OTPs, whether the budget has them, and when it should be done. An estimate, and said as
//! one: whether a later sign-in of the same session asks for an OTP is Upstox's to decide.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::AccountId;
use crate::planned_api::{PlannedApi, accounts_of};
use crate::sign_in::OtpAllowance;

/// With OTP and PIN, by a human who has the phone at hand.
const FIRST_SIGN_IN: TimeDelta = TimeDelta::seconds(40);
/// In a session that is signed in: the PIN at most.
const NEXT_SIGN_IN: TimeDelta = TimeDelta::seconds(15);

/// How long the sign-ins for so many APIs of one account take, one after the other; an estimate.
pub fn length_of(apis: u32) -> TimeDelta {
    match apis.checked_sub(1) {
        None => TimeDelta::zero(),
        Some(more) => FIRST_SIGN_IN + NEXT_SIGN_IN * i32::try_from(more).unwrap_or(i32::MAX),
    }
}

/// How an account stands before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub account: AccountId,
    /// Its OTP budget.
    pub allowance: OtpAllowance,
    /// Until when it cools down, if it does.
    pub cools_until: Option<DateTime<Utc>>,
}

/// What a plan will take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanEstimate {
    /// OTPs if each session spares them after the first.
    pub presses_at_least: u32,
    /// OTPs if no session spares any.
    pub presses_at_most: u32,
    /// OTPs that may be asked for now.
    pub presses_left: u32,
    /// When everything should be done, if the sessions spare OTPs and it begins now.
    pub finish: DateTime<Utc>,
    /// How long that is from its begin.
    pub takes: TimeDelta,
    /// When a part of it can begin at the earliest, if not all can begin now.
    pub waits_until: Option<DateTime<Utc>>,
    /// How many APIs belong to accounts that cannot begin now.
    pub apis_later: u32,
    /// Until when none of it can begin, if nothing can begin now.
    pub closed_until: Option<DateTime<Utc>>,
}

impl PlanEstimate {
    /// Of a plan for these APIs that begins at `now`, account by account.
    pub fn of(apis: &[PlannedApi], standings: &[Standing], now: DateTime<Utc>) -> Self {
        let mut estimate = Self {
            presses_at_least: 0,
            presses_at_most: 0,
            presses_left: 0,
            finish: now,
            takes: TimeDelta::zero(),
            waits_until: None,
            apis_later: 0,
            closed_until: None,
        };
        let mut waiting = Vec::new();
        for account in accounts_of(apis) {
            let apis = apis.iter().filter(|planned| planned.account == *account);
            let apis = u32::try_from(apis.count()).unwrap_or(u32::MAX);
            estimate.presses_at_least += 1;
            estimate.presses_at_most += apis;
            let takes = length_of(apis);
            let standing = standings.iter().find(|standing| standing.account == *account);
            match standing.and_then(Standing::opens_at) {
                Some(opens) => {
                    waiting.push((opens, takes));
                    estimate.apis_later += apis;
                }
                None => estimate.finish += takes,
            }
            estimate.presses_left += standing.map_or(0, Standing::presses_left);
        }
        waiting.sort_unstable();
        estimate.waits_until = waiting.first().map(|(opens, _)| *opens);
        let all_wait = waiting.len() == accounts_of(apis).len();
        estimate.closed_until = estimate.waits_until.filter(|_| all_wait);
        for (opens, takes) in waiting {
            estimate.finish = estimate.finish.max(opens) + takes;
        }
        estimate.takes = estimate.finish - now;
        estimate
    }
}

impl Standing {
    fn presses_left(&self) -> u32 {
        match self.allowance {
            OtpAllowance::Left(left) => left,
            OtpAllowance::UsedUp { .. } => 0,
        }
    }

    /// When it can sign in, if it cannot now.
    fn opens_at(&self) -> Option<DateTime<Utc>> {
        let budget = match self.allowance {
            OtpAllowance::Left(_) => None,
            OtpAllowance::UsedUp { until } => Some(until),
        };
        self.cools_until.max(budget)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::ids::ApiName;
    use crate::planned_api::SignInCause;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
    }

    fn plan(apis: &[(&str, &str)]) -> Vec<PlannedApi> {
        let planned = apis.iter().map(|(account, api)| PlannedApi {
            api: ApiName::new(*api).unwrap(),
            account: AccountId::new(*account).unwrap(),
            cause: SignInCause::Missing,
            replaces: None,
            unresolved: None,
            last_failure: None,
            last_attempt: None,
        });
        planned.collect()
    }

    fn standing(account: &str, allowance: OtpAllowance, cools_until: Option<i64>) -> Standing {
        Standing {
            account: AccountId::new(account).unwrap(),
            allowance,
            cools_until: cools_until.map(at),
        }
    }

    const SIX: &[(&str, &str)] = &[
        ("a", "A"),
        ("a", "B"),
        ("a", "C"),
        ("a", "D"),
        ("a", "E"),
        ("a", "F"),
    ];
    const TWO_ACCOUNTS: &[(&str, &str)] = &[("a", "A"), ("a", "B"), ("b", "C")];

    #[rstest]
    #[case::six_at_once(SIX, &[standing("a", OtpAllowance::Left(4), None)], (1, 6, 4), 115, (None, 0, None))]
    #[case::budget_used_up(
        SIX,
        &[standing("a", OtpAllowance::UsedUp { until: at(600) }, None)],
        (1, 6, 0),
        715,
        (Some(600), 6, Some(600))
    )]
    #[case::two_accounts(
        TWO_ACCOUNTS,
        &[standing("a", OtpAllowance::Left(4), None), standing("b", OtpAllowance::Left(1), None)],
        (2, 3, 5),
        95,
        (None, 0, None)
    )]
    #[case::one_cools_down(
        TWO_ACCOUNTS,
        &[standing("a", OtpAllowance::Left(3), Some(300)), standing("b", OtpAllowance::Left(4), None)],
        (2, 3, 7),
        355,
        (Some(300), 2, None)
    )]
    #[case::both_cool_down(
        TWO_ACCOUNTS,
        &[standing("a", OtpAllowance::Left(3), Some(300)), standing("b", OtpAllowance::UsedUp { until: at(200) }, None)],
        (2, 3, 3),
        355,
        (Some(200), 3, Some(200))
    )]
    #[case::it_is_over_before_the_others_are_through(
        TWO_ACCOUNTS,
        &[standing("a", OtpAllowance::Left(3), Some(10)), standing("b", OtpAllowance::Left(4), None)],
        (2, 3, 7),
        95,
        (Some(10), 2, None)
    )]
    fn a_plan_takes_what_its_accounts_take(
        #[case] apis: &[(&str, &str)],
        #[case] standings: &[Standing],
        #[case] (at_least, at_most, left): (u32, u32, u32),
        #[case] finish: i64,
        #[case] (waits_until, apis_later, closed_until): (Option<i64>, u32, Option<i64>),
    ) {
        let expected = PlanEstimate {
            presses_at_least: at_least,
            presses_at_most: at_most,
            presses_left: left,
            finish: at(finish),
            takes: TimeDelta::seconds(finish),
            waits_until: waits_until.map(at),
            apis_later,
            closed_until: closed_until.map(at),
        };
        assert_eq!(PlanEstimate::of(&plan(apis), standings, at(0)), expected);
    }

    #[rstest]
    #[case(0, 0)]
    #[case(1, 40)]
    #[case(6, 115)]
    fn the_first_sign_in_takes_the_otp(#[case] apis: u32, #[case] seconds: i64) {
        assert_eq!(length_of(apis), TimeDelta::seconds(seconds));
    }
}
