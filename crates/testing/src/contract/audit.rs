//! The contracts of `AuditTrail` and `AuditHistory`, as far as every store can break them.

use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder};
use vega_domain::ids::{AccountId, RunId};
use vega_domain::secret::AccessToken;

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{account, api, at, entry, entry_at, token};

impl<I: Installation> ContractFixture<I> {
    async fn append(&self, entry: &AuditEntry) {
        self.audit.append(entry).await.unwrap();
    }

    /// Four entries: about an API in this run, an account, nothing, and another account and API in another run.
    async fn four(&self) -> (RunId, Vec<AuditEntry>) {
        let run = RunId::at(at(0));
        let other = AccountId::new("other").unwrap();
        let all = vec![
            entry_at(AuditKind::StepChanged, 0)
                .about(&account(), &api("PRIMARY"))
                .in_run(run),
            entry_at(AuditKind::AccountOpened, 1).about_account(&account()),
            entry_at(AuditKind::PlanDeclined, 2),
            entry_at(AuditKind::StepChanged, 3)
                .about(&other, &api("SECONDARY"))
                .in_run(RunId::at(at(3))),
        ];
        for entry in &all {
            self.append(entry).await;
        }
        (run, all)
    }
}

/// Whoever writes, and whatever its clock says.
pub async fn entries_stay_as_they_were_appended_and_in_their_order<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let elsewhere = fixture.elsewhere().await;
    let (first, earlier) = (
        entry_at(AuditKind::PlanDeclined, 9),
        entry_at(AuditKind::PlanDeclined, 1),
    );
    fixture.append(&first).await;
    elsewhere.audit.append(&earlier).await.unwrap();
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.append(&first).await;
    fixture.has(run, "PRIMARY", 1).await;
    let trail = fixture.audit().await;
    let started = entry(AuditKind::RunStarted);
    assert_eq!(trail[..4], [first.clone(), earlier, started, first]);

    fixture.tokens.erase_dead(at(1_000_000)).await.unwrap();
    let later = elsewhere
        .history
        .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 1_000)
        .await
        .unwrap();
    assert!(later.is_sorted_by(|one, next| one.id < next.id), "{later:?}");
    let later: Vec<AuditEntry> = later.into_iter().map(|recorded| recorded.entry).collect();
    assert_eq!(later[..trail.len()], trail);
    assert_eq!(later.len(), trail.len() + 1, "what was erased is told");
}

pub async fn the_trail_is_read_page_by_page_in_either_order<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (_, mut expected) = fixture.four().await;
    for order in [AuditOrder::OldestFirst, AuditOrder::NewestFirst] {
        let mut read = Vec::new();
        let mut after = None;
        for length in [3, 1, 0] {
            let all = AuditFilter::default();
            let page = fixture.history.page(&all, order, after, 3).await.unwrap();
            assert_eq!(page.len(), length, "{order:?}");
            after = page.last().map(|entry| entry.id).or(after);
            read.extend(page.into_iter().map(|recorded| recorded.entry));
        }
        assert_eq!(read, expected, "{order:?}");
        expected.reverse();
    }
}

pub async fn only_what_fits_the_whole_filter_is_read<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (run, entries) = fixture.four().await;
    let all = AuditFilter::default;
    let (since, until, run) = (Some(at(1)), Some(at(2)), Some(run));
    let (kind, account, api) = (
        Some(AuditKind::StepChanged),
        Some(account()),
        Some(api("PRIMARY")),
    );
    let by_account = AuditFilter { account, ..all() };
    let by_api = AuditFilter { api, ..all() };
    #[rustfmt::skip]
    let filters = [
        (AuditFilter { since, ..all() }, &[1, 2, 3][..]),
        (AuditFilter { until, ..all() }, &[0, 1]),
        (AuditFilter { since, until, ..all() }, &[1]),
        (AuditFilter { kind, ..all() }, &[0, 3]),
        (by_account.clone(), &[0, 1]),
        (by_api.clone(), &[0]),
        (AuditFilter { run, ..all() }, &[0]),
        (AuditFilter { kind, since, ..all() }, &[3]),
        (AuditFilter { since, ..by_account }, &[1]),
        (AuditFilter { since, ..by_api }, &[]),
    ];
    for (filter, expected) in filters {
        let order = AuditOrder::OldestFirst;
        let page = fixture.history.page(&filter, order, None, 9).await.unwrap();
        let read: Vec<&AuditEntry> = page.iter().map(|recorded| &recorded.entry).collect();
        let expected: Vec<&AuditEntry> = expected.iter().map(|at| &entries[*at]).collect();
        assert_eq!(read, expected, "{filter:?}");
    }
}

pub async fn a_trail_that_nobody_changed_is_intact<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let verdict = fixture.history.verify(None).await.unwrap();
    assert_eq!(
        (verdict.entries, verdict.checkpoints, verdict.fault),
        (0, 0, None)
    );
    for seconds in [4, 5] {
        let run = RunId::at(at(seconds));
        fixture.four().await;
        fixture.audit.keep_checkpoint(run, at(seconds)).await.unwrap();
    }
    fixture.append(&entry(AuditKind::PlanDeclined)).await;
    let verdict = fixture.elsewhere().await.history.verify(None).await.unwrap();
    assert_eq!(
        (verdict.entries, verdict.checkpoints, verdict.fault),
        (9, 2, None)
    );
}

/// A token that is stored nowhere is told apart by the same mark as one that is.
pub async fn an_entry_about_a_token_tells_it_apart_and_does_not_show_it<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    let stored = token(attempt, "PRIMARY", 1);
    fixture.store(&stored).await.unwrap();
    let other = AccessToken::new("CANARY-another-token");
    let audit = entry(AuditKind::TokenStored);
    for token in [&stored.token.access_token, &other] {
        fixture.audit.append_about(&audit, token).await.unwrap();
    }
    let trail = fixture.audit().await;
    let mut about = trail.iter().filter(|entry| entry.kind == AuditKind::TokenStored);
    let mut detail = || about.next().unwrap().detail.as_str();
    let (stored, same, another) = (detail(), detail(), detail());
    assert_eq!(stored, same);
    assert_ne!(stored, another);
    for entry in &trail {
        assert!(!entry.detail.contains("CANARY"), "{entry:?}");
    }
}
