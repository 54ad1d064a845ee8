//! Whoever writes the database file, and has no key, brings nothing back and changes nothing unnoticed: every column of every
//! row that decides something, earlier rows, rows that are taken away, and the whole file.

use std::time::Duration;

use rstest::rstest;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row};
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::cooldown::Cooldown;
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccessKeyId, AttemptId, Generation, SessionId};
use vega_domain::moment::Moment;
use vega_domain::ports::{
    AccessRepository, AuditHistory, AuditTrail, CooldownRepository, ExecutionStateRepository, OtpGrant,
    SignInJournal, StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::secret::AuthorizationCode;
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::{
    DataSource, RowFaults, RowScope, SqliteAccessRepository, SqliteAuditHistory, SqliteAuditTrail,
    SqliteCooldownRepository, tokens_without_opening,
};

use crate::access_repository::key;
use crate::world::{
    World, account, api, at, attempt, database_path, entry, key_path, mobile, open, token, url,
};

/// Columns that decide nothing, each with why.
const HARMLESS: [(&str, &str, &str); 1] = [(
    "access_keys",
    "last_used_at",
    "it is only shown, and changes without an audit entry",
)];

/// Tables whose rows bear no value, each with why.
const WITHOUT_VALUES: [(&str, &str); 9] = [
    (
        "_sqlx_migrations",
        "the schema; each migration's checksum is compared at each start",
    ),
    (
        "sqlite_sequence",
        "counts; numbers of audit entries are sealed in the entries",
    ),
    ("audit_events", "the chain seals them"),
    ("audit_chain", "the chain's first value is over it"),
    ("audit_chain_keys", "sealed, each with its place"),
    (
        "seal_key",
        "another key than the one named opens nothing; the day is only a file's name",
    ),
    ("latest_changes", "sealed as a whole"),
    (
        "login_lease",
        "a kernel lock decides; the row only names its holder",
    ),
    (
        "execution_runs",
        "a run decides which steps are shown and taken up; each takes a look at the token first, and asks",
    ),
];
const STEPS: (&str, &str) = (
    "execution_steps",
    "a step opens nothing: what is served, and what an API's last sign-in left in doubt, stands elsewhere",
);

struct Stage {
    world: World,
    access: SqliteAccessRepository,
    cooldowns: SqliteCooldownRepository,
    open_attempt: AttemptId,
    key: AccessKeyId,
    session: SessionId,
}

fn hash(number: u8) -> SecretHash {
    SecretHash::from_bytes([number; 32])
}

fn session() -> ConsoleSession {
    ConsoleSession {
        id: SessionId::at(at(1)),
        opened_at: at(1),
        last_seen_at: at(1),
    }
}

fn stop() -> Cooldown {
    Cooldown {
        account: account(),
        mobile_number: mobile(),
        since: Moment::by_wall_clock(at(5)),
        length: None,
        failure: Failure::new(FailureReason::PinRefused, "the page's words"),
    }
}

impl Stage {
    /// One row of everything: a token, a key, a link, a session, a stop, a press, sign-ins open and ended.
    async fn new() -> Self {
        let world = World::new().await;
        let run = world.running(&["PRIMARY", "WEBSOCKET1"]).await;
        for generation in [1, 2] {
            let done = world.answered(run, "PRIMARY", generation).await;
            let mut new = token(done, "PRIMARY", generation);
            new.token.generation = Generation::new(generation).unwrap();
            world
                .tokens
                .store(&new, &entry(AuditKind::TokenStored))
                .await
                .unwrap();
        }
        let left = attempt(run, "WEBSOCKET1", 1);
        world
            .journal
            .open_attempt(&left, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        let (bot, session) = (key("bot", 3), session());
        let stage = Self {
            access: SqliteAccessRepository::new(world.data.clone()),
            cooldowns: SqliteCooldownRepository::new(world.data.clone()),
            open_attempt: left.id,
            key: bot.key.id,
            session: session.id,
            world,
        };
        assert_eq!(stage.press().await.unwrap(), OtpGrant::Granted);
        stage
            .access
            .add_key(&bot, &entry(AuditKind::KeyAdded))
            .await
            .unwrap();
        for number in [1, 2] {
            let link = ConsoleLink { made_at: at(1) };
            stage
                .access
                .put_link(&link, &hash(number), &entry(AuditKind::ConsoleLinkMade))
                .await
                .unwrap();
        }
        assert!(stage.redeem(1, &session).await);
        stage
            .cooldowns
            .close(&stop(), &entry(AuditKind::AccountStopped))
            .await
            .unwrap();
        assert_eq!(stage.faults().await, RowFaults::default());
        stage
    }

    async fn press(&self) -> Result<OtpGrant, StoreError> {
        let budget = OtpBudget {
            presses: 4,
            window: Duration::from_mins(11),
        };
        let now = Moment::by_wall_clock(at(2));
        self.world
            .journal
            .request_otp(self.open_attempt, &mobile(), budget, &now)
            .await
    }

    async fn redeem(&self, link: u8, session: &ConsoleSession) -> bool {
        self.access
            .redeem_link(
                &hash(link),
                session,
                &hash(9),
                &entry(AuditKind::ConsoleSessionOpened),
            )
            .await
            .unwrap()
    }

    async fn faults(&self) -> RowFaults {
        self.world.data.row_faults(RowScope::All).await.unwrap()
    }

    async fn revoke_token(&self) {
        let check = TokenCheck {
            api: api("PRIMARY"),
            generation: Generation::new(2).unwrap(),
            check: LastCheck {
                at: at(20),
                result: CheckResult::Invalid,
            },
        };
        let audit = entry(AuditKind::TokenRevoked).about(&account(), &api("PRIMARY"));
        self.world.tokens.record_check(&check, &audit).await.unwrap();
    }

    async fn token(&self) -> Result<(), StoreError> {
        let mut all = self.world.tokens.load_all().await.unwrap();
        all.retain(|loaded| match loaded {
            Ok(token) => token.api == api("PRIMARY"),
            Err(unreadable) => unreadable.api == api("PRIMARY"),
        });
        match all.pop() {
            Some(Ok(_)) => Ok(()),
            Some(Err(unreadable)) => Err(unreadable.error),
            None => panic!("PRIMARY is not told of"),
        }
    }
}

/// Somebody with the file and without scruples: no check and no trigger stops them.
async fn attacker(world: &World) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(world.data.path())
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "ON")
        .synchronous(SqliteSynchronous::Off);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
    let pool = pool.await.unwrap();
    let triggers: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .fetch_all(&pool)
        .await
        .unwrap();
    for trigger in triggers {
        sql(&pool, &format!("DROP TRIGGER {trigger}")).await;
    }
    pool
}

async fn sql(pool: &SqlitePool, text: &str) {
    let text = AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(pool).await.unwrap();
}

async fn texts(pool: &SqlitePool, query: String) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(pool)
        .await
        .unwrap()
}

/// The columns come from the schema: a new one is found here until it is sealed or called harmless.
#[tokio::test]
async fn every_column_of_every_row_is_sealed_or_harmless_with_a_reason() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    let tables = texts(
        &pool,
        "SELECT name FROM sqlite_schema WHERE type = 'table'".into(),
    )
    .await;
    let mut edits = 0;
    for table in tables {
        let columns = texts(&pool, format!("SELECT name FROM pragma_table_info('{table}')")).await;
        if !columns.contains(&"row_value".to_owned()) {
            let has_reason = WITHOUT_VALUES
                .iter()
                .chain([&STEPS])
                .any(|(name, _)| *name == table);
            assert!(has_reason, "{table} bears no row values, and nobody says why");
            continue;
        }
        let rows: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT rowid FROM {table}")))
            .fetch_all(&pool)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table} has a row");
        for column in &columns {
            let is_harmless = HARMLESS
                .iter()
                .any(|(of, name, _)| *of == table && name == column);
            for row in &rows {
                let keep = format!(
                    "CREATE TEMP TABLE kept AS SELECT {column} AS value FROM {table} WHERE rowid = {row}"
                );
                sql(&pool, &keep).await;
                for other in [
                    "NULL",
                    "1",
                    "'x'",
                    "x'00'",
                    "{c} || 'x'",
                    "{c} + 1",
                    "CAST({c} || 'x' AS BLOB)",
                ] {
                    let to = other.replace("{c}", column);
                    let edit = format!(
                        "UPDATE OR IGNORE {table} SET {column} = {to} WHERE rowid = {row} AND {column} IS NOT {to}"
                    );
                    // STRICT tables take no other type, and NOT NULL no NULL: then there is no edit to be found.
                    let edited = sqlx::raw_sql(AssertSqlSafe(edit)).execute(&pool).await;
                    if !edited.is_ok_and(|edited| edited.rows_affected() == 1) {
                        continue;
                    }
                    let found = !stage.faults().await.is_none();
                    assert_eq!(found, !is_harmless, "{table}.{column} = {to}");
                    // An edited number of the row itself moves it.
                    let back =
                        format!("UPDATE {table} SET {column} = (SELECT value FROM kept) WHERE rowid = {row}");
                    if *column == "id" && table == "otp_requests" {
                        sql(&pool, &format!("UPDATE otp_requests SET id = {row}")).await;
                    } else {
                        sql(&pool, &back).await;
                    }
                    edits += 1;
                }
                sql(&pool, "DROP TABLE kept").await;
            }
        }
    }
    assert!(edits > 100, "{edits}");
    assert_eq!(
        stage.faults().await,
        RowFaults::default(),
        "every edit was taken back"
    );
}

#[rstest]
#[case::rejected("rejected_at = NULL")]
#[case::later_end("valid_until = '2099-01-01T00:00:00+00:00'")]
#[case::another_user("user_id = 'ZZ9999'")]
#[case::verified("verified_at = '2026-09-21T14:00:00+00:00'")]
#[case::last_check("last_check_result = 'valid'")]
#[case::no_value("row_value = NULL, row_entry = NULL")]
#[tokio::test]
async fn an_edited_token_is_served_to_nobody_and_no_check_brings_it_back(#[case] edit: &str) {
    let stage = Stage::new().await;
    stage.revoke_token().await;
    let edit = format!("UPDATE upstox_tokens SET {edit} WHERE generation = 2");
    sql(&attacker(&stage.world).await, &edit).await;
    let error = stage.token().await.unwrap_err();
    assert!(matches!(error, StoreError::ChangedOutside(_)), "{error}");
    let check = TokenCheck {
        api: api("PRIMARY"),
        generation: Generation::new(2).unwrap(),
        check: LastCheck {
            at: at(30),
            result: CheckResult::Valid,
        },
    };
    let audit = entry(AuditKind::TokenChecked);
    stage.world.tokens.record_check(&check, &audit).await.unwrap();
    let error = stage.token().await.unwrap_err();
    assert!(matches!(error, StoreError::ChangedOutside(_)), "{error}");
    stage.world.data.close().await;
    let dir = &stage.world.dir;
    let read = tokens_without_opening(&url(dir), &key_path(dir)).await.unwrap();
    assert!(read.is_empty(), "also without opening: {read:?}");
}

/// What an attacker kept is put back, row values and all.
struct Kept;

impl Kept {
    async fn keep(pool: &SqlitePool, tables: &[&str]) {
        for table in tables {
            sql(
                pool,
                &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"),
            )
            .await;
        }
    }

    async fn put_back(pool: &SqlitePool, tables: &[&str]) {
        for table in tables {
            sql(
                pool,
                &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}"),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_token_row_from_before_its_revocation_is_not_served() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    Kept::keep(&pool, &["upstox_tokens", "latest_changes"]).await;
    stage.revoke_token().await;
    Kept::put_back(&pool, &["upstox_tokens"]).await;
    let error = stage.token().await.unwrap_err();
    assert!(
        error.to_string().contains("an earlier one that was put back"),
        "{error}"
    );
    let faults = stage.faults().await;
    assert_eq!((faults.rows.len(), faults.rows[0].kind), (1, "put_back"));
    // With the list of latest changes it fits in itself, but the trail went on.
    Kept::put_back(&pool, &["latest_changes"]).await;
    assert!(matches!(
        stage.token().await.unwrap_err(),
        StoreError::NotAccepted(_)
    ));
}

#[tokio::test]
async fn a_token_row_that_was_taken_away_is_missed_and_its_number_is_not_given_again() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    sql(&pool, "DELETE FROM upstox_tokens WHERE generation = 2").await;
    let error = stage.token().await.unwrap_err();
    assert!(
        matches!(error, StoreError::ChangedOutside(_)),
        "the one before is not served: {error}"
    );
    sql(&pool, "DELETE FROM upstox_tokens").await;
    let error = stage.token().await.unwrap_err();
    assert!(error.to_string().contains("was taken away"), "{error}");
    let newest = stage
        .world
        .tokens
        .newest_generation(&api("PRIMARY"))
        .await
        .unwrap();
    assert_eq!(newest, Generation::new(2).ok());
}

#[tokio::test]
async fn a_newer_token_is_served_beside_what_does_not_fit() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    sql(&pool, "UPDATE upstox_tokens SET user_id = 'ZZ9999'").await;
    stage.token().await.unwrap_err();
    let run = stage.world.runs.active().await.unwrap().unwrap().id;
    let done = stage.world.answered(run, "PRIMARY", 3).await;
    let mut new = token(done, "PRIMARY", 3);
    new.token.generation = Generation::new(3).unwrap();
    stage
        .world
        .tokens
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    stage.token().await.unwrap();
    let owner = stage.world.tokens.owner(&account()).await.unwrap().unwrap();
    assert_eq!(owner.as_str(), "AB1234");
}

#[tokio::test]
async fn a_key_row_from_before_its_revocation_opens_nothing() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    Kept::keep(&pool, &["access_keys"]).await;
    let id = stage.key;
    assert!(
        stage
            .access
            .revoke_key(id, &entry(AuditKind::KeyRevoked))
            .await
            .unwrap()
    );
    assert!(stage.access.keys().await.unwrap()[0].key.revoked_at.is_some());
    Kept::put_back(&pool, &["access_keys"]).await;
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.faults().await.rows[0].kind, "put_back");
    // One that is revoked in vain stays worthless.
    stage
        .access
        .revoke_key(id, &entry(AuditKind::KeyRevoked))
        .await
        .unwrap();
    assert_eq!(stage.access.keys().await.unwrap(), []);
    sql(&pool, "DELETE FROM access_keys").await;
    assert_eq!(stage.faults().await.rows[0].kind, "gone");
}

#[tokio::test]
async fn sessions_and_links_come_back_to_nobody() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    Kept::keep(&pool, &["console_sessions", "console_links"]).await;
    assert!(stage.access.session(&hash(9)).await.unwrap().is_some());
    stage.access.touch_session(stage.session, at(100)).await.unwrap();
    let touched = stage.access.session(&hash(9)).await.unwrap().unwrap();
    assert_eq!(touched.last_seen_at, at(100));
    stage
        .access
        .end_session(stage.session, &entry(AuditKind::ConsoleSessionEnded))
        .await
        .unwrap();
    Kept::put_back(&pool, &["console_sessions"]).await;
    assert_eq!(
        stage.access.session(&hash(9)).await.unwrap(),
        None,
        "an ended one"
    );
    // A link and a session of one's own.
    sql(
        &pool,
        "UPDATE console_links SET code_hash = x'0707070707070707070707070707070707070707070707070707070707070707'",
    )
    .await;
    assert!(!stage.redeem(7, &session()).await, "a link that Vega never made");
    sql(&pool, "DELETE FROM console_sessions").await;
    stage.world.data.close().await;
}

#[rstest]
#[case::taken_away("DELETE FROM cooldowns")]
#[case::shorter("UPDATE cooldowns SET length_ms = 1")]
#[case::another("UPDATE cooldowns SET since = '2020-01-01T00:00:00+00:00', length_ms = 1")]
#[tokio::test]
async fn a_closed_account_stays_closed_whatever_is_done_to_its_row(#[case] edit: &str) {
    let stage = Stage::new().await;
    sql(&attacker(&stage.world).await, edit).await;
    let closed = stage.cooldowns.load_all().await.unwrap();
    assert_eq!(closed.len(), 1);
    assert!(closed[0].is_stop(), "{:?}", closed[0]);
    assert!(
        closed[0].failure.detail.contains("outside Vega"),
        "{:?}",
        closed[0]
    );
    // A cooldown does not take its place, the operator's word opens it, and then it is over.
    let cooldown = Cooldown {
        length: Some(Duration::from_secs(1)),
        ..stop()
    };
    stage
        .cooldowns
        .close(&cooldown, &entry(AuditKind::CooldownBegun))
        .await
        .unwrap();
    let closed = stage.cooldowns.load_all().await.unwrap();
    assert!(closed[0].is_stop());
    let audit = entry(AuditKind::AccountOpened);
    assert!(stage.cooldowns.open(&closed[0], &audit).await.unwrap());
    assert_eq!(stage.cooldowns.load_all().await.unwrap(), []);
    assert_eq!(stage.faults().await, RowFaults::default());
}

#[rstest]
#[case::taken_away("DELETE FROM otp_requests")]
#[case::earlier(
    "UPDATE otp_requests SET requested_at = '2020-01-01T00:00:00+00:00', boot = NULL, since_boot_ms = NULL"
)]
#[case::of_another("UPDATE otp_requests SET mobile_number = '9000000009'")]
#[tokio::test]
async fn no_press_is_made_while_the_record_of_presses_does_not_fit(#[case] edit: &str) {
    let stage = Stage::new().await;
    sql(&attacker(&stage.world).await, edit).await;
    let next = attempt(
        stage.world.runs.active().await.unwrap().unwrap().id,
        "WEBSOCKET1",
        1,
    );
    stage
        .world
        .journal
        .open_attempt(&next, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let stage = Stage {
        open_attempt: next.id,
        ..stage
    };
    let refused = stage.press().await.unwrap_err();
    assert!(matches!(refused, StoreError::ChangedOutside(_)), "{refused}");
    let shown = stage.world.journal.otp_presses(&mobile(), 4).await.unwrap();
    assert_eq!(shown.len(), 4, "none is left");
    stage.world.data.accept("looked at it", at(50)).await.unwrap();
    assert_eq!(stage.faults().await, RowFaults::default());
    assert_eq!(stage.press().await.unwrap(), OtpGrant::Granted);
}

#[tokio::test]
async fn a_sign_in_that_was_brought_back_sends_its_code_to_nobody() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    let code = AuthorizationCode::new("CANARY-code");
    let journal = &stage.world.journal;
    let at_first = stage.open_attempt;
    Kept::keep(&pool, &["sign_in_attempts"]).await;
    let audit = entry(AuditKind::ExchangeIntended);
    journal.seal_code(at_first, &code, at(9), &audit).await.unwrap();
    Kept::put_back(&pool, &["sign_in_attempts"]).await;
    let again = journal
        .seal_code(at_first, &code, at(9), &audit)
        .await
        .unwrap_err();
    assert!(matches!(again, StoreError::ChangedOutside(_)), "{again}");
    let left = journal.unfinished().await.unwrap();
    assert!(
        left[0].delivered.is_none() && left[0].exchange_sent_at.is_some(),
        "{left:?}"
    );
    // It is closed as what needs a look, and its API waits for a yes of its own.
    let failure = Failure::new(FailureReason::NeedsReview, "left");
    journal
        .close(at_first, &failure, at(10), &entry(AuditKind::AttemptClosed))
        .await
        .unwrap();
}

#[tokio::test]
async fn how_the_last_sign_in_ended_is_in_doubt_when_its_row_is_edited() {
    let stage = Stage::new().await;
    let failure = Failure::new(FailureReason::OutcomeUnknown, "no answer");
    stage
        .world
        .journal
        .close(
            stage.open_attempt,
            &failure,
            at(10),
            &entry(AuditKind::AttemptClosed),
        )
        .await
        .unwrap();
    let pool = attacker(&stage.world).await;
    for edit in [
        "UPDATE sign_in_attempts SET failure = 'network' WHERE api = 'WEBSOCKET1'",
        "DELETE FROM sign_in_attempts WHERE api = 'WEBSOCKET1'",
    ] {
        sql(&pool, edit).await;
        let failures = stage.world.runs.last_failures().await.unwrap();
        let last = failures
            .iter()
            .find(|last| last.api == api("WEBSOCKET1"))
            .unwrap();
        assert_eq!(last.failure.reason, FailureReason::NeedsReview, "{edit}");
    }
}

/// The file as it was, put in the place of the one that is.
struct File(Vec<u8>);

impl File {
    async fn keep(world: &World) -> Self {
        let pool = world.raw().await;
        sql(&pool, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        pool.close().await;
        Self(std::fs::read(world.data.path()).unwrap())
    }

    async fn put_back(&self, world: &World) -> DataSource {
        world.data.close().await;
        for suffix in ["-wal", "-shm"] {
            let mut name = database_path(&world.dir).into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
        std::fs::write(database_path(&world.dir), &self.0).unwrap();
        open(&world.dir).await
    }
}

fn over(stage: Stage, data: DataSource) -> Stage {
    Stage {
        access: SqliteAccessRepository::new(data.clone()),
        cooldowns: SqliteCooldownRepository::new(data.clone()),
        open_attempt: stage.open_attempt,
        key: stage.key,
        session: stage.session,
        world: World {
            tokens: vega_persistence::SqliteTokenRepository::new(data.clone()),
            runs: vega_persistence::SqliteExecutionStateRepository::new(data.clone()),
            journal: vega_persistence::SqliteSignInJournal::new(data.clone()),
            data,
            dir: stage.world.dir,
        },
    }
}

#[tokio::test]
async fn an_older_database_serves_nothing_until_it_is_accepted() {
    let stage = Stage::new().await;
    let file = File::keep(&stage.world).await;
    stage.revoke_token().await;
    let data = file.put_back(&stage.world).await;
    let stage = over(stage, data);
    let doubt = stage.world.data.doubt().await.unwrap().unwrap();
    assert!(doubt.contains("older than its checkpoint"), "{doubt}");
    assert!(matches!(
        stage.token().await.unwrap_err(),
        StoreError::NotAccepted(_)
    ));
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    assert!(stage.press().await.is_err());
    assert!(stage.world.data.prove_writable().await.is_err());
    let dir = &stage.world.dir;
    let without = tokens_without_opening(&url(dir), &key_path(dir)).await.unwrap();
    assert!(without.is_empty(), "{without:?}");
    // What is put on record meanwhile makes it no newer.
    let trail = SqliteAuditTrail::new(stage.world.data.clone());
    for _ in 0..5 {
        let entry = AuditEntry::new(at(30), AuditKind::PreflightFailed, "");
        trail.append(&entry).await.unwrap();
    }
    assert!(stage.world.data.doubt().await.unwrap().is_some());
    // Another process that runs meanwhile learns of the operator's word.
    let other = open(dir).await;
    assert!(other.doubt().await.unwrap().is_some());
    let accepted = stage
        .world
        .data
        .accept("restored Monday's", at(40))
        .await
        .unwrap();
    assert!(accepted.database.is_some());
    for data in [stage.world.data.clone(), other, open(dir).await] {
        assert_eq!(data.doubt().await.unwrap(), None);
    }
    stage.token().await.unwrap();
    assert_eq!(stage.access.keys().await.unwrap().len(), 1);
    let verdict = SqliteAuditHistory::new(stage.world.data.clone())
        .verify(None)
        .await
        .unwrap();
    assert_eq!((verdict.fault, verdict.heads), (None, 1));
    let kinds = stage.world.audit_kinds().await;
    assert_eq!(kinds.last().unwrap(), "database_accepted");
    assert!(
        stage.world.data.accept("again", at(41)).await.unwrap().is_none(),
        "once is enough"
    );
    assert_eq!(stage.world.audit_kinds().await.len(), kinds.len());
}

#[tokio::test]
async fn a_revoked_key_does_not_come_back_with_an_older_database() {
    let stage = Stage::new().await;
    let file = File::keep(&stage.world).await;
    let audit = entry(AuditKind::KeyRevoked);
    stage.access.revoke_key(stage.key, &audit).await.unwrap();
    let data = file.put_back(&stage.world).await;
    assert!(data.doubt().await.unwrap().is_some());
    assert_eq!(SqliteAccessRepository::new(data).keys().await.unwrap(), []);
}

/// A lost file of checkpoints, one that cannot be read, and a torn line are not an older database.
#[tokio::test]
async fn checkpoints_that_are_lost_make_nothing_older() {
    let stage = Stage::new().await;
    stage.revoke_token().await;
    stage.world.data.close().await;
    let heads = stage.world.dir.path().join("config/vega.audit-heads");
    let text = std::fs::read_to_string(&heads).unwrap();
    for kept in [Some(format!("{text}torn")), Some("nonsense\n".into()), None] {
        match kept {
            Some(text) => std::fs::write(&heads, text).unwrap(),
            None => std::fs::remove_file(&heads).unwrap(),
        }
        let data = open(&stage.world.dir).await;
        assert_eq!(data.doubt().await.unwrap(), None);
        data.close().await;
    }
}

#[tokio::test]
async fn a_process_that_runs_on_notices_an_older_database_without_a_checkpoint() {
    let stage = Stage::new().await;
    std::fs::remove_file(stage.world.dir.path().join("config/vega.audit-heads")).unwrap();
    let pool = attacker(&stage.world).await;
    Kept::keep(&pool, &["latest_changes"]).await;
    let count: i64 = sqlx::query("SELECT max(id) FROM audit_events")
        .fetch_one(&pool)
        .await
        .unwrap()
        .get(0);
    let trail = SqliteAuditTrail::new(stage.world.data.clone());
    trail
        .append(&AuditEntry::new(at(8), AuditKind::PlanDeclined, ""))
        .await
        .unwrap();
    assert_eq!(stage.world.data.doubt().await.unwrap(), None);
    sql(&pool, &format!("DELETE FROM audit_events WHERE id > {count}")).await;
    sql(
        &pool,
        &format!("UPDATE sqlite_sequence SET seq = {count} WHERE name = 'audit_events'"),
    )
    .await;
    Kept::put_back(&pool, &["latest_changes"]).await;
    assert!(stage.world.data.doubt().await.unwrap().is_some());
    let other = open(&stage.world.dir).await;
    assert_eq!(
        other.doubt().await.unwrap(),
        None,
        "nothing but a checkpoint could tell another one"
    );
}

#[tokio::test]
async fn what_is_accepted_is_out_of_force() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    sql(
        &pool,
        "UPDATE upstox_tokens SET valid_until = '2099-01-01T00:00:00+00:00';
         UPDATE access_keys SET scopes = 'admin'; UPDATE console_sessions SET opened_at = '2099-01-01T00:00:00+00:00';
         DELETE FROM cooldowns; UPDATE sign_in_attempts SET opened_at = '2099-01-01T00:00:00+00:00'",
    )
    .await;
    let accepted = stage.world.data.accept("after a look", at(60)).await.unwrap();
    assert!(accepted.rows.len() > 5, "{accepted:?}");
    assert_eq!(stage.faults().await, RowFaults::default());
    let token = stage.world.token("PRIMARY").await;
    assert!(token.rejected_at.is_some() && !token.is_servable(at(61)));
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    assert!(stage.cooldowns.load_all().await.unwrap()[0].is_stop());
    assert_eq!(stage.world.journal.unfinished().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_rotation_seals_what_fits_and_nothing_else() {
    let stage = Stage::new().await;
    stage.world.data.rotate_key(at(70), |_| ()).await.unwrap();
    let data = open(&stage.world.dir).await;
    assert_eq!(
        data.row_faults(RowScope::All).await.unwrap(),
        RowFaults::default()
    );
    sql(
        &attacker(&stage.world).await,
        "UPDATE upstox_tokens SET user_id = 'ZZ9999' WHERE generation = 2",
    )
    .await;
    data.rotate_key(at(71), |_| ()).await.unwrap();
    let data = open(&stage.world.dir).await;
    let faults = data.row_faults(RowScope::All).await.unwrap();
    assert_eq!(
        (faults.rows.len(), faults.rows[0].kind),
        (1, "changed"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn what_does_not_fit_is_on_record_once() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.world).await;
    sql(
        &pool,
        "UPDATE upstox_tokens SET user_id = 'ZZ9999' WHERE generation = 2",
    )
    .await;
    assert_eq!(stage.world.data.examine_rows(at(80)).await.unwrap().len(), 1);
    assert_eq!(stage.world.data.examine_rows(at(81)).await.unwrap().len(), 0);
    assert_eq!(stage.world.audit_kinds().await.last().unwrap(), "row_broken");
}
