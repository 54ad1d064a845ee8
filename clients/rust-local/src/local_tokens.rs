//! Opens what a Vega of this machine has stored. Whatever is missing is told, and never made.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use url::Url;
use vega_client::Error;
use vega_domain::ids::ApiName;
use vega_domain::ports::{Clock, EventSink, UpstoxTokenRepository};
use vega_persistence::{
    DataSource, DatabasePlace, FileTokenSpool, SpoolingTokenRepository, SqlTokenChanges, SqlTokenRepository,
};
use vega_services::{HotTokenRegistry, RegistryFollower, RegistryScope};

use crate::clock::SystemClock;
use crate::local_source::LocalSource;
use crate::reports::{Reports, Unseen};
use crate::store::Store;

const UPSTOX: &str = "https://api.upstox.com";

/// The tokens in Vega's database. Clones share it.
#[derive(Clone)]
pub struct LocalTokens(Arc<Store>);

/// Where a database is, and how its tokens are reported.
pub struct LocalBuilder {
    database: String,
    key_file: PathBuf,
    upstox: String,
    consumer: String,
    clock: Arc<dyn Clock>,
}

impl LocalTokens {
    /// The database at `sqlite://PATH` with its key, as `vega` made both; `vega config` shows where. Followed from now on by a task of the
    /// tokio runtime of the caller. Fails where either is missing.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use vega_local::{LocalTokens, TokenSource};
    ///
    /// # async fn example() -> Result<(), vega_local::Error> {
    /// let stored = LocalTokens::open("sqlite:///home/me/.local/share/vega/vega_trade.db", "/home/me/.config/vega/vega.key").await?;
    /// let token = stored.tokens("PRIMARY")?.current(Duration::ZERO).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(database: impl Into<String>, key_file: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::at(database, key_file).open().await
    }

    /// The same with more to say.
    pub fn at(database: impl Into<String>, key_file: impl Into<PathBuf>) -> LocalBuilder {
        LocalBuilder {
            database: database.into(),
            key_file: key_file.into(),
            upstox: UPSTOX.to_owned(),
            consumer: "vega-local".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The token of this API.
    pub fn tokens(&self, api: &str) -> Result<LocalSource, Error> {
        let api = ApiName::new(api).map_err(|error| setup(error.to_string()))?;
        Ok(LocalSource::new(Arc::clone(&self.0), api))
    }

    /// Ends all sources, and closes the database properly. Dropping the last handle ends them too.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl LocalBuilder {
    /// Where Upstox is asked about reported tokens, for a simulator; `https://api.upstox.com` if nothing is said here.
    #[must_use]
    pub fn upstox(mut self, base: impl Into<String>) -> Self {
        self.upstox = base.into();
        self
    }

    /// The name under which the audit trail has this program's reports.
    #[must_use]
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.consumer = name.into();
        self
    }

    /// Another source of time, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the database and loads its tokens.
    pub async fn open(self) -> Result<LocalTokens, Error> {
        let upstox = Url::parse(&self.upstox)
            .map_err(|_| setup(format!("{} is no URL: give one such as {UPSTOX}", self.upstox)))?;
        let runtime = Handle::try_current()
            .map_err(|_| setup("there is no tokio runtime here: open the database inside of the one that lives as long as the program"))?;
        let data = open(&self.database, &self.key_file).await?;
        let tokens: Arc<dyn UpstoxTokenRepository> = Arc::new(SpoolingTokenRepository::new(
            SqlTokenRepository::new(data.clone()),
            FileTokenSpool::new(data.clone()),
            Arc::new(Unseen) as Arc<dyn EventSink>,
        ));
        let registry = Arc::new(HotTokenRegistry::new(Arc::clone(&self.clock)));
        let follower = RegistryFollower::new(
            Arc::clone(&registry),
            RegistryScope::Everything,
            Arc::clone(&tokens),
            Arc::new(SqlTokenChanges::new(data.clone())),
            Arc::clone(&self.clock),
        );
        follower.catch_up().await.map_err(|error| Error::Unreachable {
            words: error.to_string(),
        })?;
        let reports = Reports {
            data: data.clone(),
            tokens,
            registry: Arc::clone(&registry),
            clock: self.clock,
            upstox,
            who: self.consumer,
            service: OnceCell::new(),
        };
        let store = Store::follow(data, registry, follower, reports, runtime);
        Ok(LocalTokens(Arc::new(store)))
    }
}

/// Vega makes what is missing; a reader must not, or a wrong path gives it an empty database of its own.
async fn open(database: &str, key_file: &Path) -> Result<DataSource, Error> {
    if !database.starts_with("sqlite://") {
        return Err(setup(
            "only a database at sqlite://PATH is opened here. For one on a server let vega-server run beside the program, and use \
             vega-client",
        ));
    }
    let file = DatabasePlace::from(database).local_file().unwrap_or_default();
    for file in [&*file, key_file] {
        if !file.is_file() {
            return Err(setup(format!(
                "{} does not exist. Give the database and key file of a Vega that has signed in",
                file.display()
            )));
        }
    }
    let opened = DataSource::open(database, key_file).await;
    opened.map_err(|error| setup(error.to_string()))
}

fn setup(words: impl Into<String>) -> Error {
    Error::Setup { words: words.into() }
}

impl fmt::Debug for LocalTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalTokens")
    }
}

impl fmt::Debug for LocalBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBuilder").finish_non_exhaustive()
    }
}
