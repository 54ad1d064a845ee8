//! A real PgBouncer between Vega and its database: whatever it would take away is refused before anything is stored.

use rstest::rstest;
use vega_persistence::{DataSource, DatabasePlace, OpenError};
use vega_testing::{PostgresPooler, PostgresServer};

use crate::database_fixture::key_path;

async fn refused(pooler: &PostgresPooler, url: &str) -> OpenError {
    let dir = tempfile::tempdir().unwrap();
    let place = DatabasePlace {
        folder: dir.path().join("desk"),
        ..DatabasePlace::from(&pooler.url(url))
    };
    let refused = DataSource::open(place, &key_path(&dir)).await;
    assert!(!key_path(&dir).exists(), "a key was made for it");
    refused.map(drop).unwrap_err()
}

#[rstest]
#[case::as_it_comes("pool_mode = transaction", "unsupported startup parameter")]
#[case::transactions(
    "pool_mode = transaction\nignore_startup_parameters = options, extra_float_digits",
    "does not keep a connection"
)]
#[case::sessions(
    "pool_mode = session\nignore_startup_parameters = options, extra_float_digits",
    "lock_timeout is not what Vega asked for"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_refused_by_what_it_takes_away(#[case] lines: &str, #[case] words: &str) {
    let (_server, pooler, url) = tokio::task::block_in_place(|| {
        let server = PostgresServer::alone("");
        let url = server.fresh_database();
        let pooler = PostgresPooler::before(&server, lines);
        (server, pooler, url)
    });
    // The second start finds what the first one left in the pooler's connections.
    for _ in 0..2 {
        let told = refused(&pooler, &url).await.to_string();
        assert!(
            told.contains(words) && told.contains("a pooler that does not"),
            "{told}"
        );
        assert!(told.contains("Name the "), "{told}");
    }
}
