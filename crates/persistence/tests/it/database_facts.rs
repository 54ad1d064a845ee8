//! The database's versions and the key's id are those of what is there.

use vega_persistence::DataSource;

use crate::database_fixture::{DatabaseFixture, key_path, url};

#[tokio::test]
async fn the_database_names_its_newest_migration_and_the_engine() {
    let fixture = DatabaseFixture::new().await;
    let facts = fixture.data.facts().await.unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let newest = names
        .map(|name| name.to_str().unwrap()[..4].parse::<i64>().unwrap())
        .max();
    assert_eq!(Some(facts.schema_version), newest);
    assert_eq!(facts.engine, "SQLite");
    assert!(facts.engine_version.starts_with("3."), "{facts:?}");
}

#[tokio::test]
async fn the_id_of_a_key_stays_with_it_and_tells_it_from_others() {
    let fixture = DatabaseFixture::new().await;
    let id = fixture.data.key_id();
    assert_eq!(id.len(), 16);
    fixture.data.close().await;
    let again = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir))
        .await
        .unwrap();
    assert_eq!(again.key_id(), id);
    let other = DatabaseFixture::new().await;
    assert_ne!(other.data.key_id(), id);
    let key = std::fs::read(key_path(&fixture.dir)).unwrap();
    assert!(
        !String::from_utf8_lossy(&key).contains(&id),
        "it is no part of the key"
    );
}
