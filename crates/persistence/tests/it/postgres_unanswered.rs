//! A commit whose answer was lost: what was done counts as done, what was not done has failed, and what stays unknown has failed too.

use std::time::Duration;

use rstest::rstest;
use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder};
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{DataSource, DatabasePlace, SqlAuditHistory, SqlAuditTrail};
use vega_testing::{Around, PostgresLink, PostgresServer, TestClock};

use crate::database_fixture::{at, entry, key_path};
use crate::postgres_desk::Desk;

/// A machine whose way to the database can be cut, and another one.
async fn machines(desk: &Desk) -> (PostgresLink, DataSource, DataSource) {
    let other = desk.machine("other").await;
    let link = PostgresLink::open(PostgresServer::shared().socket())
        .await
        .unwrap();
    let (_, rest) = desk.url.split_once("@/").unwrap();
    let place = DatabasePlace {
        folder: desk.dir.path().join("one"),
        ..DatabasePlace::from(&link.url(rest.split_once('?').unwrap().0))
    };
    let one = DataSource::open(&place, &key_path(&desk.dir)).await.unwrap();
    (link, one, other)
}

async fn entries(data: &DataSource) -> usize {
    let all = SqlAuditHistory::new(data.clone())
        .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 100)
        .await;
    all.unwrap().len()
}

#[rstest]
#[case::the_answer_is_lost(Around::After, true)]
#[case::the_commit_is_lost(Around::Before, false)]
#[tokio::test]
async fn what_became_of_a_commit_is_asked(#[case] around: Around, #[case] is_done: bool) {
    let desk = Desk::new();
    let (link, one, other) = machines(&desk).await;
    let trail = SqlAuditTrail::new(one.clone());
    trail.append(&entry(AuditKind::RunStarted)).await.unwrap();
    let before = entries(&other).await;
    link.lose_a_commit(0, around);
    let said = trail.append(&entry(AuditKind::RunStarted)).await;
    assert!(link.has_lost_it());
    assert_eq!(said.is_ok(), is_done, "{said:?}");
    assert_eq!(entries(&other).await, before + usize::from(is_done));
    // And it goes on.
    trail.append(&entry(AuditKind::RunEnded)).await.unwrap();
    assert_eq!(entries(&other).await, before + 1 + usize::from(is_done));
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn where_nobody_can_be_asked_a_commit_has_failed() {
    let desk = Desk::new();
    let (link, one, other) = machines(&desk).await;
    let trail = SqlAuditTrail::new(one.clone());
    link.lose_a_commit(0, Around::After);
    let (first, second) = (entry(AuditKind::RunStarted), entry(AuditKind::RunEnded));
    let (said, ()) = tokio::join!(trail.append(&first), async {
        while !link.has_lost_it() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        link.cut();
    });
    said.unwrap_err();
    link.let_go();
    trail.append(&second).await.unwrap();
    one.close().await;
    other.close().await;
}

#[rstest]
#[case::the_answer_is_lost(Around::After)]
#[case::the_commit_is_lost(Around::Before)]
#[tokio::test]
async fn a_lease_whose_commit_was_done_is_had(#[case] around: Around) {
    let desk = Desk::new();
    let (link, one, other) = machines(&desk).await;
    let lease = one.login_lease(TestClock::at(at(0)));
    link.lose_a_commit(0, around);
    let taken = lease.acquire().await;
    assert!(link.has_lost_it());
    assert_eq!(taken.is_ok(), around == Around::After, "{taken:?}");
    drop(taken);
    // Nobody is kept waiting by what was lost.
    lease.acquire().await.unwrap();
    one.close().await;
    other.close().await;
}
