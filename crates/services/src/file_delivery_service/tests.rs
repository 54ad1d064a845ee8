//! When a file is written, removed and left alone, and how often what follows is tried, with files and commands that do what a test says.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rstest::rstest;
use tokio::time::{Instant, timeout};
use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, DeliveryState, FileStanding,
};
use vega_domain::ids::Generation;
use vega_domain::ports::{Found, MockFileDeliveries, MockTokenFileWriter};
use vega_domain::secret::AccessToken;
use vega_domain::token::StoredToken;
use vega_domain::token_file::{FileAccess, FileFormat, FileMode, OnExpiry};
use vega_testing::MemoryStore;

use super::*;
use crate::test_builders::{PausedClock, api, at, stored};

const PATH: &str = "/run/token";

/// A disk with one file, and commands that fail as often as they are told to. Notes what is done.
#[derive(Default)]
struct Disk {
    file: Mutex<Option<ContentDigest>>,
    draft: Mutex<Option<ContentDigest>>,
    deeds: Mutex<Vec<String>>,
    failures: Mutex<VecDeque<(&'static str, DeliveryProblem)>>,
    /// A command that does not end.
    hangs: AtomicBool,
}

impl Disk {
    fn does(&self, deed: &'static str) -> Result<(), DeliveryFailure> {
        self.deeds.lock().unwrap().push(deed.to_owned());
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((of, problem)) if *of == deed => {
                let failure = DeliveryFailure::new(*problem, "as told");
                failures.pop_front();
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    fn fails(&self, deed: &'static str, times: usize, problem: DeliveryProblem) {
        self.failures
            .lock()
            .unwrap()
            .extend(std::iter::repeat_n((deed, problem), times));
    }

    fn deeds(&self) -> Vec<String> {
        std::mem::take(&mut *self.deeds.lock().unwrap())
    }
}

fn content(token: &StoredToken) -> ContentDigest {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(token.access_token.expose().bytes()) {
        *place = byte;
    }
    ContentDigest(digest)
}

#[async_trait]
impl TokenFileWriter for Disk {
    async fn look(&self, _path: &Path) -> Found {
        self.file.lock().unwrap().map_or(Found::Nothing, Found::File)
    }

    async fn examine(&self, _file: &TokenFile) -> Result<(), DeliveryFailure> {
        Ok(())
    }

    async fn prepare(
        &self,
        _file: &TokenFile,
        token: &StoredToken,
    ) -> Result<ContentDigest, DeliveryFailure> {
        self.does("prepare")?;
        *self.draft.lock().unwrap() = Some(content(token));
        Ok(content(token))
    }

    async fn put(&self, _file: &TokenFile) -> Result<(), DeliveryFailure> {
        self.does("put")?;
        *self.file.lock().unwrap() = self.draft.lock().unwrap().take();
        Ok(())
    }

    async fn discard(&self, _path: &Path) {
        *self.draft.lock().unwrap() = None;
    }

    async fn follow_up(&self, _file: &TokenFile, _token: &StoredToken) -> Result<(), DeliveryFailure> {
        if self.hangs.load(Ordering::SeqCst) {
            self.deeds.lock().unwrap().push("hang".to_owned());
            std::future::pending::<()>().await;
        }
        self.does("follow")
    }

    async fn remove(&self, _path: &Path) -> Result<(), DeliveryFailure> {
        self.does("remove")?;
        *self.file.lock().unwrap() = None;
        Ok(())
    }
}

struct Fixture {
    ports: FileDeliveryPorts,
    disk: Arc<Disk>,
    store: Arc<MemoryStore>,
}

fn file(on_expiry: OnExpiry) -> TokenFile {
    TokenFile {
        api: api("PRIMARY"),
        path: PATH.into(),
        format: FileFormat::Raw,
        access: FileAccess {
            mode: FileMode::PRIVATE,
            owner: None,
            group: None,
        },
        check: None,
        then: None,
        on_expiry,
    }
}

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

impl Fixture {
    fn new(on_expiry: OnExpiry) -> Self {
        let clock = PausedClock::at(at(0));
        let (disk, store) = (Arc::<Disk>::default(), Arc::<MemoryStore>::default());
        Self {
            ports: FileDeliveryPorts {
                files: vec![file(on_expiry)],
                registry: Arc::new(HotTokenRegistry::new(clock.clone())),
                deliveries: store.clone(),
                writer: disk.clone(),
                clock,
            },
            disk,
            store,
        }
    }

    /// As one process has it, which ends when this is dropped.
    fn service(&self) -> FileDeliveryService {
        FileDeliveryService::new(self.ports.clone())
    }

    /// A process that runs for so long, and dies.
    async fn runs_for(&self, time: Duration) {
        let service = self.service();
        let ran = timeout(time, service.follow()).await;
        assert!(ran.is_err());
    }

    fn publish(&self, number: u32) {
        assert!(self.ports.registry.publish(&stored("PRIMARY", number)));
    }

    async fn standing(&self) -> FileStanding {
        self.service().overview(Inspection::OfRecords).await.unwrap()[0].standing
    }

    fn kinds(&self) -> Vec<AuditKind> {
        self.store
            .read(|tables| tables.audit.iter().map(|entry| entry.kind).collect())
    }

    fn row(&self) -> FileDelivery {
        self.store
            .read(|tables| tables.deliveries[Path::new(PATH)].clone())
    }
}

const A_MOMENT: Duration = Duration::from_millis(100);
const REPLACED: [&str; 3] = ["prepare", "put", "follow"];

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
    let mut times = Vec::new();
    let watching = async {
        while times.len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
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

/// Also what an earlier version put there, while the newest one is refused.
#[rstest]
#[case::delivered(0)]
#[case::the_next_is_refused(9)]
#[tokio::test(start_paused = true)]
async fn a_dead_token_is_in_no_file_that_is_vegas(#[case] refusals: usize) {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.fails("put", refusals, DeliveryProblem::WriteFailed);
    fixture.publish(2);
    fixture.runs_for(A_MOMENT).await;
    fixture.publish(3);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.failures.lock().unwrap().clear();
    fixture.ports.registry.remove(&api("PRIMARY"), generation(3));
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(*fixture.disk.file.lock().unwrap(), None);
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
    assert_eq!(fixture.kinds().last(), Some(&AuditKind::FileDeliveryEnded));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_put_there_is_not_removed() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    *fixture.disk.file.lock().unwrap() = Some(ContentDigest([9; 32]));
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(*fixture.disk.file.lock().unwrap(), Some(ContentDigest([9; 32])));
    let audit = fixture
        .store
        .read(|tables| tables.audit.last().unwrap().detail.clone());
    assert!(
        audit.ends_with("it stays, for it is not what Vega wrote"),
        "{audit}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_kept_stays_when_its_token_dies() {
    let fixture = Fixture::new(OnExpiry::Keep);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert!(fixture.disk.file.lock().unwrap().is_some());
    assert_eq!(fixture.row().state, DeliveryState::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_is_tried_again() {
    let fixture = Fixture::new(OnExpiry::Remove);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.disk.fails("remove", 2, DeliveryProblem::RemovalFailed);
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(A_MOMENT).await;
    assert_eq!(fixture.standing().await, FileStanding::Behind);
    assert_eq!(fixture.row().failed.map(|failed| failed.tries), Some(1));
    fixture.runs_for(Duration::from_mins(1)).await;
    assert_eq!(fixture.standing().await, FileStanding::NoToken);
}

#[rstest]
#[case::remove(OnExpiry::Remove)]
#[case::keep(OnExpiry::Keep)]
#[tokio::test(start_paused = true)]
async fn a_file_that_is_named_no_more_stays_until_its_token_dies(#[case] on_expiry: OnExpiry) {
    let mut fixture = Fixture::new(on_expiry);
    fixture.publish(1);
    fixture.runs_for(A_MOMENT).await;
    fixture.ports.files.clear();
    fixture.publish(1);
    fixture.runs_for(Duration::from_mins(10)).await;
    assert!(fixture.disk.file.lock().unwrap().is_some(), "its token lives");
    fixture.ports.registry.remove(&api("PRIMARY"), generation(1));
    fixture.runs_for(Duration::from_mins(10)).await;
    assert_eq!(
        fixture.disk.file.lock().unwrap().is_some(),
        on_expiry == OnExpiry::Keep
    );
    let rows = fixture.store.read(|tables| tables.deliveries.len());
    assert_eq!(rows, 0, "nothing is left of it");
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
    let mut writer = MockTokenFileWriter::new();
    writer.expect_examine().times(1).returning(|_| {
        Err(DeliveryFailure::new(
            DeliveryProblem::FolderUnfit,
            "it is open to others",
        ))
    });
    let service = FileDeliveryService::new(FileDeliveryPorts {
        writer: Arc::new(writer),
        ..fixture.ports.clone()
    });
    let records = service.overview(Inspection::OfRecords).await.unwrap();
    assert!(!records[0].is_behind());
    let places = service.overview(Inspection::OfPlaces).await.unwrap();
    assert_eq!(places[0].standing, FileStanding::NoToken);
    assert!(places[0].is_behind(), "the next delivery would be refused");
}
