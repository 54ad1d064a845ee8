//! What SQLite's way of storing times could do to a filter; all else of the history is in the contract suite.

use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder};
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{SqlAuditHistory, SqlAuditTrail};

use crate::database_fixture::{DatabaseFixture, at};

/// Times are stored as text, and a second may have a fraction there.
#[tokio::test]
async fn a_fraction_of_a_second_is_on_the_right_side_of_a_bound() {
    let fixture = DatabaseFixture::new().await;
    let trail = SqlAuditTrail::new(fixture.data.clone());
    let half = at(1) + chrono::TimeDelta::milliseconds(500);
    for at in [at(1), half, at(2)] {
        trail
            .append(&AuditEntry::new(at, AuditKind::PlanDeclined, ""))
            .await
            .unwrap();
    }
    let history = SqlAuditHistory::new(fixture.data.clone());
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
