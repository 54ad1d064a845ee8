//! A fresh database on the server of the test run, and the machines that open it.

use vega_persistence::{DataSource, DatabasePlace};
use vega_testing::PostgresServer;

use crate::database_fixture::key_path;

pub(crate) struct Desk {
    pub(crate) url: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            url: PostgresServer::shared().fresh_database(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// As a machine of its own opens it: only the key is shared.
    pub(crate) async fn machine(&self, name: &str) -> DataSource {
        let place = DatabasePlace {
            folder: self.dir.path().join(name),
            ..DatabasePlace::from(&self.url)
        };
        DataSource::open(&place, &key_path(&self.dir)).await.unwrap()
    }

    pub(crate) fn change(&self, statements: &str) {
        PostgresServer::shared().change(&self.url, statements);
    }

    /// Somebody else takes the lease, as after a silence.
    pub(crate) fn is_taken_over(&self) {
        self.change(
            "UPDATE writer SET epoch = epoch + 1;
             UPDATE login_lease SET epoch = epoch + 1, heartbeat = 0, pid = 4711, host = 'desk2', process = 'another'",
        );
    }
}
