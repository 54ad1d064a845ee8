//! The audit trail as it is read: in either order, page by page, and only what is wanted.

use rstest::rstest;
use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder};
use vega_domain::ids::{AccountId, RunId};
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{SqliteAuditHistory, SqliteAuditTrail};

use crate::audit_chain::three;
use crate::world::{World, account, api, at};

#[rstest]
#[case(AuditOrder::OldestFirst, [1, 2, 3])]
#[case(AuditOrder::NewestFirst, [3, 2, 1])]
#[tokio::test]
async fn it_is_read_by_page_in_either_order(#[case] order: AuditOrder, #[case] expected: [i64; 3]) {
    let world = World::new().await;
    let run = three(&world).await;
    let history = SqliteAuditHistory::new(world.data.clone());
    let all = AuditFilter::default();
    let first = history.page(&all, order, None, 2).await.unwrap();
    let rest = history.page(&all, order, Some(first[1].id), 2).await.unwrap();
    let none = history.page(&all, order, Some(rest[0].id), 2).await.unwrap();
    let ids: Vec<i64> = first
        .iter()
        .chain(&rest)
        .chain(&none)
        .map(|entry| entry.id)
        .collect();
    assert_eq!(ids, expected);
    let written = AuditEntry::new(at(0), AuditKind::StepChanged, "done");
    let written = written.about(&account(), &api("PRIMARY")).in_run(run);
    let read = first.iter().chain(&rest).find(|entry| entry.id == 1).unwrap();
    assert_eq!(read.entry, written);
}

#[tokio::test]
async fn only_what_fits_every_wish_is_read() {
    let world = World::new().await;
    let run = three(&world).await;
    let other = AuditEntry::new(at(3), AuditKind::StepChanged, "done");
    let other = other.about(&AccountId::new("other").unwrap(), &api("SECONDARY"));
    let trail = SqliteAuditTrail::new(world.data.clone());
    trail.append(&other.in_run(RunId::at(at(3)))).await.unwrap();
    let history = SqliteAuditHistory::new(world.data.clone());
    let ids = async |filter: AuditFilter| {
        let page = history.page(&filter, AuditOrder::OldestFirst, None, 9).await;
        page.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    let all = AuditFilter::default;
    let (since, until) = (Some(at(1)), Some(at(2)));
    let (step, primary) = (Some(AuditKind::StepChanged), Some(api("PRIMARY")));
    let (default, run) = (Some(account()), Some(run));
    let wishes = [
        (AuditFilter { since, ..all() }, vec![2, 3, 4]),
        (AuditFilter { until, ..all() }, vec![1, 2]),
        (
            AuditFilter {
                since,
                until,
                ..all()
            },
            vec![2],
        ),
        (AuditFilter { kind: step, ..all() }, vec![1, 4]),
        (
            AuditFilter {
                account: default.clone(),
                ..all()
            },
            vec![1, 2],
        ),
        (
            AuditFilter {
                api: primary.clone(),
                ..all()
            },
            vec![1],
        ),
        (AuditFilter { run, ..all() }, vec![1]),
        (
            AuditFilter {
                kind: step,
                since,
                ..all()
            },
            vec![4],
        ),
        (
            AuditFilter {
                account: default,
                since,
                ..all()
            },
            vec![2],
        ),
        (
            AuditFilter {
                api: primary,
                since,
                ..all()
            },
            vec![],
        ),
    ];
    for (wish, expected) in wishes {
        assert_eq!(ids(wish.clone()).await, expected, "{wish:?}");
    }
}

/// Times are stored as text, and a second may have a fraction there.
#[tokio::test]
async fn a_fraction_of_a_second_is_on_the_right_side_of_a_bound() {
    let world = World::new().await;
    let trail = SqliteAuditTrail::new(world.data.clone());
    let half = at(1) + chrono::TimeDelta::milliseconds(500);
    for at in [at(1), half, at(2)] {
        trail
            .append(&AuditEntry::new(at, AuditKind::PlanDeclined, ""))
            .await
            .unwrap();
    }
    let history = SqliteAuditHistory::new(world.data.clone());
    let ids = async |since, until| {
        let filter = AuditFilter {
            since,
            until,
            ..AuditFilter::default()
        };
        let page = history.page(&filter, AuditOrder::OldestFirst, None, 9).await;
        page.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Some(at(1)), Some(half)).await, [1]);
    assert_eq!(ids(Some(half), Some(at(2))).await, [2]);
    assert_eq!(ids(Some(half), None).await, [2, 3]);
}
