//! When a file is written, removed and left alone, and how often what follows is tried, with files and commands that do what a test says.

mod expiry;
mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;
use tokio::time::Instant;
use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, DeliveryState, FileStanding,
};
use vega_domain::ports::{FileDeliveries, MockFileDeliveries, MockTokenFileInspector};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_file::OnExpiry;

use self::fixture::{A_MOMENT, Fixture, REPLACED, content, generation};
use super::*;
use crate::test_builders::{api, stored};

#[tokio::test(start_paused = true)]
async fn each_version_is_delivered_once_over_restarts() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(fixture.disk.deeds(), Vec::<String>::new(), "there is no token");
    fixture.publish(1);
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    for _ in 0..3 {
        fixture.runs_for(Duration::from_mins(10)).await;
    }
    assert_eq!(fixture.disk.deeds(), REPLACED);
    assert_eq!(fixture.standing().await, FileStanding::Current);
    assert_eq!(
        fixture.kinds(),
        [AuditKind::FileDeliveryBegun, AuditKind::FileDelivered]
    );

    fixture.publish(2);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(fixture.disk.deeds(), REPLACED);
    assert_eq!(fixture.row().generation, generation(2));
}

/// Also where the first try fails: until then the file is what the row said before.
#[tokio::test(start_paused = true)]
async fn a_row_that_says_something_else_counts_until_its_file_is_written() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.deeds();
    fixture.disk.is_named_otherwise.store(true, Ordering::SeqCst);
    fixture.disk.fails("prepare", 2, DeliveryProblem::CheckFailed);
    fixture.runs_for(Duration::from_secs(3)).await;
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(
        fixture.disk.deeds(),
        [&["prepare"; 2][..], &REPLACED[..]].concat()
    );
    assert_eq!(fixture.standing().await, FileStanding::Current);
}

/// While a check runs the token may die, or a newer one come.
#[rstest]
#[case::it_dies(None)]
#[case::a_newer_one_comes(Some(2))]
#[tokio::test(start_paused = true)]
async fn what_is_served_no_more_when_its_file_is_ready_comes_into_none(#[case] next: Option<u32>) {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    let registry = fixture.ports.registry.clone();
    *fixture.disk.meanwhile.lock().unwrap() = Some(Box::new(move || match next {
        None => registry.remove(&api("PRIMARY"), generation(1)),
        Some(next) => assert!(registry.publish(&stored("PRIMARY", next))),
    }));
    fixture.runs_for(A_MOMENT).await;
    let held = *fixture.disk.file.lock().unwrap();
    assert_eq!(held, next.map(|next| content(&stored("PRIMARY", next))));
    assert_eq!(*fixture.disk.draft.lock().unwrap(), None);
    let deeds = fixture.disk.deeds();
    assert_eq!(
        deeds.iter().filter(|deed| *deed == "follow").count(),
        usize::from(next.is_some())
    );
}

/// Whatever state it died in, and though there is no token any more.
#[tokio::test(start_paused = true)]
async fn what_a_process_left_half_made_is_gone_after_the_next_start() {
    let fixture = Fixture::new(OnExpiry::Remove);
    *fixture.disk.draft.lock().unwrap() = Some(ContentDigest([7; 32]));
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(
        *fixture.disk.draft.lock().unwrap(),
        None,
        "nothing was ever delivered"
    );
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(A_MOMENT).await;
    *fixture.disk.draft.lock().unwrap() = Some(ContentDigest([7; 32]));
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(*fixture.disk.draft.lock().unwrap(), None, "it had ended");
}

/// A row of `vega.toml` counts from the next start on: also its format, its mode and who may read it.
#[tokio::test(start_paused = true)]
async fn a_row_that_says_something_else_has_the_file_written_again_once() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.deeds();
    fixture.disk.is_named_otherwise.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        fixture.runs_for(Duration::from_mins(10)).await;
    }
    assert_eq!(fixture.disk.deeds(), REPLACED);
}

/// A generation comes twice where a database server lost the first one.
#[tokio::test(start_paused = true)]
async fn another_token_of_the_same_number_is_another_version() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.deeds();
    let again = StoredToken {
        access_token: AccessToken::new("another one"),
        ..stored("PRIMARY", 1)
    };
    fixture.ports.registry.publish(&again);
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(fixture.disk.deeds(), REPLACED);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_is_delivered_at_once_while_it_runs_and_those_of_others_are_no_reason() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    let service = fixture.service();
    let noticed = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        fixture.disk.deeds();
        fixture.ports.registry.publish(&stored("WEBSOCKET1", 7));
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(fixture.disk.deeds(), Vec::<String>::new());
        fixture.publish(2);
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(fixture.disk.deeds(), REPLACED);
    };
    tokio::select! {
        _ = service.follow() => unreachable!(),
        () = noticed => {}
    }
}

/// 1, 5, 30 s, then each minute; the file itself is not replaced again.
#[tokio::test(start_paused = true)]
async fn what_follows_is_tried_until_it_succeeded_and_never_again() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.disk.fails("follow", 6, DeliveryProblem::ThenFailed);
    fixture.publish(1);
    let service = fixture.service();
    let began = Instant::now();
    let (mut times, mut others) = (Vec::new(), 0);
    let watching = async {
        while times.len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            // News of other APIs is no reason to try sooner.
            others += 1;
            fixture.ports.registry.publish(&stored("WEBSOCKET1", others));
            let follows = fixture
                .disk
                .deeds()
                .iter()
                .filter(|deed| *deed == "follow")
                .count();
            times.extend(std::iter::repeat_n(began.elapsed().as_secs(), follows));
        }
    };
    tokio::select! {
        _ = service.follow() => unreachable!(),
        () = watching => {}
    }
    assert_eq!(times, [0, 1, 6, 36, 96, 156, 216]);
    let failed = fixture.row().failed;
    assert_eq!(failed, None, "it has succeeded");
    drop(service);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(fixture.disk.deeds(), Vec::<String>::new());
    let kinds = fixture.kinds();
    let told = kinds
        .iter()
        .filter(|kind| **kind == AuditKind::FileDeliveryFailed)
        .count();
    assert_eq!(told, 1, "one cause is told once: {kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_death_between_file_and_command_leaves_the_command_to_the_next_process() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.disk.hangs.store(true, Ordering::SeqCst);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(fixture.disk.deeds(), ["prepare", "put", "hang"]);
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    fixture.disk.hangs.store(false, Ordering::SeqCst);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(
        fixture.disk.deeds(),
        ["follow"],
        "the file is in place, and it ran once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_or_changed_is_delivered_anew() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    for there in [None, Some(ContentDigest([9; 32]))] {
        fixture.disk.deeds();
        *fixture.disk.file.lock().unwrap() = there;
        fixture.runs_for(Duration::from_mins(3)).await;
        assert_eq!(fixture.disk.deeds(), REPLACED, "{there:?}");
    }
}

#[rstest]
#[case::check("prepare", DeliveryProblem::CheckFailed)]
#[case::rename("put", DeliveryProblem::WriteFailed)]
#[tokio::test(start_paused = true)]
async fn a_file_that_was_refused_stays_as_it_was_and_is_tried_again(
    #[case] deed: &'static str,
    #[case] problem: DeliveryProblem,
) {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    let before = *fixture.disk.file.lock().unwrap();
    fixture.disk.fails(deed, 2, problem);
    fixture.publish(2);
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(*fixture.disk.file.lock().unwrap(), before);
    assert_eq!(
        *fixture.disk.draft.lock().unwrap(),
        None,
        "nothing is left of the new one"
    );
    let row = fixture.row();
    assert_eq!(row.state, DeliveryState::Pending);
    assert_eq!(
        row.failed.map(|failed| (failed.tries, failed.failure.problem)),
        Some((1, problem))
    );
    fixture.runs_for(Duration::from_mins(1)).await;
    assert_eq!(fixture.standing().await, FileStanding::Current);
    assert_eq!(
        *fixture.disk.file.lock().unwrap(),
        Some(content(&stored("PRIMARY", 2)))
    );
}

/// What is not on record is not begun; what has happened is recorded when the database takes it.
#[tokio::test(start_paused = true)]
async fn a_database_that_takes_nothing_has_no_file_replaced() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    let refuses = Arc::new(AtomicBool::new(true));
    let mut deliveries = MockFileDeliveries::new();
    let claimed = fixture.store.clone();
    deliveries
        .expect_claim()
        .returning(move || futures_util::FutureExt::now_or_never(claimed.claim()).unwrap());
    deliveries.expect_load().returning(|| Ok(Vec::new()));
    let (store, is_full) = (fixture.store.clone(), refuses.clone());
    deliveries.expect_record().returning(move |delivery, audit| {
        if is_full.load(Ordering::SeqCst) {
            return Err(StoreError::Unreadable("the disk is full".into()));
        }
        futures_util::FutureExt::now_or_never(store.record(delivery, audit)).unwrap()
    });
    let ports = FileDeliveryPorts {
        deliveries: Arc::new(deliveries),
        ..fixture.ports.clone()
    };
    let service = FileDeliveryService::new(ports);
    let watching = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(*fixture.disk.file.lock().unwrap(), None);
        assert_eq!(*fixture.disk.draft.lock().unwrap(), None);
        refuses.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(fixture.row().state, DeliveryState::Delivered);
        assert_eq!(
            fixture.kinds(),
            [AuditKind::FileDeliveryBegun, AuditKind::FileDelivered]
        );

        // A dead token is not left lying because of it.
        refuses.store(true, Ordering::SeqCst);
        fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(*fixture.disk.file.lock().unwrap(), None);
        refuses.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(fixture.row().state, DeliveryState::Ended);
        assert_eq!(fixture.kinds().len(), 3, "{:?}", fixture.kinds());
    };
    tokio::select! {
        _ = service.follow() => unreachable!(),
        () = watching => {}
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_do_not_deliver_at_once() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.disk.hangs.store(true, Ordering::SeqCst);
    fixture.publish(1);
    let (server, command) = (fixture.service(), fixture.service());
    let beside = async {
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(command.deliver_once().await.unwrap(), Round::Elsewhere);
        fixture.disk.hangs.store(false, Ordering::SeqCst);
    };
    tokio::select! {
        _ = server.follow() => unreachable!(),
        () = beside => {}
    }
    drop(server);
    assert_eq!(command.deliver_once().await.unwrap(), Round::Made { behind: 0 });
    assert_eq!(fixture.disk.deeds(), ["prepare", "put", "hang", "follow"]);
}

#[tokio::test(start_paused = true)]
async fn one_round_tries_once_and_counts_what_is_behind() {
    let mut fixture = Fixture::new(OnExpiry::Remove);
    assert_eq!(
        fixture.service().deliver_once().await.unwrap(),
        Round::Made { behind: 0 }
    );
    fixture.publish(1);
    fixture.disk.fails("follow", 1, DeliveryProblem::ThenTooSlow);
    assert_eq!(
        fixture.service().deliver_once().await.unwrap(),
        Round::Made { behind: 1 }
    );
    assert_eq!(
        fixture.service().deliver_once().await.unwrap(),
        Round::Made { behind: 0 }
    );
    fixture.ports.files.clear();
    assert_eq!(fixture.service().deliver_once().await.unwrap(), Round::NoFiles);
}

#[tokio::test]
async fn an_overview_looks_at_places_only_where_it_is_asked_to() {
    let fixture = Fixture::new(OnExpiry::Remove);
    let mut inspector = MockTokenFileInspector::new();
    inspector.expect_examine().times(1).returning(|_| {
        Err(DeliveryFailure::new(
            DeliveryProblem::FolderUnfit,
            "it is open to others",
        ))
    });
    let service = FileDeliveryService::new(FileDeliveryPorts {
        inspector: Arc::new(inspector),
        ..fixture.ports.clone()
    });
    let records = service.overview(Inspection::OfRecords).await.unwrap();
    assert!(!records[0].is_behind());
    let places = service.overview(Inspection::OfPlaces).await.unwrap();
    assert_eq!(places[0].standing, FileStanding::NoToken);
    assert!(places[0].is_behind(), "the next delivery would be refused");
}
