//! A fresh database on the server of the test run, and the machines that open it.

use std::path::PathBuf;

use vega_persistence::{DataSource, DatabasePlace, KeySource, OpenError, create_private_dir};
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

    /// The same with a key file of its own, which is a copy of the first machine's when it is made.
    pub(crate) async fn machine_with_key(&self, name: &str) -> DataSource {
        self.opens_with_key(name).await.unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) async fn opens_with_key(&self, name: &str) -> Result<DataSource, OpenError> {
        let key = self.key_of(name);
        let first = key_path(&self.dir);
        if !first.exists() {
            self.machine("first").await.close().await;
        }
        if !key.exists() {
            create_private_dir(key.parent().unwrap()).unwrap();
            std::fs::copy(first, &key).unwrap();
        }
        self.opens_with(name, &KeySource::File(key)).await
    }

    /// The same with a key from wherever it is.
    pub(crate) async fn opens_with(&self, name: &str, key: &KeySource) -> Result<DataSource, OpenError> {
        let place = DatabasePlace {
            folder: self.dir.path().join(name),
            ..DatabasePlace::from(&self.url)
        };
        DataSource::open(&place, key).await
    }

    /// The key file of this machine.
    pub(crate) fn key_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}-config/vega.key"))
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
