//! A standby takes the place of the server: Vega follows, whether it runs or is started anew, and never goes back.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder};
use vega_domain::ports::{AuditHistory, AuditTrail, TokenChanges};
use vega_persistence::{
    DataSource, DatabasePlace, OpenError, SqlAuditHistory, SqlAuditTrail, SqlTokenChanges,
};
use vega_testing::{PostgresLink, PostgresServer};

use crate::database_fixture::{entry, key_path};

/// Far longer than it takes.
const AT_MOST: Duration = Duration::from_secs(60);

/// A server and its standby, each with a way there.
struct Servers {
    first: PostgresServer,
    standby: PostgresServer,
    ways: [PostgresLink; 2],
    database: String,
    dir: tempfile::TempDir,
}

impl Servers {
    async fn start() -> Self {
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

    fn place(&self) -> DatabasePlace {
        let hosts = self.ways.each_ref().map(|way| {
            let url = way.url("x");
            url.trim_start_matches("postgres://vega@")
                .trim_end_matches("/x")
                .to_owned()
        });
        DatabasePlace {
            folder: self.dir.path().join("desk"),
            ..DatabasePlace::from(&format!("postgres://vega@{}/{}", hosts.join(","), self.database))
        }
    }

    async fn open(&self) -> Result<DataSource, OpenError> {
        DataSource::open(self.place(), &key_path(&self.dir)).await
    }

    /// The server dies, and the standby takes its place.
    fn fail_over(&self) {
        self.first.crash();
        self.standby.promote();
    }
}

async fn way_to(server: &PostgresServer) -> PostgresLink {
    PostgresLink::open(server.socket()).await.unwrap()
}

async fn entries(data: &DataSource) -> usize {
    let all = SqlAuditHistory::new(data.clone())
        .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 100)
        .await;
    all.unwrap().len()
}

/// Until it is taken.
async fn append(data: &DataSource) {
    let trail = SqlAuditTrail::new(data.clone());
    let appended = async {
        while trail.append(&entry(AuditKind::RunStarted)).await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(AT_MOST, appended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_the_place_is_followed() {
    let servers = Servers::start().await;
    let data = servers.open().await.unwrap();
    let before = entries(&data).await;
    append(&data).await;
    servers.standby.catches_up_with(&servers.first);
    // Somebody looks for news, as a server does.
    let changes = SqlTokenChanges::new(data.clone());
    changes.changed().await;
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
