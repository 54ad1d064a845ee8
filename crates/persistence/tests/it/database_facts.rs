//! The database's versions and the key's id are those of what is there.

use vega_persistence::DataSource;

use crate::world::{World, key_path, url};

#[tokio::test]
async fn the_database_names_its_newest_migration_and_the_engine() {
    let world = World::new().await;
    let facts = world.data.facts().await.unwrap();
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
    let world = World::new().await;
    let id = world.data.key_id();
    assert_eq!(id.len(), 16);
    world.data.close().await;
    let again = DataSource::open(&url(&world.dir), &key_path(&world.dir))
        .await
        .unwrap();
    assert_eq!(again.key_id(), id);
    let other = World::new().await;
    assert_ne!(other.data.key_id(), id);
    let key = std::fs::read(key_path(&world.dir)).unwrap();
    assert!(
        !String::from_utf8_lossy(&key).contains(&id),
        "it is no part of the key"
    );
}
