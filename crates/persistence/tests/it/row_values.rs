//! Whoever writes the database file, and has no key, brings nothing back and changes nothing unnoticed: every column of every
//! row that decides something, earlier rows, rows that are taken away, and the whole file.

use std::time::Duration;

use rstest::rstest;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use vega_domain::access::{ConsoleLink, ConsoleSession, SecretHash};
use vega_domain::audit::AuditKind;
use vega_domain::clock_reading::ClockReading;
use vega_domain::consumer::{ConsumerIdentity, ConsumerStop};
use vega_domain::cooldown::{AccountHold, Cooldown};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccessKeyId, AttemptId, Generation, SessionId};
use vega_domain::ports::{
    AccessKeys, ConsoleSessions, Consumers, CooldownRepository, FileDeliveries, OtpGrant, OtpLedger,
    SignInAttempts, StoreError, TokenCheck, UpstoxTokenRepository,
};
use vega_domain::row_faults::RowFaults;
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::{
    RowScope, SqlAccessRepository, SqlConsumers, SqlCooldownRepository, SqlFileDeliveries,
    tokens_without_opening,
};

use crate::access_repository::key;
use crate::database_fixture::{
    DatabaseFixture, account, api, at, attempt, entry, key_path, mobile, open, token, url,
};
use crate::file_deliveries::delivery;

/// Columns that decide nothing, each with why.
const HARMLESS: [(&str, &str, &str); 1] = [(
    "access_keys",
    "last_used_at",
    "it is only shown, and changes without an audit entry",
)];

/// Tables whose rows bear no value, each with why.
const WITHOUT_VALUES: [(&str, &str); 11] = [
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
        "consumers",
        "shows what was seen, and decides nothing; whom the operator stopped is in the list of latest changes",
    ),
    (
        "login_lease",
        "a kernel lock decides; the row only names its holder",
    ),
    (
        "database_move",
        "it stops Vega, as whoever takes the file away does; what is at the other place is examined with the key",
    ),
    (
        "execution_runs",
        "a run decides which steps are shown and taken up; each takes a look at the token first, and asks",
    ),
];
/// Tables whose rows bear a value and are not among the faults that are found, each with why and the test of it.
const NOT_EXAMINED: [(&str, &str); 1] = [(
    "file_deliveries",
    "such a row counts as if it were not there: `a_delivery_that_was_changed_counts_for_nothing`",
)];
const STEPS: (&str, &str) = (
    "execution_steps",
    "a step opens nothing: what is served, and what an API's last sign-in left unresolved, stands elsewhere",
);

pub(crate) struct Stage {
    pub(crate) fixture: DatabaseFixture,
    pub(crate) access: SqlAccessRepository,
    pub(crate) cooldowns: SqlCooldownRepository,
    pub(crate) open_attempt: AttemptId,
    pub(crate) key: AccessKeyId,
    pub(crate) session: SessionId,
}

pub(crate) fn hash(number: u8) -> SecretHash {
    SecretHash::from_bytes([number; 32])
}

pub(crate) fn session() -> ConsoleSession {
    ConsoleSession {
        id: SessionId::at(at(1)),
        opened_at: at(1),
        last_seen_at: at(1),
    }
}

pub(crate) fn stop() -> Cooldown {
    Cooldown {
        account: account(),
        mobile_number: mobile(),
        since: ClockReading::by_wall_clock(at(5)),
        hold: AccountHold::Stop,
        failure: Failure::new(FailureReason::PinRefused, "the page's words"),
    }
}

impl Stage {
    /// One row of everything: a token, a key, a link, a session, a stop, a press, a delivery, sign-ins open and ended.
    pub(crate) async fn new() -> Self {
        Self::of(DatabaseFixture::new().await).await
    }

    /// The same in this database.
    pub(crate) async fn of(fixture: DatabaseFixture) -> Self {
        let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
        for generation in [1, 2] {
            let done = fixture.answered(run, "PRIMARY", generation).await;
            let mut new = token(done, "PRIMARY", generation);
            new.token.generation = Generation::new(generation).unwrap();
            fixture
                .tokens
                .store(&new, &entry(AuditKind::TokenStored))
                .await
                .unwrap();
        }
        let left = attempt(run, "WEBSOCKET1", 1);
        fixture
            .journal
            .open_attempt(&left, &entry(AuditKind::AttemptOpened))
            .await
            .unwrap();
        let (bot, session) = (key("bot", 3), session());
        let stage = Self {
            access: SqlAccessRepository::new(fixture.data.clone()),
            cooldowns: SqlCooldownRepository::new(fixture.data.clone()),
            open_attempt: left.id,
            key: bot.key.id,
            session: session.id,
            fixture,
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
        SqlFileDeliveries::new(stage.fixture.data.clone())
            .record(&delivery(), &[])
            .await
            .unwrap();
        // In the list of latest changes alone.
        let stopped = ConsumerStop {
            identity: ConsumerIdentity::Key(bot.key.id),
            name: "bot".into(),
            since: at(5),
            reason: String::new(),
        };
        assert!(
            SqlConsumers::new(stage.fixture.data.clone())
                .stop(&stopped, &entry(AuditKind::ConsumerStopped))
                .await
                .unwrap()
        );
        assert_eq!(stage.faults().await, RowFaults::default());
        stage
    }

    pub(crate) async fn press(&self) -> Result<OtpGrant, StoreError> {
        let budget = OtpBudget {
            presses: 4,
            window: Duration::from_mins(11),
        };
        let now = ClockReading::by_wall_clock(at(2));
        self.fixture
            .journal
            .request_otp(self.open_attempt, &mobile(), budget, &now)
            .await
    }

    pub(crate) async fn redeem(&self, link: u8, session: &ConsoleSession) -> bool {
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

    pub(crate) async fn faults(&self) -> RowFaults {
        self.fixture.data.row_faults(RowScope::All).await.unwrap()
    }

    pub(crate) async fn revoke_token(&self) {
        self.check(CheckResult::Revoked, AuditKind::TokenRevoked).await;
    }

    pub(crate) async fn check(&self, result: CheckResult, kind: AuditKind) {
        let check = TokenCheck {
            api: api("PRIMARY"),
            generation: Generation::new(2).unwrap(),
            check: LastCheck { at: at(20), result },
        };
        let audit = entry(kind).about(&account(), &api("PRIMARY"));
        self.fixture
            .tokens
            .record_checks(&[(check, audit)])
            .await
            .unwrap();
    }

    pub(crate) async fn token(&self) -> Result<(), StoreError> {
        let mut all = self.fixture.tokens.load_all().await.unwrap();
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
pub(crate) async fn attacker(fixture: &DatabaseFixture) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(fixture.data.path())
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

pub(crate) async fn sql(pool: &SqlitePool, text: &str) {
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
    let pool = attacker(&stage.fixture).await;
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
        if NOT_EXAMINED.iter().any(|(name, _)| *name == table) {
            continue;
        }
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
    sql(&attacker(&stage.fixture).await, &edit).await;
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
    stage
        .fixture
        .tokens
        .record_checks(&[(check, audit)])
        .await
        .unwrap();
    let error = stage.token().await.unwrap_err();
    assert!(matches!(error, StoreError::ChangedOutside(_)), "{error}");
    stage.fixture.data.close().await;
    let dir = &stage.fixture.dir;
    let read = tokens_without_opening(&url(dir), &key_path(dir)).await.unwrap();
    assert!(read.is_empty(), "also without opening: {read:?}");
}

#[tokio::test]
async fn what_is_accepted_is_out_of_force() {
    let stage = Stage::new().await;
    let pool = attacker(&stage.fixture).await;
    sql(
        &pool,
        "UPDATE upstox_tokens SET valid_until = '2099-01-01T00:00:00+00:00';
         UPDATE access_keys SET scopes = 'admin'; UPDATE console_sessions SET opened_at = '2099-01-01T00:00:00+00:00';
         DELETE FROM cooldowns; UPDATE sign_in_attempts SET opened_at = '2099-01-01T00:00:00+00:00'",
    )
    .await;
    let accepted = stage.fixture.data.accept("after a look", at(60)).await.unwrap();
    assert!(accepted.rows.len() > 5, "{accepted:?}");
    assert_eq!(stage.faults().await, RowFaults::default());
    let token = stage.fixture.token("PRIMARY").await;
    assert!(token.rejected_at.is_some() && !token.is_servable(at(61)));
    // For good: Upstox's word does not bring it back.
    stage.check(CheckResult::Valid, AuditKind::TokenChecked).await;
    assert!(!stage.fixture.token("PRIMARY").await.is_servable(at(61)));
    assert_eq!(stage.access.keys().await.unwrap(), []);
    assert_eq!(stage.access.session(&hash(9)).await.unwrap(), None);
    assert!(stage.cooldowns.load_all().await.unwrap()[0].is_stop());
    assert_eq!(stage.fixture.journal.unfinished().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_rotation_seals_what_fits_and_nothing_else() {
    let stage = Stage::new().await;
    stage.fixture.data.rotate_key(at(70), |_| ()).await.unwrap();
    let data = open(&stage.fixture.dir).await;
    assert_eq!(
        data.row_faults(RowScope::All).await.unwrap(),
        RowFaults::default()
    );
    sql(
        &attacker(&stage.fixture).await,
        "UPDATE upstox_tokens SET user_id = 'ZZ9999' WHERE generation = 2",
    )
    .await;
    data.rotate_key(at(71), |_| ()).await.unwrap();
    let data = open(&stage.fixture.dir).await;
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
    let pool = attacker(&stage.fixture).await;
    sql(
        &pool,
        "UPDATE upstox_tokens SET user_id = 'ZZ9999' WHERE generation = 2",
    )
    .await;
    assert_eq!(stage.fixture.data.examine_rows(at(80)).await.unwrap().len(), 1);
    assert_eq!(stage.fixture.data.examine_rows(at(81)).await.unwrap().len(), 0);
    assert_eq!(stage.fixture.audit_kinds().await.last().unwrap(), "row_broken");
}
