//! How APIs and accounts stand at one moment: what the command line and the server both show. Holds no secrets.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::clock_reading::ClockReading;
use crate::cooldown::Cooldown;
use crate::ids::{AccountId, ApiName};
use crate::sign_in::OtpAllowance;
use crate::token::ApiStatus;
use crate::token_kind::warnings_of;

/// How tokens stand, each in the configuration's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Those of APIs.
    pub apis: Vec<ApiStatus>,
    /// The analytics tokens of the accounts that have one.
    pub analytics: Vec<ApiStatus>,
}

/// How APIs and accounts stand at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// How the tokens stand, of all APIs or of those that are meant.
    pub statuses: Vec<ApiStatus>,
    /// How the analytics tokens of the accounts stand.
    pub analytics: Vec<ApiStatus>,
    /// How many APIs are configured.
    pub configured: usize,
    /// The records of their last failures, where some were kept.
    pub evidence: HashMap<ApiName, PathBuf>,
    /// The accounts that are closed.
    pub closed: Vec<Cooldown>,
    /// The moment.
    pub now: ClockReading,
}

/// How many OTPs the accounts may ask for at the same moment. Apart from the overview: only who shows it has to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtpAllowances {
    /// For each account, in the configuration's order.
    pub of: Vec<(AccountId, OtpAllowance)>,
    /// How many an account may ask for in a window.
    pub budget: u32,
}

impl Overview {
    /// What closes this account, if anything does.
    pub fn closed(&self, account: &AccountId) -> Option<&Cooldown> {
        self.closed.iter().find(|closed| closed.account == *account)
    }

    /// How the analytics token of this account stands, if it has one.
    pub fn analytics(&self, account: &AccountId) -> Option<&ApiStatus> {
        self.analytics.iter().find(|status| status.account == *account)
    }

    /// When the next token or cooldown ends, or an analytics token begins to be warned of, if one does.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        let expiries = self.statuses.iter().filter_map(|status| status.valid_until);
        let cooldowns = self.closed.iter().filter_map(|closed| closed.until(&self.now));
        let analytics = self.analytics.iter().filter_map(|status| status.valid_until);
        let analytics = analytics.flat_map(|end| warnings_of(end).chain([end]));
        let ends = expiries.chain(cooldowns).chain(analytics);
        ends.filter(|end| *end > self.now.at).min()
    }
}

impl OtpAllowances {
    /// When the next budget that is used up has room again, if one is.
    pub fn next_deadline(&self, now: &ClockReading) -> Option<DateTime<Utc>> {
        let budgets = self.of.iter().filter_map(|(_, allowance)| match allowance {
            OtpAllowance::UsedUp { until } => Some(*until),
            OtpAllowance::Left(_) => None,
        });
        budgets.filter(|end| *end > now.at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use rstest::rstest;

    use super::*;
    use crate::cooldown::AccountHold;
    use crate::failure::{Failure, FailureReason};
    use crate::ids::MobileNumber;
    use crate::token::TokenStatus;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn account() -> AccountId {
        AccountId::new("default").unwrap()
    }

    fn status(valid_until: i64) -> ApiStatus {
        ApiStatus {
            api: ApiName::new("PRIMARY").unwrap(),
            account: account(),
            status: TokenStatus::Valid,
            servable: true,
            generation: None,
            valid_until: Some(at(valid_until)),
            verified_at: None,
            last_check: None,
            last_failure: None,
            last_attempt: None,
        }
    }

    fn closed(hold: AccountHold) -> Cooldown {
        Cooldown {
            account: account(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: ClockReading::by_wall_clock(at(0)),
            hold,
            failure: Failure::new(FailureReason::Throttled, ""),
        }
    }

    fn cooldown(seconds: u64) -> Cooldown {
        let length = Duration::from_secs(seconds);
        closed(AccountHold::Cooldown { length })
    }

    fn used_up(until: i64) -> OtpAllowance {
        OtpAllowance::UsedUp { until: at(until) }
    }

    #[rstest]
    #[case::nothing_ends(vec![], vec![closed(AccountHold::Stop)], None)]
    #[case::a_token(vec![status(300), status(200)], vec![cooldown(400)], Some(200))]
    #[case::a_cooldown(vec![status(300)], vec![cooldown(150)], Some(150))]
    #[case::what_is_over_ends_no_more(vec![status(50), status(100)], vec![], None)]
    fn the_next_deadline_is_the_first_that_is_still_to_come(
        #[case] statuses: Vec<ApiStatus>,
        #[case] closed: Vec<Cooldown>,
        #[case] expected: Option<i64>,
    ) {
        let overview = Overview {
            configured: statuses.len(),
            statuses,
            analytics: Vec::new(),
            evidence: HashMap::new(),
            closed,
            now: ClockReading::by_wall_clock(at(100)),
        };
        assert_eq!(overview.next_deadline(), expected.map(at));
    }

    /// What is shown of it changes with each of its warnings.
    #[rstest]
    #[case::long(40 * DAY, 10 * DAY)]
    #[case::within_a_month(20 * DAY, 13 * DAY)]
    #[case::on_its_last_day(DAY / 2, DAY / 2)]
    fn an_analytics_token_is_looked_at_when_its_warnings_begin(#[case] ends: i64, #[case] next: i64) {
        let mut analytics = status(100 + ends);
        analytics.api = ApiName::of_analytics(&account());
        let overview = Overview {
            configured: 0,
            statuses: Vec::new(),
            analytics: vec![analytics],
            evidence: HashMap::new(),
            closed: Vec::new(),
            now: ClockReading::by_wall_clock(at(100)),
        };
        assert_eq!(overview.next_deadline(), Some(at(100 + next)));
    }

    #[rstest]
    #[case::all_have_room(vec![OtpAllowance::Left(1)], None)]
    #[case::the_first_of_two(vec![used_up(300), used_up(120)], Some(120))]
    #[case::what_is_over_ends_no_more(vec![used_up(100), used_up(300)], Some(300))]
    fn the_next_budget_with_room_is_the_first_that_is_still_to_come(
        #[case] allowances: Vec<OtpAllowance>,
        #[case] expected: Option<i64>,
    ) {
        let allowances = OtpAllowances {
            of: allowances
                .into_iter()
                .map(|allowance| (account(), allowance))
                .collect(),
            budget: 4,
        };
        let now = ClockReading::by_wall_clock(at(100));
        assert_eq!(allowances.next_deadline(&now), expected.map(at));
    }
}
