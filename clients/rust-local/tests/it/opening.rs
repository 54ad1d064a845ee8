//! What is there is opened, and nothing is made.

use vega_client::Error;
use vega_local::LocalTokens;

use crate::desk::Desk;

#[tokio::test]
async fn a_wrong_path_makes_no_database_and_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("vega_trade.db");
    let error = LocalTokens::open(
        format!("sqlite://{}", database.display()),
        folder.path().join("vega.key"),
    )
    .await;
    let words = error.unwrap_err().to_string();
    assert!(words.contains("vega_trade.db does not exist"), "{words}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_without_its_key_is_left_as_it_is() {
    let desk = Desk::with_a_token().await;
    let elsewhere = desk.folder.path().join("elsewhere.key");
    let error = LocalTokens::open(desk.url(), &elsewhere).await.unwrap_err();
    assert!(
        error.to_string().contains("elsewhere.key does not exist"),
        "{error}"
    );
    std::fs::copy(desk.key_file(), &elsewhere).unwrap();
    std::fs::write(&elsewhere, "no key").unwrap();
    let error = LocalTokens::open(desk.url(), &elsewhere).await.unwrap_err();
    assert!(matches!(error, Error::Setup { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_on_a_server_is_the_servers_to_read() {
    let error = LocalTokens::open("postgres://vega:canary@db.example/vega", "vega.key")
        .await
        .unwrap_err();
    let words = error.to_string();
    assert!(
        words.contains("use vega-client") && !words.contains("canary"),
        "{words}"
    );
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let tokens = Desk::new().await.open().await;
    assert!(matches!(tokens.tokens("no name!"), Err(Error::Setup { .. })));
}
