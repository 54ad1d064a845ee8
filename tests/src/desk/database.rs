//! Where a desk keeps its data: the engine, what lies beside the database, and what another program finds or changes there.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use vega_testing::PostgresServer;

use super::Desk;

/// Where a desk keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In a file of its own.
    Sqlite,
    /// In a new database on the server of the test run.
    Postgres,
}

impl Desk {
    /// The same desk, which keeps its data there from the beginning.
    #[must_use]
    pub fn over(mut self, engine: Engine) -> Self {
        if engine == Engine::Postgres {
            self.use_database(&PostgresServer::shared().fresh_database());
        }
        self
    }

    /// Keeps its data in the database of this URL from now on, beside whoever else does.
    pub fn use_database(&mut self, url: &str) {
        self.set("VEGA__DATABASE__URL", url);
    }

    /// The URL of its database on a server, if it is there.
    pub fn on_server(&self) -> Option<&str> {
        let mut settings = self.settings.iter();
        let url = settings.find(|(name, _)| name == "VEGA__DATABASE__URL");
        url.map(|(_, url)| url.as_str())
            .filter(|url| url.starts_with("postgres://"))
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.home.path().join("data/vega/vega_trade.db")
    }

    /// The folder of the browser's short-lived profiles.
    pub fn browser_profiles(&self) -> PathBuf {
        self.beside_the_database("browser-profiles")
    }

    /// The folder of what is kept about failed sign-ins.
    pub fn evidence(&self) -> PathBuf {
        self.beside_the_database("evidence")
    }

    fn beside_the_database(&self, what: &str) -> PathBuf {
        let database = match self.on_server() {
            Some(url) => {
                let name = url.trim_start_matches("postgres://vega@/");
                let name = name.split_once('?').map_or(name, |(name, _)| name);
                let folder = format!("data/vega/postgres-vega-{name}");
                self.home.path().join(folder).join("vega")
            }
            None => self.database(),
        };
        database.with_extension(what)
    }

    /// How often the database tells this of an account and API in the audit trail. Programs must not run: what they have
    /// not put into the file itself is not seen.
    pub fn audited(&self, kind: &str, account: &str, api: &str) -> Result<usize> {
        if let Some(url) = self.on_server() {
            let count = format!(
                "SELECT count(*) FROM audit_events WHERE kind = '{kind}' AND account = '{account}' AND api = '{api}'"
            );
            return Ok(PostgresServer::shared().ask(url, &count).parse()?);
        }
        let database = std::fs::read(self.database())?;
        // As SQLite lays a row out: one column after the other.
        let row = [kind, account, api].concat().into_bytes();
        Ok(database.windows(row.len()).filter(|part| *part == row).count())
    }

    /// Lets the database refuse this change of a table (`INSERT`, `UPDATE OF column`) for want of room, until `make_room`.
    pub fn fill(&self, table: &str, change: &str) -> Result<()> {
        match self.on_server() {
            Some(_) => self.sql(&format!(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN RAISE disk_full USING MESSAGE = 'the disk is full'; END $$;
                 CREATE TRIGGER full_disk BEFORE {change} ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
            )),
            None => self.sql(&format!(
                "CREATE TRIGGER full_disk BEFORE {change} ON {table} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            )),
        }
    }

    /// Lets the database take that change of the table again.
    pub fn make_room(&self, table: &str) -> Result<()> {
        match self.on_server() {
            Some(_) => self.sql(&format!(
                "DROP TRIGGER full_disk ON {table}; DROP FUNCTION full_disk"
            )),
            None => self.sql("DROP TRIGGER full_disk"),
        }
    }

    /// Changes the database with another program, `sqlite3` or `psql`.
    pub fn sql(&self, statement: &str) -> Result<()> {
        if let Some(url) = self.on_server() {
            PostgresServer::shared().change(url, statement);
            return Ok(());
        }
        let ran = std::process::Command::new("sqlite3")
            .arg(self.database())
            .arg(statement)
            .output()
            .context("sqlite3 is missing: install the package of this name")?;
        ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }
}
