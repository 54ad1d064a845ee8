//! Many writers on many machines make one trail: no entry is missing, none is written twice, and each is chained to the one before.

use futures_util::future::join_all;
use vega_domain::audit::AuditKind;
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{DataSource, DatabasePlace, SqlAuditHistory, SqlAuditTrail};
use vega_testing::PostgresServer;

use crate::database_fixture::{entry, key_path};

const WRITERS: usize = 8;
const ENTRIES: u64 = 40;

#[tokio::test]
async fn eight_writers_at_once_make_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let url = PostgresServer::shared().fresh_database();
    let mut machines = Vec::new();
    for number in 0..WRITERS {
        let place = DatabasePlace {
            folder: dir.path().join(number.to_string()),
            ..DatabasePlace::from(&url)
        };
        machines.push(DataSource::open(&place, &key_path(&dir)).await.unwrap());
    }
    let writers = machines.iter().map(async |data| {
        let trail = SqlAuditTrail::new(data.clone());
        for _ in 0..ENTRIES {
            trail.append(&entry(AuditKind::BackupMade)).await.unwrap();
        }
    });
    join_all(writers).await;
    for data in &machines {
        let verdict = SqlAuditHistory::new(data.clone()).verify(None).await.unwrap();
        assert_eq!((verdict.entries, verdict.fault), (WRITERS as u64 * ENTRIES, None));
    }
}
