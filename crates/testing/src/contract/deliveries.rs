//! The contract of `FileDeliveries`.

use std::path::Path;

use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, DeliveryState, FailedTry, FileDelivery, TokenVersion,
};
use vega_domain::ids::Generation;
use vega_domain::token_file::OnExpiry;

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{api, at, entry};

fn delivery(path: &str) -> FileDelivery {
    FileDelivery {
        path: path.into(),
        api: api("PRIMARY"),
        version: TokenVersion::new("3-0011223344556677"),
        generation: Generation::new(3).unwrap(),
        on_expiry: OnExpiry::Remove,
        held: None,
        written: Some(ContentDigest([7; 32])),
        state: DeliveryState::Pending,
        since: at(1),
        failed: None,
    }
}

fn failing(path: &str) -> FileDelivery {
    FileDelivery {
        on_expiry: OnExpiry::Keep,
        held: Some(ContentDigest([6; 32])),
        written: None,
        failed: Some(FailedTry {
            at: at(2),
            tries: 4,
            failure: DeliveryFailure::new(DeliveryProblem::CheckFailed, "what it said"),
        }),
        ..delivery(path)
    }
}

pub async fn a_delivery_is_there_over_a_restart_as_it_was_recorded<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    assert_eq!(fixture.deliveries.load().await.unwrap(), []);
    let both = [delivery("/run/a"), failing("/run/b \u{e4}\n")];
    for one in both.iter().rev() {
        let audit = [entry(AuditKind::FileDeliveryBegun)];
        fixture.deliveries.record(one, &audit).await.unwrap();
    }
    let again = fixture.elsewhere().await.deliveries;
    assert_eq!(again.load().await.unwrap(), both);
}

pub async fn a_file_has_one_delivery_and_each_change_its_entries<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (begun, other) = (delivery("/run/a"), delivery("/run/b"));
    for one in [&begun, &other] {
        let audit = [entry(AuditKind::FileDeliveryBegun)];
        fixture.deliveries.record(one, &audit).await.unwrap();
    }
    // A try that failed once more.
    fixture.deliveries.record(&failing("/run/a"), &[]).await.unwrap();
    let done = FileDelivery {
        state: DeliveryState::Delivered,
        held: begun.written,
        ..begun
    };
    let audit = [
        entry(AuditKind::FileDeliveryFailed),
        entry(AuditKind::FileDelivered),
    ];
    fixture.deliveries.record(&done, &audit).await.unwrap();
    assert_eq!(fixture.deliveries.load().await.unwrap(), [done.clone(), other]);
    assert_eq!(
        fixture.audit_kinds().await,
        [
            AuditKind::FileDeliveryBegun,
            AuditKind::FileDeliveryBegun,
            AuditKind::FileDeliveryFailed,
            AuditKind::FileDelivered
        ]
    );

    fixture.refuse_commits(true).await;
    let refused = FileDelivery {
        state: DeliveryState::Ended,
        ..done.clone()
    };
    let audit = [entry(AuditKind::FileDeliveryEnded)];
    fixture.deliveries.record(&refused, &audit).await.unwrap_err();
    fixture.refuse_commits(false).await;
    assert_eq!(fixture.deliveries.load().await.unwrap()[0], done);
}

pub async fn a_delivery_is_forgotten_with_its_entry<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    for path in ["/run/a", "/run/b"] {
        fixture.deliveries.record(&delivery(path), &[]).await.unwrap();
    }
    let audit = entry(AuditKind::FileDeliveryEnded);
    fixture
        .deliveries
        .forget(Path::new("/run/a"), &audit)
        .await
        .unwrap();
    assert_eq!(fixture.deliveries.load().await.unwrap(), [delivery("/run/b")]);
    assert_eq!(fixture.audit_kinds().await, [AuditKind::FileDeliveryEnded]);
}

pub async fn one_process_of_a_machine_delivers<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let other = fixture.elsewhere().await.deliveries;
    let claim = fixture.deliveries.claim().await.unwrap();
    assert!(claim.is_some());
    assert!(other.claim().await.unwrap().is_none(), "two at once");
    drop(claim);
    assert!(other.claim().await.unwrap().is_some());
}
