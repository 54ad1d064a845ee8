//! Databases that Vega made with each schema, as they were left: every later Vega opens them and trusts what is in them. They lie in
//! `tests/kept`, which has a word of its own on how they are made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vega_domain::audit::AuditKind;
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_domain::row_faults::RowFaults;
use vega_persistence::{DataSource, DatabasePlace, RowScope, SqlAuditHistory, SqlAuditTrail};
use vega_testing::PostgresServer;

use crate::database_fixture::{DatabaseFixture, database_path, entry, key_path, url};
use crate::row_values::Stage;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kept");
const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
/// Set where the databases of the newest schema are to be made.
const KEEP: &str = "VEGA_KEEP_DATABASES";

fn newest_schema() -> u32 {
    let files = std::fs::read_dir(Path::new(MIGRATIONS).join("sqlite")).unwrap();
    let numbers = files.map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name[..4].parse().unwrap()
    });
    numbers.max().unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::set_permissions(to.parent().unwrap(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o600)).unwrap();
}

/// As an operator has it who installs the next version.
async fn opened(kept: &Path) -> (tempfile::TempDir, DataSource) {
    let dir = tempfile::tempdir().unwrap();
    copy(&kept.join("vega.key"), &key_path(&dir));
    let place = if kept.join("vega_trade.sqlite").exists() {
        copy(&kept.join("vega_trade.sqlite"), &database_path(&dir));
        DatabasePlace::from(&url(&dir))
    } else {
        let url = PostgresServer::shared().fresh_database();
        let dump = dir.path().join("vega.dump");
        std::fs::copy(kept.join("vega.dump"), &dump).unwrap();
        // The server's user reads it.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        PostgresServer::shared().restore(&url, &dump);
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        DatabasePlace {
            folder: dir.path().join("data"),
            ..DatabasePlace::from(&url)
        }
    };
    let data = DataSource::open(&place, &key_path(&dir)).await.unwrap();
    (dir, data)
}

#[tokio::test]
async fn every_database_that_was_kept_is_opened_and_trusted() {
    let kept = std::fs::read_dir(KEPT).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.is_dir()).collect();
    assert!(kept.len() >= 2, "{kept:?}");
    for kept in kept {
        is_trusted(&kept).await;
    }
}

async fn is_trusted(kept: &Path) {
    let (dir, data) = opened(kept).await;
    let fixture = DatabaseFixture::of(dir, data);
    let token = fixture.token("PRIMARY").await;
    assert_eq!(token.generation.get(), 2);
    assert!(token.access_token.expose().starts_with("CANARY-token"));
    let faults = fixture.data.row_faults(RowScope::All).await.unwrap();
    assert_eq!(faults, RowFaults::default());
    let verdict = SqlAuditHistory::new(fixture.data.clone())
        .verify(None)
        .await
        .unwrap();
    assert!(verdict.fault.is_none(), "{verdict:?}");
    // And it goes on there.
    let audit = SqlAuditTrail::new(fixture.data.clone());
    audit.append(&entry(AuditKind::PlanDeclined)).await.unwrap();
    fixture.data.close().await;
}

#[expect(clippy::disallowed_methods, reason = "how a developer asks for them")]
fn is_asked_for() -> bool {
    std::env::var_os(KEEP).is_some()
}

/// Who changes the schema keeps a database of it.
#[rstest]
#[tokio::test]
async fn databases_of_the_newest_schema_are_kept(#[values("sqlite", "postgres")] engine: &str) {
    let kept = Path::new(KEPT).join(format!("{engine}-{}", newest_schema()));
    if is_asked_for() && !kept.exists() {
        keep(engine, &kept).await;
    }
    assert!(
        kept.join("vega.key").exists(),
        "nothing of this schema is kept: run this test once with {KEEP}=1 and add {}",
        kept.display()
    );
}

async fn keep(engine: &str, kept: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let server_url = PostgresServer::shared().fresh_database();
    let place = match engine {
        "postgres" => DatabasePlace {
            folder: dir.path().join("data"),
            ..DatabasePlace::from(&server_url)
        },
        _ => DatabasePlace::from(&url(&dir)),
    };
    let data = DataSource::open(&place, &key_path(&dir)).await.unwrap();
    let stage = Stage::of(DatabaseFixture::of(dir, data)).await;
    let fixture = &stage.fixture;
    fixture.data.close().await;
    std::fs::create_dir_all(kept).unwrap();
    std::fs::copy(key_path(&fixture.dir), kept.join("vega.key")).unwrap();
    if engine == "postgres" {
        let dump = PostgresServer::shared().dump(&server_url);
        std::fs::write(kept.join("vega.dump"), dump).unwrap();
    } else {
        std::fs::copy(database_path(&fixture.dir), kept.join("vega_trade.sqlite")).unwrap();
    }
}
