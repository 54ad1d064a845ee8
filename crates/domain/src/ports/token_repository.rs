//! Port: the tokens of all APIs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::audit::{AuditEntry, AuditKind};
use crate::ids::{AccountId, ApiName, Generation, UserId};
use crate::token::{LastCheck, NewToken, StoredToken};

/// A profile check to be recorded on one generation of one API's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCheck {
    /// Whose token.
    pub api: ApiName,
    /// Which one was checked; a newer one is not touched.
    pub generation: Generation,
    /// What came out.
    pub check: LastCheck,
}

/// A check with the audit entry that tells of it.
pub type RecordedCheck = (TokenCheck, AuditEntry);

/// The audit entry of checks that changed nothing: one tells of all of them. A single one keeps its own.
pub fn entry_for_unchanged(checks: &[&RecordedCheck]) -> Option<AuditEntry> {
    let (_, first) = checks.first()?;
    if checks.len() == 1 {
        return Some(first.clone());
    }
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (check, _) in checks {
        let result = check.check.result.to_string();
        names.entry(result).or_default().push(check.api.as_str());
    }
    let told = names.iter().map(|(result, names)| {
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first: Vec<&str> = names.iter().take(NAMED).copied().collect();
        format!("{} {result} as before: {}{more}", names.len(), first.join(", "))
    });
    let detail = told.collect::<Vec<_>>().join("; ");
    let at = checks.iter().map(|(_, audit)| audit.at).max().unwrap_or(first.at);
    let mut entry = AuditEntry::new(at, AuditKind::TokensChecked, detail);
    if checks.iter().all(|(_, audit)| audit.account == first.account) {
        entry.account.clone_from(&first.account);
    }
    Some(entry)
}

/// So many APIs of one result are named in one entry.
const NAMED: usize = 20;

/// A token that is on record but cannot be had: it does not open (wrong key, damage, or a value moved from another row), or
/// it died long ago and was erased.
#[derive(Debug)]
pub struct UnreadableToken {
    /// Whose token.
    pub api: ApiName,
    /// Which one.
    pub generation: Generation,
    /// When it dies or died; this is not sealed.
    pub valid_until: DateTime<Utc>,
    /// Why it cannot be had.
    pub error: StoreError,
}

/// One API's newest token, or why it could not be read.
pub type LoadedToken = Result<StoredToken, UnreadableToken>;

/// Durable tokens. The database is authoritative; everything in memory follows it.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UpstoxTokenRepository: Send + Sync {
    /// The newest token of every API that has one. One unreadable token MUST NOT hide the others
    /// (`one_unreadable_token_does_not_hide_the_others`).
    async fn load_all(&self) -> Result<Vec<LoadedToken>, StoreError>;

    /// The generation of one API's newest token. MUST work also when that token does not open
    /// (`one_unreadable_token_does_not_hide_the_others`).
    async fn newest_generation(&self, api: &ApiName) -> Result<Option<Generation>, StoreError>;

    /// Whose the account's newest verified token is: the person whom the account was first signed in with. `None` before
    /// its first success.
    async fn owner(&self, account: &AccountId) -> Result<Option<UserId>, StoreError>;

    /// Stores a new token, closes its attempt and erases the attempt's sealed code and answer, all in one commit with
    /// `audit`. MUST refuse with `Conflict` when the newest stored generation is not the one before it
    /// (`a_stale_generation_is_refused_and_nothing_is_written`).
    async fn store(&self, new: &NewToken, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Records checks, each as `StoredToken::apply` does, all in one commit with their audit entries. `verified_at` keeps
    /// its first value, and so does `rejected_at` until a good answer clears it. MUST change only the given generations,
    /// and nothing of one that the operator revoked
    /// (`a_check_keeps_the_first_verdicts_and_touches_only_its_generation`). A check that changes what is known
    /// (`StoredToken::is_changed_by`) MUST keep its own entry; all others together leave the one of `entry_for_unchanged`
    /// (`checks_that_change_nothing_share_one_entry`). Returns for each whether its generation is still the newest.
    async fn record_checks(&self, checks: &[RecordedCheck]) -> Result<Vec<bool>, StoreError>;

    /// Erases, in one commit with its audit entry, the bytes of tokens whose time ended more than a day before `now`,
    /// and of answers as old that were kept for review. MUST NOT touch a token before that
    /// (`a_token_is_erased_a_day_after_its_end_and_no_earlier`). An extended token lives a year, longer than the access
    /// token that it came with: MUST keep it until 366 days and one more have passed since it was issued, or until the
    /// access token is erased and a newer token of its API brought another one
    /// (`an_extended_token_outlives_its_access_token_by_a_year`, `an_extended_token_goes_when_a_newer_one_came`). MUST
    /// leave nothing of the bytes in the database's files, unless another program still reads them
    /// (`a_token_is_erased_a_day_after_its_end_and_not_before`,
    /// `what_a_reader_held_back_goes_with_the_last_connection`). Returns how many values were erased.
    async fn erase_dead(&self, now: DateTime<Utc>) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::token::CheckResult;

    fn check(api: &str, account: &str, result: CheckResult, seconds: i64) -> RecordedCheck {
        let at = DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap();
        let api = ApiName::new(api).unwrap();
        let audit = AuditEntry::new(at, AuditKind::TokenChecked, "its own words");
        let audit = audit.about(&AccountId::new(account).unwrap(), &api);
        let check = TokenCheck {
            api,
            generation: Generation::FIRST,
            check: LastCheck { at, result },
        };
        (check, audit)
    }

    #[test]
    fn one_entry_tells_of_all_that_is_as_before() {
        let checks = [
            check("B", "main", CheckResult::Valid, 1),
            check("A", "main", CheckResult::Valid, 2),
            check("C", "main", CheckResult::Invalid, 0),
        ];
        let entry = entry_for_unchanged(&checks.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(entry.detail, "1 invalid as before: C; 2 valid as before: B, A");
        assert_eq!((entry.kind, entry.api), (AuditKind::TokensChecked, None));
        assert_eq!(
            (entry.at, entry.account),
            (checks[1].1.at, checks[1].1.account.clone())
        );
    }

    #[rstest]
    #[case::twenty(20, "API19")]
    #[case::more(23, "API19 and 3 more")]
    fn it_names_no_more_than_can_be_read(#[case] count: usize, #[case] end: &str) {
        let checks = (0..count).map(|n| check(&format!("API{n}"), "main", CheckResult::Valid, 0));
        let checks: Vec<_> = checks.collect();
        let entry = entry_for_unchanged(&checks.iter().collect::<Vec<_>>()).unwrap();
        assert!(
            entry
                .detail
                .starts_with(&format!("{count} valid as before: API0, "))
        );
        assert!(entry.detail.ends_with(end), "{}", entry.detail);
    }

    #[test]
    fn one_alone_keeps_its_own_and_nothing_leaves_none() {
        let alone = check("A", "main", CheckResult::Valid, 0);
        assert_eq!(entry_for_unchanged(&[&alone]), Some(alone.1.clone()));
        assert_eq!(entry_for_unchanged(&[]), None);
        let other = check("B", "family", CheckResult::Valid, 0);
        assert_eq!(entry_for_unchanged(&[&alone, &other]).unwrap().account, None);
    }
}
