//! The export over an audit trail in memory: complete at any length, and no cell that a spreadsheet would execute.

use chrono::DateTime;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::ids::{AccountId, ApiName};
use vega_domain::ports::AuditTrail;
use vega_testing::MemoryStore;

use super::*;
use crate::api::audit_search;

async fn trail(details: &[&str]) -> MemoryStore {
    let at = DateTime::parse_from_rfc3339("2026-11-24T08:45:00+05:30").unwrap();
    let (account, api) = (
        AccountId::new("default").unwrap(),
        ApiName::new("PRIMARY").unwrap(),
    );
    let store = MemoryStore::default();
    for detail in details {
        let entry = AuditEntry::new(at.to_utc(), AuditKind::StepChanged, *detail).about(&account, &api);
        store.append(&entry).await.unwrap();
    }
    store
}

/// The file, and of how many bytes each part of it was.
async fn file(details: &[&str], format: ExportFormat, q: &str) -> (String, Vec<usize>) {
    let asked = audit_search::SearchParams {
        q: Some(q.into()),
        ..audit_search::SearchParams::default()
    };
    let mut parts = Parts::new(Arc::new(trail(details).await), asked.search().unwrap(), format);
    let (mut file, mut lengths) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next().await.unwrap() {
        lengths.push(part.len());
        file.extend(part);
    }
    (String::from_utf8(file).unwrap(), lengths)
}

#[tokio::test]
async fn a_long_trail_comes_in_parts_and_whole() {
    for count in [0, 1, 499, 500, 501, 1_000, 1_201] {
        let details = vec!["done"; count];
        let (json, parts) = file(&details, ExportFormat::Json, "").await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["v"], 1);
        let ids: Vec<_> = json["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["id"])
            .collect();
        assert!(
            ids.iter().zip(1..).all(|(id, expected)| **id == expected),
            "{ids:?}"
        );
        assert_eq!(ids.len(), count);
        assert_eq!(parts.len(), count / PAGE as usize + 1, "{parts:?}");
        let (csv, _) = file(&details, ExportFormat::Csv, "").await;
        assert_eq!(csv.split_terminator("\r\n").count(), count + 1);
    }
}

#[tokio::test]
async fn what_is_not_wanted_is_passed_over_in_every_part() {
    let mut details = vec!["done"; 1_201];
    (details[700], details[1_200]) = ("Upstox SAID no", "upstox said no");
    let (csv, parts) = file(&details, ExportFormat::Csv, "upstox SAID").await;
    let ids: Vec<_> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["id", "701", "1201"]);
    assert_eq!(parts.len(), 3, "none is empty: {parts:?}");
}

#[tokio::test]
async fn the_csv_file_has_a_header_quotes_and_no_formula() {
    let details = [
        "done",
        "failed: \"a, b\"\nc",
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        "＝1",
        "a=b",
        "  =1",
        "\u{a0}+1",
        "red\u{1b}[31m \u{9b}2J \u{202e}gnp\u{200b}",
        "",
    ];
    insta::assert_snapshot!(file(&details, ExportFormat::Csv, "").await.0.replace('\r', "\\r"));
}

/// As a reader of such files sees it, not only as it was written.
#[tokio::test]
async fn the_csv_file_reads_back() {
    let details = ["a\r\nb,\"c\"", "=cmd|' /C calc'!A0"];
    let (csv, _) = file(&details, ExportFormat::Csv, "").await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
    let read: Vec<_> = reader.records().map(|line| line.unwrap()[7].to_owned()).collect();
    assert_eq!(read, ["a\r\nb,\"c\"", "'=cmd|' /C calc'!A0"]);
}

/// What `cat` of either file shows steers no terminal, and the JSON file still says what the page said.
#[tokio::test]
async fn a_file_steers_no_terminal() {
    let words = "red\u{1b}[31m \u{9b}2J \u{202e}gnp\u{200b}\u{7f}\u{2028}";
    for format in [ExportFormat::Csv, ExportFormat::Json] {
        let (file, _) = file(&[words], format, "").await;
        let steers =
            |c: char| (c.is_control() && !matches!(c, '\n' | '\r')) || matches!(c, '\u{200b}'..='\u{202e}');
        assert!(!file.contains(steers), "{file:?}");
        if format == ExportFormat::Json {
            let json: serde_json::Value = serde_json::from_str(&file).unwrap();
            assert_eq!(json["entries"][0]["detail"], words);
        }
    }
}

#[tokio::test]
async fn the_columns_are_the_fields_of_an_entry() {
    let (json, _) = file(&["done"], ExportFormat::Json, "").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut fields: Vec<_> = json["entries"][0].as_object().unwrap().keys().collect();
    let mut columns = COLUMNS.to_vec();
    fields.sort();
    columns.sort_unstable();
    assert_eq!(fields, columns);
}
