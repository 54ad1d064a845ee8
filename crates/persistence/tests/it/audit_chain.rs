//! Whoever changes the audit trail without the key is found out, whatever they change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rstest::rstest;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use vega_domain::audit::{AuditEntry, AuditFault, AuditKind, AuditVerdict};
use vega_domain::ids::RunId;
use vega_domain::ports::{AuditHistory, AuditTrail};
use vega_persistence::{DataSource, OpenError, SqlAuditHistory, SqlAuditTrail};

use crate::database_fixture::{DatabaseFixture, account, api, at, key_path, open, url};

/// Three entries: with everything, with half, with the least.
async fn three(fixture: &DatabaseFixture) -> RunId {
    let run = RunId::at(at(0));
    let trail = SqlAuditTrail::new(fixture.data.clone());
    let entry = |seconds, kind, detail: &str| AuditEntry::new(at(seconds), kind, detail);
    let all = [
        entry(0, AuditKind::StepChanged, "done")
            .about(&account(), &api("PRIMARY"))
            .in_run(run),
        entry(1, AuditKind::AccountOpened, "why").about_account(&account()),
        entry(2, AuditKind::PlanDeclined, ""),
    ];
    for entry in &all {
        trail.append(entry).await.unwrap();
    }
    run
}

async fn keep_checkpoint(fixture: &DatabaseFixture, run: RunId) {
    let trail = SqlAuditTrail::new(fixture.data.clone());
    trail.keep_checkpoint(run, at(9)).await.unwrap();
}

async fn append(fixture: &DatabaseFixture) {
    let trail = SqlAuditTrail::new(fixture.data.clone());
    let entry = AuditEntry::new(at(5), AuditKind::PlanConfirmed, "PRIMARY");
    trail.append(&entry).await.unwrap();
}

async fn verify(fixture: &DatabaseFixture) -> AuditVerdict {
    let history = SqlAuditHistory::new(fixture.data.clone());
    history.verify(None).await.unwrap()
}

async fn fault(fixture: &DatabaseFixture) -> Option<AuditFault> {
    verify(fixture).await.fault
}

fn checkpoints(fixture: &DatabaseFixture) -> PathBuf {
    fixture.dir.path().join("config/vega.checkpoints")
}

/// Somebody with the database file and without scruples: no trigger stops them, and they need not be durable.
async fn attacker(fixture: &DatabaseFixture) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(fixture.data.path())
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "ON")
        .synchronous(SqliteSynchronous::Off);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
    let pool = pool.await.unwrap();
    for trigger in ["never_changed", "never_removed", "chained", "in_step"] {
        sql(&pool, &format!("DROP TRIGGER audit_events_are_{trigger}")).await;
    }
    pool
}

async fn sql(pool: &SqlitePool, text: &str) {
    let text = sqlx::AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_trail_that_nobody_touched_is_intact_also_after_a_restart() {
    let fixture = DatabaseFixture::new().await;
    assert_eq!(verify(&fixture).await.entries, 0, "an empty one");
    let run = three(&fixture).await;
    keep_checkpoint(&fixture, run).await;
    append(&fixture).await;
    let expected = AuditVerdict {
        entries: 4,
        checkpoints: 1,
        other_checkpoints: 0,
        fault: None,
    };
    assert_eq!(verify(&fixture).await, expected);
    fixture.data.close().await;
    let again = DatabaseFixture {
        data: open(&fixture.dir).await,
        ..fixture
    };
    append(&again).await;
    keep_checkpoint(&again, run).await;
    let expected = AuditVerdict {
        entries: 5,
        checkpoints: 2,
        ..expected
    };
    assert_eq!(verify(&again).await, expected);
}

#[tokio::test]
async fn every_single_bit_edit_of_a_small_audit_table_is_found() {
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    let pool = attacker(&fixture).await;
    let mut edits = BTreeMap::new();
    for (column, kind) in [
        ("at", "TEXT"),
        ("kind", "TEXT"),
        ("account", "TEXT"),
        ("api", "TEXT"),
        ("run_id", "BLOB"),
        ("detail", "TEXT"),
        ("chain", "BLOB"),
    ] {
        let get = format!("SELECT CAST({column} AS BLOB) FROM audit_events WHERE id = $1");
        let set = format!("UPDATE audit_events SET {column} = CAST($2 AS {kind}) WHERE id = $1");
        for id in 1..=3_i64 {
            let value: Option<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(get.clone()))
                .bind(id)
                .fetch_one(&pool)
                .await
                .unwrap();
            let put = async |value: Option<Vec<u8>>| {
                let put = sqlx::query(sqlx::AssertSqlSafe(set.clone()));
                put.bind(id).bind(value).execute(&pool).await.unwrap();
            };
            let bits = value.as_ref().map_or(0, |value| value.len() * 8);
            for bit in 0..bits {
                let mut changed = value.clone().unwrap();
                changed[bit / 8] ^= 1 << (bit % 8);
                put(Some(changed)).await;
                let found = fault(&fixture).await;
                assert_eq!(
                    found,
                    Some(AuditFault::Edited { entry: id }),
                    "{column} bit {bit}"
                );
                *edits.entry(column).or_insert(0) += 1;
            }
            // Nothing and an empty text differ in one bit of the row, too.
            let other = value.as_ref().map_or(Some(Vec::new()), |_| None);
            let may_be_null = !["at", "kind", "detail"].contains(&column);
            if other.is_some() || may_be_null {
                put(other).await;
                // The first may have been written by a Vega without values, but then the second does not fit.
                let entry = if (column, id) == ("chain", 1) { 2 } else { id };
                let found = fault(&fixture).await;
                assert_eq!(found, Some(AuditFault::Edited { entry }), "{column}");
            }
            put(value).await;
        }
    }
    assert_eq!(fault(&fixture).await, None, "every edit was taken back");
    assert_eq!(edits["chain"], 3 * 256);
    assert_eq!(
        (edits["run_id"], edits["account"], edits["api"]),
        (128, 2 * 56, 56)
    );
}

#[tokio::test]
async fn every_single_bit_edit_of_a_number_is_found() {
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    let pool = attacker(&fixture).await;
    for id in 1..=3_i64 {
        for bit in 0..64 {
            let moved = id ^ (1 << bit);
            if (1..=3).contains(&moved) {
                continue; // There is an entry with that number already.
            }
            let renumber = "UPDATE audit_events SET id = $2 WHERE id = $1";
            let to = sqlx::query(renumber).bind(id).bind(moved);
            to.execute(&pool).await.unwrap();
            assert!(fault(&fixture).await.is_some(), "entry {id} as {moved}");
            let back = sqlx::query(renumber).bind(moved).bind(id);
            back.execute(&pool).await.unwrap();
        }
    }
    assert_eq!(fault(&fixture).await, None, "every edit was taken back");
}

#[rstest]
#[case::first("DELETE FROM audit_events WHERE id = 1", AuditFault::Missing { entry: 1 })]
#[case::middle("DELETE FROM audit_events WHERE id = 2", AuditFault::Missing { entry: 2 })]
#[case::middle_and_numbers_closed(
    "DELETE FROM audit_events WHERE id = 2; UPDATE audit_events SET id = 2 WHERE id = 3;
     UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit_events'",
    AuditFault::Edited { entry: 2 }
)]
#[case::swapped(
    "UPDATE audit_events SET id = 9 WHERE id = 1; UPDATE audit_events SET id = 1 WHERE id = 2;
     UPDATE audit_events SET id = 2 WHERE id = 9",
    AuditFault::Edited { entry: 1 }
)]
#[case::copied(
    "INSERT INTO audit_events SELECT 4, at, kind, account, api, run_id, detail, chain FROM audit_events WHERE id = 3",
    AuditFault::Edited { entry: 4 }
)]
#[case::added_without_a_value(
    "INSERT INTO audit_events (at, kind, detail) VALUES ('2026-11-23T00:00:00+00:00', 'plan_confirmed', '')",
    AuditFault::Edited { entry: 4 }
)]
#[case::values_taken_away_from_the_last(
    "UPDATE audit_events SET chain = NULL WHERE id > 1",
    AuditFault::Edited { entry: 2 }
)]
#[case::tail("DELETE FROM audit_events WHERE id = 3", AuditFault::Cut { last: 2, written: 3 })]
#[case::all("DELETE FROM audit_events", AuditFault::Cut { last: 0, written: 3 })]
#[case::another_trail("UPDATE audit_chain SET chain_id = randomblob(16)", AuditFault::Edited { entry: 1 })]
#[case::no_trail("DELETE FROM audit_chain", AuditFault::Edited { entry: 1 })]
#[tokio::test]
async fn what_is_done_to_the_table_is_found_without_checkpoints(
    #[case] attack: &str,
    #[case] expected: AuditFault,
) {
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    sql(&attacker(&fixture).await, attack).await;
    assert_eq!(fault(&fixture).await, Some(expected));
    // And it stays found when Vega goes on, which it must be able to.
    append(&fixture).await;
    assert!(fault(&fixture).await.is_some());
}

const CUT: &str = "DELETE FROM audit_events WHERE id > 1;
                   UPDATE sqlite_sequence SET seq = 1 WHERE name = 'audit_events'";

#[tokio::test]
async fn a_tail_that_was_cut_with_its_count_is_found_by_the_checkpoint() {
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    sql(&attacker(&fixture).await, CUT).await;
    assert_eq!(fault(&fixture).await, None, "nothing but a checkpoint can tell");

    let fixture = DatabaseFixture::new().await;
    let run = three(&fixture).await;
    keep_checkpoint(&fixture, run).await;
    sql(&attacker(&fixture).await, CUT).await;
    let cut = AuditFault::Cut { last: 1, written: 3 };
    assert_eq!(fault(&fixture).await, Some(cut));
    // Vega fills the gap up without knowing.
    append(&fixture).await;
    append(&fixture).await;
    assert_eq!(
        fault(&fixture).await,
        Some(AuditFault::Rewritten {
            entry: 3,
            run: Some(run)
        })
    );
}

#[tokio::test]
async fn values_that_were_all_taken_away_and_made_anew_are_found_by_the_checkpoint() {
    let fixture = DatabaseFixture::new().await;
    let run = three(&fixture).await;
    keep_checkpoint(&fixture, run).await;
    let forgotten = "UPDATE audit_events SET chain = NULL; UPDATE audit_events SET detail = 'x' WHERE id = 2";
    sql(&attacker(&fixture).await, forgotten).await;
    append(&fixture).await;
    assert_eq!(
        fault(&fixture).await,
        Some(AuditFault::Rewritten {
            entry: 3,
            run: Some(run)
        })
    );
}

#[tokio::test]
async fn entries_of_an_earlier_vega_are_sealed_by_the_first_one_with_a_value() {
    let fixture = DatabaseFixture::new().await;
    let pool = attacker(&fixture).await;
    let old = "INSERT INTO audit_events (at, kind, detail) VALUES ('2026-11-23T00:00:00+00:00', 'run_started', 'old');";
    sql(&pool, &old.repeat(2)).await;
    assert_eq!(fault(&fixture).await, None);
    append(&fixture).await;
    append(&fixture).await;
    assert_eq!(verify(&fixture).await.entries, 4);
    assert_eq!(fault(&fixture).await, None);
    sql(&pool, "UPDATE audit_events SET detail = 'new' WHERE id = 1").await;
    assert_eq!(fault(&fixture).await, Some(AuditFault::Edited { entry: 3 }));
}

#[tokio::test]
async fn another_key_makes_another_trail() {
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    fixture.data.close().await;
    std::fs::remove_file(fixture.dir.path().join("config/vega.key")).unwrap();
    let missing = DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir)).await;
    assert!(matches!(missing, Err(OpenError::Key(_))), "{missing:?}");
    // Where somebody takes away even the name of its key, it gets another one, and the trail tells.
    sql(&fixture.raw().await, "DELETE FROM seal_key").await;
    let fixture = DatabaseFixture {
        data: open(&fixture.dir).await,
        ..fixture
    };
    assert_eq!(fault(&fixture).await, Some(AuditFault::Edited { entry: 1 }));
}

#[tokio::test]
async fn checkpoints_are_compared_with_their_own_trail_alone() {
    let (one, other) = (DatabaseFixture::new().await, DatabaseFixture::new().await);
    let run = three(&one).await;
    keep_checkpoint(&one, run).await;
    three(&other).await;
    let both = SqlAuditHistory::new(other.data.clone());
    let verdict = both.verify(Some(&checkpoints(&one))).await.unwrap();
    let expected = AuditVerdict {
        entries: 3,
        checkpoints: 0,
        other_checkpoints: 1,
        fault: None,
    };
    assert_eq!(verdict, expected);
    let missing = both.verify(Some(Path::new("/nowhere/checkpoints"))).await;
    assert!(missing.is_err(), "{missing:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_checkpoint_is_kept_in_a_private_file_beside_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = DatabaseFixture::new().await;
    let run = three(&fixture).await;
    keep_checkpoint(&fixture, run).await;
    keep_checkpoint(&fixture, run).await;
    let mode = std::fs::metadata(checkpoints(&fixture))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(checkpoints(&fixture)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // The first one is of before any entry: it tells that rows bear values.
    assert_eq!(lines.len(), 3);
    let words: Vec<&str> = lines[1].split(' ').collect();
    let (run, value) = (run.to_string(), words[4]);
    assert_eq!((words[1], words[3], value.len()), (&*run, "3", 64), "{text}");
}

#[tokio::test]
async fn writers_of_several_openings_make_one_trail() {
    let fixture = DatabaseFixture::new().await;
    let mut writing = Vec::new();
    for _ in 0..4 {
        let trail = SqlAuditTrail::new(open(&fixture.dir).await);
        writing.push(tokio::spawn(async move {
            for second in 0..10 {
                let entry = AuditEntry::new(at(second), AuditKind::TokenChecked, "valid");
                trail.append(&entry).await.unwrap();
            }
        }));
    }
    for writer in writing {
        writer.await.unwrap();
    }
    let verdict = verify(&fixture).await;
    assert_eq!((verdict.entries, verdict.fault), (40, None));
}

#[tokio::test]
async fn a_long_trail_is_walked_to_its_end() {
    let fixture = DatabaseFixture::new().await;
    let pool = attacker(&fixture).await;
    let old = "INSERT INTO audit_events (at, kind, detail) VALUES ('2026-11-23T00:00:00+00:00', 'run_started', 'old');";
    sql(&pool, &format!("BEGIN; {} COMMIT", old.repeat(1_200))).await;
    append(&fixture).await;
    assert_eq!(verify(&fixture).await.entries, 1_201);
    sql(&pool, "UPDATE audit_events SET detail = 'new' WHERE id = 1201").await;
    assert_eq!(fault(&fixture).await, Some(AuditFault::Edited { entry: 1_201 }));
}

/// All that the table says, with the types of it, as SQLite itself reads it.
async fn content(path: &Path) -> Result<Vec<String>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
    let pool = pool.await?;
    let said = sqlx::query_scalar(
        "SELECT concat_ws('|', id, quote(at), quote(kind), quote(account), quote(api), quote(run_id),
             quote(detail), quote(chain)) FROM audit_events ORDER BY id",
    );
    let said = said.fetch_all(&pool).await;
    pool.close().await;
    said
}

/// Lengths and types of the columns stand before them in the file, out of reach of any statement.
#[tokio::test]
async fn a_bit_changed_in_the_file_before_a_row_is_found_or_says_nothing_new() {
    const HEADER: usize = 11;
    let fixture = DatabaseFixture::new().await;
    three(&fixture).await;
    let path = fixture.data.path().to_owned();
    fixture.data.close().await;
    let whole = std::fs::read(&path).unwrap();
    let before = content(&path).await.unwrap();
    let row = b"account_openeddefaultwhy";
    let row = whole.windows(row.len()).rposition(|part| part == row).unwrap();
    let row = row - at(1).to_rfc3339().len();
    let mut found = 0;
    for bit in (row - HEADER) * 8..row * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, changed).unwrap();
        let says_nothing_new = content(&path).await.is_ok_and(|now| now == before);
        // SQLite itself notices some of them.
        let is_intact = match DataSource::open(&url(&fixture.dir), &key_path(&fixture.dir)).await {
            Ok(data) => {
                let verdict = SqlAuditHistory::new(data.clone()).verify(None).await;
                data.close().await;
                verdict.is_ok_and(|verdict| verdict.fault.is_none())
            }
            Err(OpenError::Damaged { .. }) if says_nothing_new => continue,
            Err(OpenError::Damaged { .. }) => false,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(is_intact, says_nothing_new, "bit {}", bit - (row - HEADER) * 8);
        found += usize::from(!is_intact);
    }
    assert!(found > HEADER * 4, "{found}");
}
