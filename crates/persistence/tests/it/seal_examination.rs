//! Values that do not open: each cause has its own words, and each finding its entry in the audit trail, once.

use vega_domain::audit::{AuditFilter, AuditKind, AuditOrder};
use vega_domain::ports::{AuditHistory, UpstoxTokenRepository};
use vega_persistence::SqlAuditHistory;

use crate::database_fixture::{DatabaseFixture, api, at, entry, token};
use crate::key_rotation::sealed;

async fn fixture() -> DatabaseFixture {
    let fixture = DatabaseFixture::new().await;
    sealed(&fixture).await;
    fixture
}

async fn sql(fixture: &DatabaseFixture, text: &'static str) {
    sqlx::raw_sql(text).execute(&fixture.raw().await).await.unwrap();
}

/// What is on record of broken seals.
async fn on_record(fixture: &DatabaseFixture) -> Vec<String> {
    let history = SqlAuditHistory::new(fixture.data.clone());
    let all = history
        .page(&AuditFilter::default(), AuditOrder::OldestFirst, None, 1000)
        .await
        .unwrap();
    all.into_iter()
        .filter(|recorded| recorded.entry.kind == AuditKind::SealBroken)
        .map(|recorded| {
            assert_eq!(recorded.entry.api, Some(api("PRIMARY")));
            recorded.entry.detail
        })
        .collect()
}

#[rstest::rstest]
#[case::changed(
    "UPDATE upstox_tokens SET sealed_access_token = CAST(substr(sealed_access_token, 1, 40) || zeroblob(30) AS BLOB)",
    "was changed outside Vega"
)]
#[case::moved_from_another_column(
    "UPDATE upstox_tokens SET sealed_access_token = sealed_extended_token",
    "holds the value of upstox_tokens.extended_token of PRIMARY generation 1: somebody moved it there"
)]
#[case::moved_from_another_table(
    "UPDATE upstox_tokens SET sealed_access_token = (SELECT sealed_answer FROM sign_in_attempts WHERE api = 'WEBSOCKET1')",
    "holds the value of sign_in_attempts.answer of WEBSOCKET1 generation 1: somebody moved it there"
)]
#[case::of_another_key(
    "UPDATE upstox_tokens SET sealed_access_token = CAST(x'01' || zeroblob(80) AS BLOB)",
    "was sealed with another key"
)]
#[case::no_envelope(
    "UPDATE upstox_tokens SET sealed_access_token = x'00'",
    "is not a sealed value"
)]
#[tokio::test]
async fn each_cause_has_its_words_and_goes_on_record_once(#[case] attack: &'static str, #[case] words: &str) {
    let fixture = fixture().await;
    assert_eq!(fixture.data.examine_seals(at(7)).await.unwrap(), []);
    sql(&fixture, attack).await;
    let loaded = fixture.tokens.load_all().await.unwrap();
    let said = loaded[0].as_ref().unwrap_err().error.to_string();
    assert!(said.contains(words), "{said}");
    assert!(
        said.starts_with("upstox_tokens.access_token of PRIMARY generation 1 "),
        "{said}"
    );

    let found = fixture.data.examine_seals(at(7)).await.unwrap();
    assert_eq!((found.len(), found[0].at), (1, at(7)));
    let recorded = on_record(&fixture).await;
    assert!(recorded.len() == 1 && recorded[0].contains(words), "{recorded:?}");
    assert_eq!(
        fixture.data.examine_seals(at(8)).await.unwrap(),
        [],
        "it is known"
    );
    assert_eq!(on_record(&fixture).await.len(), 1);

    sql(&fixture, "UPDATE upstox_tokens SET sealed_access_token = x'02'").await;
    assert_eq!(
        fixture.data.examine_seals(at(9)).await.unwrap().len(),
        1,
        "another one is not"
    );
    assert_eq!(on_record(&fixture).await.len(), 2);
}

/// Back in its place it opens, so what was moved is whole.
#[tokio::test]
async fn a_value_that_was_moved_from_an_erased_row_is_told_too() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    for generation in [1, 2] {
        let attempt = fixture.answered(run, "PRIMARY", generation).await;
        let new = token(attempt, "PRIMARY", generation);
        fixture
            .tokens
            .store(&new, &entry(AuditKind::TokenStored))
            .await
            .unwrap();
    }
    sql(
        &fixture,
        "UPDATE upstox_tokens SET sealed_access_token = (SELECT sealed_access_token FROM upstox_tokens WHERE generation = 1)
             WHERE generation = 2;
         UPDATE upstox_tokens SET sealed_access_token = x'', erased_at = '' WHERE generation = 1",
    )
    .await;
    let found = fixture.data.examine_seals(at(7)).await.unwrap();
    let [entry] = &found[..] else { panic!("{found:?}") };
    assert!(
        entry
            .detail
            .contains("access_token of PRIMARY generation 1: somebody moved it there"),
        "{entry:?}"
    );
}
