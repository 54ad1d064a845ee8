//! A standby takes the place of the server: Vega follows, whether it runs or is started anew, and never goes back.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{sleep, timeout};
use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder};
use vega_domain::clock_reading::ClockReading;
use vega_domain::failure::FailureReason;
use vega_domain::ports::{
    AuditHistory, AuditTrail, ExecutionStateRepository, OtpGrant, OtpLedger, SignInAttempts, StoreError,
    TokenChanges,
};
use vega_domain::run::StepState;
use vega_domain::sign_in::{OtpAllowance, OtpBudget};
use vega_persistence::{
    DataSource, DatabasePlace, OpenError, SqlAuditHistory, SqlAuditTrail, SqlExecutionStateRepository,
    SqlSignInJournal, SqlTokenChanges,
};
use vega_testing::{PostgresLink, PostgresServer, TestClock};

use crate::database_fixture::{api, at, attempt, entry, key_path, mobile, run};

/// Far longer than it takes.
const AT_MOST: Duration = Duration::from_mins(1);

/// A server and its standby, each with a way there.
pub(crate) struct Servers {
    pub(crate) first: PostgresServer,
    pub(crate) standby: PostgresServer,
    ways: [PostgresLink; 2],
    database: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let (first, standby, url) = tokio::task::spawn_blocking(|| {
            let first = PostgresServer::alone("");
            let url = first.fresh_database();
            let standby = first.standby();
            (first, standby, url)
        })
        .await
        .unwrap();
        let ways = [way_to(&first).await, way_to(&standby).await];
        let (_, rest) = url.split_once("@/").unwrap();
        Self {
            first,
            standby,
            ways,
            database: rest.split_once('?').unwrap().0.into(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Where a machine of this name has the database.
    fn place_of(&self, machine: &str) -> DatabasePlace {
        let hosts = self.ways.each_ref().map(|way| {
            let url = way.url("x");
            url.trim_start_matches("postgres://vega@")
                .trim_end_matches("/x")
                .to_owned()
        });
        DatabasePlace {
            folder: self.dir.path().join(machine),
            ..DatabasePlace::from(&format!("postgres://vega@{}/{}", hosts.join(","), self.database))
        }
    }

    fn place(&self) -> DatabasePlace {
        self.place_of("desk")
    }

    pub(crate) async fn open(&self) -> Result<DataSource, OpenError> {
        DataSource::open(self.place(), &key_path(&self.dir)).await
    }

    /// Another machine, with its own copy of the key and its own checkpoints.
    pub(crate) async fn open_elsewhere(&self) -> DataSource {
        let key = self.dir.path().join("elsewhere/vega.key");
        if !key.exists() {
            std::fs::create_dir_all(key.parent().unwrap()).unwrap();
            std::fs::copy(key_path(&self.dir), &key).unwrap();
        }
        DataSource::open(self.place_of("elsewhere"), &key).await.unwrap()
    }

    /// So many entries of a kind are in the trail.
    pub(crate) fn count(&self, kind: AuditKind) -> String {
        let question = format!("SELECT count(*) FROM audit_events WHERE kind = '{}'", kind.code());
        self.standby.ask(&self.url(), &question)
    }

    /// Its name, for statements past Vega.
    pub(crate) fn url(&self) -> String {
        format!("postgres://vega@/{}?host=", self.database)
    }

    /// A place with one host, whose name leads to whichever server has it.
    fn place_by_name(&self) -> DatabasePlace {
        DatabasePlace {
            folder: self.dir.path().join("by-name"),
            ..DatabasePlace::from(&self.ways[0].url(&self.database))
        }
    }

    /// The server dies, and the standby takes its place.
    pub(crate) fn fail_over(&self) {
        self.first.crash();
        self.standby.promote();
    }
}

async fn way_to(server: &PostgresServer) -> PostgresLink {
    PostgresLink::open(server.socket()).await.unwrap()
}

/// Revokes a key: that leaves a checkpoint beside the key.
pub(crate) async fn revoke(data: &DataSource) {
    let trail = SqlAuditTrail::new(data.clone());
    trail.append(&entry(AuditKind::KeyRevoked)).await.unwrap();
}

async fn entries(data: &DataSource) -> usize {
    let all = SqlAuditHistory::new(data.clone())
        .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 100)
        .await;
    all.unwrap().len()
}

/// Until it is taken.
pub(crate) async fn append(data: &DataSource) {
    let trail = SqlAuditTrail::new(data.clone());
    let mut last = None;
    let appended = async {
        while let Err(error) = trail.append(&entry(AuditKind::RunStarted)).await {
            last = Some(error);
            sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = timeout(AT_MOST, appended).await;
    assert!(ended.is_ok(), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_the_place_is_followed() {
    let servers = Servers::start().await;
    let data = servers.open().await.unwrap();
    let before = entries(&data).await;
    append(&data).await;
    servers.standby.catches_up_with(&servers.first);
    // Somebody looks for news, as a server does.
    SqlTokenChanges::new(data.clone()).changed().await;
    servers.fail_over();
    append(&data).await;
    assert_eq!(entries(&data).await, before + 2);
    data.close().await;

    // The old one is back, and this machine remembers that it was replaced.
    servers.first.start_again();
    let again = servers.open().await.unwrap();
    assert_eq!(entries(&again).await, before + 2);
    again.close().await;
    servers.standby.crash();
    let refused = servers.open().await.unwrap_err().to_string();
    assert!(refused.contains("was replaced by another server"), "{refused}");
    assert!(
        DataSource::open_to_read(servers.place(), &key_path(&servers.dir))
            .await
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_take_writes_are_refused() {
    let servers = Servers::start().await;
    let data = servers.open().await.unwrap();
    append(&data).await;
    data.close().await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.promote();
    let refused = servers.open().await.unwrap_err().to_string();
    assert!(refused.contains("both take writes"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_commits_is_noticed_and_made_safe_once() {
    let servers = Servers::start().await;
    let desk = servers.open().await.unwrap();
    let elsewhere = servers.open_elsewhere().await;
    SqlTokenChanges::new(elsewhere.clone()).changed().await;
    let lease = desk.login_lease(TestClock::at(at(0)));
    let _held = lease.acquire().await.unwrap();
    let (runs, journal) = (
        SqlExecutionStateRepository::new(desk.clone()),
        SqlSignInJournal::new(desk.clone()),
    );
    let record = run(&["PRIMARY", "WEBSOCKET1"]);
    runs.begin(&record, &entry(AuditKind::RunStarted)).await.unwrap();
    let open = attempt(record.id, "PRIMARY", 1);
    let opened = entry(AuditKind::AttemptOpened);
    journal.open_attempt(&open, &opened).await.unwrap();
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();

    // Both know what is lost then: one did it, the other saw it.
    let budget = OtpBudget {
        presses: 4,
        window: Duration::from_mins(11),
    };
    let now = ClockReading::by_wall_clock(at(4));
    let granted = journal
        .request_otp(open.id, &mobile(), budget, &now)
        .await
        .unwrap();
    assert_eq!(granted, OtpGrant::Granted);
    revoke(&desk).await;
    let known = entries(&elsewhere).await;
    assert_eq!(known, entries(&desk).await);
    servers.fail_over();

    append(&desk).await;
    append(&elsewhere).await;
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");
    assert_eq!(servers.count(AuditKind::OtpRequested), "0");
    let verdict = SqlAuditHistory::new(desk.clone()).verify(None).await.unwrap();
    assert_eq!(verdict.fault, None);

    // Its sign-in is over, and how far that got is not known.
    let failure = journal.unsaved_failure(record.id, &api("PRIMARY")).await.unwrap();
    assert_eq!(failure.unwrap().reason, FailureReason::OutcomeUnknown);
    let refused = runs
        .save_step(record.id, &api("PRIMARY"), &StepState::SigningIn, &opened)
        .await;
    assert!(matches!(refused, Err(StoreError::TakenOver(None))), "{refused:?}");
    let presses = journal.otp_presses(&[mobile()], 4).await.unwrap();
    let lost_at = presses[0].last().unwrap().at;
    let now = ClockReading::by_wall_clock(lost_at + TimeDelta::minutes(10));
    assert!(matches!(
        budget.allowance(&presses[0], &now),
        OtpAllowance::UsedUp { .. }
    ));
    desk.close().await;
    elsewhere.close().await;

    // And whoever starts anew finds it so.
    for data in [servers.open().await.unwrap(), servers.open_elsewhere().await] {
        append(&data).await;
        data.close().await;
    }
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_while_nobody_ran_is_noticed_at_the_next_start() {
    let servers = Servers::start().await;
    let desk = servers.open().await.unwrap();
    append(&desk).await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    revoke(&desk).await;
    desk.close().await;
    servers.fail_over();

    // Somebody else writes first, and knows of nothing that is missing.
    let elsewhere = servers.open_elsewhere().await;
    append(&elsewhere).await;
    assert_eq!(servers.count(AuditKind::CommitsLost), "0");
    let desk = servers.open().await.unwrap();
    append(&desk).await;
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");
    append(&elsewhere).await;
    for data in [desk, elsewhere] {
        data.close().await;
    }
}

/// A trail that was cut where no server took another one's place is the operator's to accept.
#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_was_cut_by_hand_is_no_loss() {
    let servers = Servers::start().await;
    let desk = servers.open().await.unwrap();
    append(&desk).await;
    let keep = "CREATE TABLE kept AS SELECT * FROM latest_changes";
    servers.first.change(&servers.url(), keep);
    revoke(&desk).await;
    desk.close().await;
    servers.first.change(
        &servers.url(),
        "ALTER TABLE audit_events DISABLE TRIGGER ALL;
         DELETE FROM audit_events WHERE id = (SELECT max(id) FROM audit_events);
         UPDATE writer SET last_entry = last_entry - 1;
         DELETE FROM latest_changes; INSERT INTO latest_changes SELECT * FROM kept;",
    );
    let desk = servers.open().await.unwrap();
    let trail = SqlExecutionStateRepository::new(desk.clone());
    let refused = trail
        .begin(&run(&["PRIMARY"]), &entry(AuditKind::RunStarted))
        .await;
    assert!(matches!(refused, Err(StoreError::NotAccepted(_))), "{refused:?}");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_to_another_server_is_followed_forth_and_not_back() {
    let servers = Servers::start().await;
    let place = servers.place_by_name();
    let desk = DataSource::open(&place, &key_path(&servers.dir)).await.unwrap();
    SqlTokenChanges::new(desk.clone()).changed().await;
    append(&desk).await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    revoke(&desk).await;
    servers.fail_over();
    servers.ways[0].leads_to(servers.standby.socket());
    append(&desk).await;
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");

    servers.first.start_again();
    servers.standby.crash();
    servers.ways[0].leads_to(servers.first.socket());
    let trail = SqlAuditTrail::new(desk.clone());
    for _ in 0..20 {
        trail.append(&entry(AuditKind::RunStarted)).await.unwrap_err();
        sleep(Duration::from_millis(100)).await;
    }
    let told = trail.append(&entry(AuditKind::RunStarted)).await.unwrap_err();
    assert!(
        told.to_string().contains("was replaced by another server"),
        "{told}"
    );
    servers.standby.start_again();
    servers.ways[0].leads_to(servers.standby.socket());
    append(&desk).await;
    desk.close().await;
}

/// The last commits are another process's as often as this one's, which has seen none of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_of_this_machine_wrote_last_is_missed_too() {
    let servers = Servers::start().await;
    let server = servers.open().await.unwrap();
    SqlTokenChanges::new(server.clone()).changed().await;
    append(&server).await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    let command = servers.open().await.unwrap();
    revoke(&command).await;
    command.close().await;
    servers.fail_over();
    append(&server).await;
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");
    server.close().await;
}

/// A provider's switch: the name leads to the server that took the place, and the one before still answers on the connections to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_is_followed_while_the_server_before_it_lives() {
    let servers = Servers::start().await;
    let place = servers.place_by_name();
    let desk = DataSource::open(&place, &key_path(&servers.dir)).await.unwrap();
    SqlTokenChanges::new(desk.clone()).changed().await;
    append(&desk).await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.promote();
    servers.ways[0].leads_to(servers.standby.socket());
    let written = async {
        while servers.count(AuditKind::RunStarted) == "1" {
            sleep(Duration::from_millis(500)).await;
            append(&desk).await;
        }
    };
    timeout(AT_MOST, written).await.unwrap();
    desk.close().await;
}

/// One that does not keep what it acknowledges is not taken, though it is the only one.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_the_place_must_be_fit() {
    let servers = Servers::start().await;
    let desk = servers.open().await.unwrap();
    SqlTokenChanges::new(desk.clone()).changed().await;
    append(&desk).await;
    servers.standby.catches_up_with(&servers.first);
    let sets_fsync = |state: &str| {
        let sets = format!("ALTER SYSTEM SET fsync = {state}");
        servers.standby.change(&servers.url(), &sets);
        servers.standby.change(&servers.url(), "SELECT pg_reload_conf()");
    };
    sets_fsync("off");
    servers.fail_over();
    let trail = SqlAuditTrail::new(desk.clone());
    let refused = async {
        let mut words = String::new();
        while !words.contains("has fsync off") {
            words = trail
                .append(&entry(AuditKind::RunStarted))
                .await
                .unwrap_err()
                .to_string();
        }
    };
    timeout(AT_MOST, refused).await.unwrap();
    sets_fsync("on");
    append(&desk).await;
    desk.close().await;
}

/// On one thread, so that nobody finds out before it is asked that another server has the lease's row.
#[tokio::test]
async fn who_asks_before_a_code_is_sent_asks_the_server_that_took_the_place() {
    let servers = Servers::start().await;
    let (standby, desk) = (&servers.standby, servers.open().await.unwrap());
    let lease = desk.login_lease(TestClock::at(at(0)));
    let _held = lease.acquire().await.unwrap();
    standby.catches_up_with(&servers.first);
    servers.fail_over();
    standby.change(&servers.url(), "UPDATE writer SET epoch = epoch + 1");
    let asked = lease.refuse_taken_over().await;
    assert!(matches!(asked, Err(StoreError::TakenOver(_))), "{asked:?}");
}
