//! Which APIs need a sign-in, and why. Pure: statuses in, plan out.

use crate::account::Account;
use crate::failure::FailureReason;
use crate::ids::{AccountId, ApiName};
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
}

impl SignInCause {
    /// The cause that follows from a status, if one does.
    pub fn of(status: TokenStatus) -> Option<Self> {
        match status {
            TokenStatus::Missing => Some(Self::Missing),
            TokenStatus::Expired => Some(Self::Expired),
            TokenStatus::Invalid => Some(Self::Invalid),
            TokenStatus::Valid | TokenStatus::Unknown => None,
        }
    }

    /// The word in JSON and on screen; the same as the status it came from.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
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
}

/// The APIs of one run, in the order of signing in. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    apis: Vec<PlannedApi>,
}

impl Plan {
    /// In the order of signing in; at least one.
    pub fn apis(&self) -> &[PlannedApi] {
        &self.apis
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
    /// Every check failed for the same cause: that says something about Upstox or the network, and nothing about tokens.
    /// Nothing is signed in for, not even what is dead by time.
    Unreachable(FailureReason),
    /// These are dead; the operator is asked.
    SignIn(Plan),
}

/// Decides over the chosen APIs, account by account in the configuration's order. `checks` are the results of asking
/// Upstox just now.
pub fn decide(accounts: &[Account], statuses: &[ApiStatus], checks: &[CheckResult]) -> Decision {
    if let Some(reason) = all_failed_alike(checks) {
        return Decision::Unreachable(reason);
    }
    let mut apis = Vec::new();
    for account in accounts {
        for api in &account.apis {
            let status = statuses.iter().find(|status| status.api == api.name);
            if let Some(cause) = status.and_then(|status| SignInCause::of(status.status)) {
                apis.push(PlannedApi {
                    api: api.name.clone(),
                    account: account.id.clone(),
                    cause,
                });
            }
        }
    }
    if !apis.is_empty() {
        return Decision::SignIn(Plan { apis });
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

fn all_failed_alike(checks: &[CheckResult]) -> Option<FailureReason> {
    let reason = |check: &CheckResult| match check {
        CheckResult::Unknown(reason) => Some(*reason),
        CheckResult::Valid | CheckResult::Invalid => None,
    };
    let first = reason(checks.first()?)?;
    checks
        .iter()
        .all(|check| reason(check) == Some(first))
        .then_some(first)
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
        let Decision::SignIn(plan) = decide(&accounts, &statuses(given), &[]) else {
            panic!("a dead token must be planned");
        };
        let names: Vec<&str> = plan.apis().iter().map(|api| api.api.as_str()).collect();
        assert_eq!(names, planned);
    }

    #[test]
    fn nothing_dead_means_no_sign_in() {
        let accounts = [account("a", &["A", "B"])];
        assert_eq!(
            decide(&accounts, &statuses(&[("A", Valid), ("B", Valid)]), &[]),
            Decision::AllValid
        );
        assert_eq!(
            decide(&accounts, &statuses(&[("A", Unknown), ("B", Valid)]), &[]),
            Decision::OnlyUnknown(vec![name("A")])
        );
    }

    #[test]
    fn accounts_are_named_once() {
        let accounts = [account("a", &["A", "B"]), account("b", &["C"])];
        let Decision::SignIn(plan) = decide(
            &accounts,
            &statuses(&[("A", Missing), ("B", Missing), ("C", Missing)]),
            &[],
        ) else {
            panic!("planned");
        };
        let names: Vec<&str> = plan.accounts().iter().map(|id| id.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    const NETWORK: CheckResult = CheckResult::Unknown(FailureReason::Network);
    const BLOCKED: CheckResult = CheckResult::Unknown(FailureReason::Blocked);

    #[rstest]
    #[case::nobody_asked(&[], None)]
    #[case::one_failed(&[NETWORK], Some(FailureReason::Network))]
    #[case::all_alike(&[NETWORK, NETWORK], Some(FailureReason::Network))]
    #[case::for_different_causes(&[NETWORK, BLOCKED], None)]
    #[case::one_answered(&[NETWORK, CheckResult::Valid], None)]
    #[case::one_is_dead(&[CheckResult::Invalid, NETWORK], None)]
    fn when_all_checks_fail_alike_nothing_is_signed_in_for(
        #[case] checks: &[CheckResult],
        #[case] unreachable: Option<FailureReason>,
    ) {
        let accounts = [account("a", &["A", "B"])];
        let decision = decide(&accounts, &statuses(&[("A", Unknown), ("B", Expired)]), checks);
        match unreachable {
            Some(reason) => assert_eq!(decision, Decision::Unreachable(reason)),
            None => assert!(matches!(decision, Decision::SignIn(_)), "{decision:?}"),
        }
    }
}
