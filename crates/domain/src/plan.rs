//! Which APIs need a sign-in, and why. Pure: statuses in, plan out.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::Account;
use crate::clock_check::ClockCheck;
use crate::cooldown::Cooldown;
use crate::expiry;
use crate::failure::FailureReason;
use crate::ids::{AccountId, ApiName, Generation, InvalidValue};
use crate::token::{ApiStatus, CheckResult, TokenStatus};

/// Why an API is signed in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInCause {
    /// It has no token.
    Missing,
    /// Its token died at 03:30 IST.
    Expired,
    /// Upstox called its token dead.
    Invalid,
    /// Its token is valid; the operator wants a new one and said why.
    Forced,
}

/// Why the operator overrides a rule; kept in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForceReason(String);

impl ForceReason {
    /// One line of some words.
    pub fn new(words: impl Into<String>) -> Result<Self, InvalidValue> {
        let words = words.into();
        if words.trim().is_empty() || words.chars().any(char::is_control) || words.len() > 300 {
            let rule = "must be one line of words, at most 300 bytes";
            return Err(InvalidValue::new("reason", rule));
        }
        Ok(Self(words.trim().to_owned()))
    }
}

impl std::str::FromStr for ForceReason {
    type Err = InvalidValue;
    fn from_str(words: &str) -> Result<Self, InvalidValue> {
        Self::new(words)
    }
}

impl fmt::Display for ForceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SignInCause {
    /// The cause that follows from a status, if one does. A valid token's is the operator's; an unknown one has none.
    pub fn of(status: TokenStatus, force: Option<&ForceReason>) -> Option<Self> {
        match status {
            TokenStatus::Missing => Some(Self::Missing),
            TokenStatus::Expired => Some(Self::Expired),
            TokenStatus::Invalid => Some(Self::Invalid),
            TokenStatus::Valid => force.map(|_| Self::Forced),
            TokenStatus::Unknown => None,
        }
    }

    /// The word in JSON and on screen; the same as the status it came from.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Forced => "forced",
        }
    }
}

/// One API that will be signed in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedApi {
    /// The API.
    pub api: ApiName,
    /// Its account; all of an account's APIs are taken one after the other, through one browser session.
    pub account: AccountId,
    /// Why.
    pub cause: SignInCause,
    /// The stored generation that the new token follows.
    pub replaces: Option<Generation>,
}

/// The APIs of one run, in the order of signing in. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    apis: Vec<PlannedApi>,
    stopped: Vec<Cooldown>,
    force: Option<ForceReason>,
}

impl Plan {
    /// In the order of signing in; at least one.
    pub fn apis(&self) -> &[PlannedApi] {
        &self.apis
    }

    /// The accounts in it that are stopped, and why.
    pub fn stopped(&self) -> &[Cooldown] {
        &self.stopped
    }

    /// Why the operator overrides rules, if so.
    pub fn force(&self) -> Option<&ForceReason> {
        self.force.as_ref()
    }

    /// Notes which of its accounts are stopped.
    #[must_use]
    pub fn with_stopped(mut self, stopped: impl IntoIterator<Item = Cooldown>) -> Self {
        let accounts = self.accounts();
        let ours = stopped
            .into_iter()
            .filter(|stop| stop.is_stop() && accounts.contains(&&stop.account))
            .collect();
        self.stopped = ours;
        self
    }

    /// The plan without its stopped accounts; `None` when nothing is left.
    pub fn without_stopped(mut self) -> Option<Self> {
        let is_stopped =
            |planned: &PlannedApi| self.stopped.iter().any(|stop| stop.account == planned.account);
        self.apis.retain(|planned| !is_stopped(planned));
        self.stopped.clear();
        (!self.apis.is_empty()).then_some(self)
    }

    /// The names of its APIs, for words.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.apis.iter().map(|planned| planned.api.as_str()).collect();
        names.join(", ")
    }

    /// The part of the plan that is about these APIs; `None` when nothing is left.
    pub fn only(mut self, apis: &[ApiName]) -> Option<Self> {
        self.apis.retain(|planned| apis.contains(&planned.api));
        (!self.apis.is_empty()).then_some(self)
    }

    /// The accounts that take part, each once, in order.
    pub fn accounts(&self) -> Vec<&AccountId> {
        let mut accounts: Vec<&AccountId> = Vec::new();
        for planned in &self.apis {
            if accounts.last() != Some(&&planned.account) {
                accounts.push(&planned.account);
            }
        }
        accounts
    }
}

/// What the statuses call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every chosen token is valid.
    AllValid,
    /// None is known to be dead, but these could not be checked. Nothing is signed in for.
    OnlyUnknown(Vec<ApiName>),
    /// Upstox answers nobody: that says something about Upstox or the network, and nothing about tokens.
    /// Nothing is signed in for, not even what is dead by time.
    Unreachable(FailureReason),
    /// These are dead, and no sign-in may begin now.
    NotNow(NotNow),
    /// These are dead; the operator is asked.
    SignIn(Plan),
}

/// Why no sign-in may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// This computer's clock is wrong by so much; nothing overrides that.
    ClockOff(TimeDelta),
    /// It is too near 03:30 IST; the operator may force it.
    ClosedHours {
        /// When sign-ins open again.
        until: DateTime<Utc>,
    },
}

/// Whether sign-ins may begin now.
pub fn not_now(now: DateTime<Utc>, clock: ClockCheck, force: Option<&ForceReason>) -> Option<NotNow> {
    if let ClockCheck::TooFarOff(difference) = clock {
        return Some(NotNow::ClockOff(difference));
    }
    let until = expiry::closed_until(now).filter(|_| force.is_none())?;
    Some(NotNow::ClosedHours { until })
}

/// What asking Upstox just now came to.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The checks of tokens.
    pub checks: &'a [CheckResult],
    /// Why the question for its time was not answered, if it was not.
    pub time_unanswered: Option<FailureReason>,
}

/// Decides over the chosen APIs, account by account in the configuration's order; with `force` valid tokens are replaced
/// too, unknown ones never.
pub fn decide(
    accounts: &[Account],
    statuses: &[ApiStatus],
    asked: Asked<'_>,
    force: Option<&ForceReason>,
) -> Decision {
    if let Some(reason) = outage(asked) {
        return Decision::Unreachable(reason);
    }
    let mut apis = Vec::new();
    for account in accounts {
        for api in &account.apis {
            let status = statuses.iter().find(|status| status.api == api.name);
            let Some(status) = status else { continue };
            if let Some(cause) = SignInCause::of(status.status, force) {
                apis.push(PlannedApi {
                    api: api.name.clone(),
                    account: account.id.clone(),
                    cause,
                    replaces: status.generation,
                });
            }
        }
    }
    if !apis.is_empty() {
        return Decision::SignIn(Plan {
            apis,
            stopped: Vec::new(),
            force: force.cloned(),
        });
    }
    let unknown: Vec<ApiName> = statuses
        .iter()
        .filter(|status| status.status == TokenStatus::Unknown)
        .map(|status| status.api.clone())
        .collect();
    if unknown.is_empty() {
        Decision::AllValid
    } else {
        Decision::OnlyUnknown(unknown)
    }
}

/// Two calls at least that all failed alike, for a cause that lies with Upstox or on the way to it. One token that is
/// answered oddly says nothing of the others.
fn outage(asked: Asked<'_>) -> Option<FailureReason> {
    let unknown = |check: &CheckResult| match check {
        CheckResult::Unknown(reason) => Some(*reason),
        CheckResult::Valid | CheckResult::Invalid => None,
    };
    let first = match (asked.checks.first(), asked.time_unanswered) {
        (Some(check), _) => unknown(check)?,
        // Nobody's token could be asked about: the question for the time tells.
        (None, unanswered) => return unanswered,
    };
    let all_alike = asked.checks.iter().all(|check| unknown(check) == Some(first));
    let is_witnessed = asked.checks.len() > 1 || asked.time_unanswered.is_some();
    (all_alike && is_witnessed && lies_with_upstox(first)).then_some(first)
}

fn lies_with_upstox(reason: FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::Network
            | FailureReason::BrokerDown
            | FailureReason::Blocked
            | FailureReason::Throttled
            | FailureReason::ServiceHours
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::account::{Api, RedirectUri};
    use crate::ids::{ClientId, MobileNumber};
    use crate::secret::ClientSecret;

    fn name(text: &str) -> ApiName {
        ApiName::new(text).unwrap()
    }

    fn account(id: &str, apis: &[&str]) -> Account {
        Account {
            id: AccountId::new(id).unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            user_id: None,
            route: crate::account::Route::Webdriver,
            apis: apis
                .iter()
                .map(|api| Api {
                    name: name(api),
                    client_id: ClientId::new(*api).unwrap(),
                    client_secret: ClientSecret::new("s"),
                    redirect_uri: RedirectUri::new("http://localhost/cb").unwrap(),
                })
                .collect(),
        }
    }

    fn statuses(of: &[(&str, TokenStatus)]) -> Vec<ApiStatus> {
        of.iter()
            .map(|(api, status)| ApiStatus {
                api: name(api),
                account: AccountId::new("a").unwrap(),
                status: *status,
                servable: false,
                generation: None,
                valid_until: None,
                verified_at: None,
                last_check: None,
                last_failure: None,
            })
            .collect()
    }

    use TokenStatus::{Expired, Invalid, Missing, Unknown, Valid};

    #[rstest]
    #[case::first_morning(&[("A", Missing), ("B", Missing), ("C", Missing)], &["A", "B", "C"])]
    #[case::only_the_dead(&[("A", Valid), ("B", Expired), ("C", Invalid)], &["B", "C"])]
    #[case::unknown_is_left_alone(&[("A", Unknown), ("B", Expired), ("C", Valid)], &["B"])]
    #[case::configured_order(&[("C", Missing), ("A", Missing), ("B", Valid)], &["A", "C"])]
    #[case::chosen_only(&[("C", Missing)], &["C"])]
    fn only_dead_tokens_are_planned(#[case] given: &[(&str, TokenStatus)], #[case] planned: &[&str]) {
        let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
        let Decision::SignIn(plan) = decide(&accounts, &statuses(given), NOBODY, None) else {
            panic!("a dead token must be planned");
        };
        let names: Vec<&str> = plan.apis().iter().map(|api| api.api.as_str()).collect();
        assert_eq!(names, planned);
    }

    #[test]
    fn nothing_dead_means_no_sign_in() {
        let accounts = [account("a", &["A", "B"])];
        assert_eq!(
            decide(&accounts, &statuses(&[("A", Valid), ("B", Valid)]), NOBODY, None),
            Decision::AllValid
        );
        assert_eq!(
            decide(
                &accounts,
                &statuses(&[("A", Unknown), ("B", Valid)]),
                NOBODY,
                None
            ),
            Decision::OnlyUnknown(vec![name("A")])
        );
    }

    #[test]
    fn accounts_are_named_once() {
        let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
        let Decision::SignIn(plan) = decide(
            &accounts,
            &statuses(&[("A", Missing), ("B", Missing), ("C", Missing)]),
            NOBODY,
            None,
        ) else {
            panic!("planned");
        };
        let names: Vec<&str> = plan.accounts().iter().map(|id| id.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_valid_token_is_replaced_only_by_force_and_an_unknown_one_never() {
        let accounts = [account("a", &["A", "B", "C"])];
        let given = statuses(&[("A", Valid), ("B", Unknown), ("C", Expired)]);
        let force = ForceReason::new("the token leaked").unwrap();
        let Decision::SignIn(plan) = decide(&accounts, &given, NOBODY, Some(&force)) else {
            panic!("planned");
        };
        let causes: Vec<_> = plan
            .apis()
            .iter()
            .map(|planned| (planned.api.as_str(), planned.cause))
            .collect();
        assert_eq!(causes, [("A", SignInCause::Forced), ("C", SignInCause::Expired)]);
        assert_eq!(plan.force(), Some(&force));
    }

    #[rstest]
    #[case::empty("")]
    #[case::blank("  ")]
    #[case::two_lines("a\nb")]
    #[case::endless(&"x".repeat(301))]
    fn a_reason_says_something(#[case] words: &str) {
        assert!(ForceReason::new(words).is_err());
    }

    const AHEAD: TimeDelta = TimeDelta::minutes(6);

    #[rstest]
    #[case::by_day("08:45", ClockCheck::Good, false, None)]
    #[case::nobody_knows("08:45", ClockCheck::NotKnown, false, None)]
    #[case::slightly_off("08:45", ClockCheck::Off(TimeDelta::minutes(4)), false, None)]
    #[case::far_off("08:45", ClockCheck::TooFarOff(AHEAD), false, Some("clock"))]
    #[case::force_does_not_set_a_clock("08:45", ClockCheck::TooFarOff(AHEAD), true, Some("clock"))]
    #[case::near_expiry("03:25", ClockCheck::Good, false, Some("hours"))]
    #[case::near_expiry_forced("03:25", ClockCheck::Good, true, None)]
    fn when_sign_ins_may_not_begin(
        #[case] ist: &str,
        #[case] clock: ClockCheck,
        #[case] forced: bool,
        #[case] refused: Option<&str>,
    ) {
        let now = DateTime::parse_from_rfc3339(&format!("2026-11-23T{ist}:00+05:30")).unwrap();
        let force = forced.then(|| ForceReason::new("words").unwrap());
        let found = not_now(now.to_utc(), clock, force.as_ref()).map(|why| match why {
            NotNow::ClockOff(_) => "clock",
            NotNow::ClosedHours { .. } => "hours",
        });
        assert_eq!(found, refused);
    }

    #[test]
    fn a_plan_can_leave_its_stopped_accounts_out() {
        let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
        let all = statuses(&[("A", Missing), ("B", Missing), ("C", Missing)]);
        let Decision::SignIn(plan) = decide(&accounts, &all, NOBODY, None) else {
            panic!("planned");
        };
        let stop = |id: &str| Cooldown {
            account: AccountId::new(id).unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: crate::moment::Moment::by_wall_clock(DateTime::UNIX_EPOCH),
            length: None,
            failure: crate::failure::Failure::new(FailureReason::PinRefused, ""),
        };
        let plan = plan.with_stopped([stop("a"), stop("elsewhere")]);
        assert_eq!(plan.stopped(), [stop("a")], "only its own");
        let rest = plan.clone().without_stopped().unwrap();
        let names: Vec<_> = rest.apis().iter().map(|planned| planned.api.as_str()).collect();
        assert_eq!(names, ["C"]);
        assert_eq!(plan.with_stopped([stop("a"), stop("b")]).without_stopped(), None);
    }

    const NOBODY: Asked<'static> = Asked {
        checks: &[],
        time_unanswered: None,
    };
    const NETWORK: CheckResult = CheckResult::Unknown(FailureReason::Network);
    const BLOCKED: CheckResult = CheckResult::Unknown(FailureReason::Blocked);
    const ODD: CheckResult = CheckResult::Unknown(FailureReason::WrongTokenKind);

    #[rstest]
    #[case::nobody_asked(&[], false, None)]
    #[case::nobody_asked_and_no_time(&[], true, Some(FailureReason::Network))]
    #[case::one_failed_but_upstox_tells_its_time(&[NETWORK], false, None)]
    #[case::one_failed_and_no_time(&[NETWORK], true, Some(FailureReason::Network))]
    #[case::all_alike(&[NETWORK, NETWORK], false, Some(FailureReason::Network))]
    #[case::all_blocked(&[BLOCKED, BLOCKED], false, Some(FailureReason::Blocked))]
    #[case::all_odd(&[ODD, ODD], false, None)]
    #[case::for_different_causes(&[NETWORK, BLOCKED], true, None)]
    #[case::one_answered(&[NETWORK, CheckResult::Valid], true, None)]
    #[case::one_is_dead(&[CheckResult::Invalid, NETWORK], true, None)]
    fn when_upstox_answers_nobody_nothing_is_signed_in_for(
        #[case] checks: &[CheckResult],
        #[case] no_time: bool,
        #[case] unreachable: Option<FailureReason>,
    ) {
        let accounts = [account("a", &["A", "B"])];
        let asked = Asked {
            checks,
            time_unanswered: no_time.then_some(FailureReason::Network),
        };
        let statuses = statuses(&[("A", Unknown), ("B", Expired)]);
        let decision = decide(&accounts, &statuses, asked, None);
        match unreachable {
            Some(reason) => assert_eq!(decision, Decision::Unreachable(reason)),
            None => assert!(matches!(decision, Decision::SignIn(_)), "{decision:?}"),
        }
    }
}
