//! Connects the spool to a SQLite database: records are moved into the rows of that database.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ports::{EventSink, StoreError};

use crate::audit::latest_changes::Marks;
use crate::spool::import::FileTokenSpool;
use crate::spool::spooling_tokens::{SpoolingTokenRepository, TokenRows};
use crate::sqlite::database::data_source::DataSource;
use crate::sqlite::repositories::sign_in_journal::SqliteSignInJournal;
use crate::sqlite::repositories::token_repository::SqliteTokenRepository;

impl FileTokenSpool {
    /// The spool of an open database.
    pub fn new(data: DataSource) -> Self {
        let journal = Arc::new(SqliteSignInJournal::new(data.clone()));
        Self::over(data.spool(), journal, Arc::new(SqliteTokenRepository::new(data)))
    }
}

impl SpoolingTokenRepository {
    /// Reports to `events` what goes into the spool.
    pub fn new(database: SqliteTokenRepository, spool: FileTokenSpool, events: Arc<dyn EventSink>) -> Self {
        Self::over(Arc::new(database), spool, events)
    }
}

#[async_trait]
impl TokenRows for SqliteTokenRepository {
    async fn marks(&self) -> Result<Option<Arc<Marks>>, StoreError> {
        Ok(self.0.read().await?.judge.marks.ok())
    }
}
