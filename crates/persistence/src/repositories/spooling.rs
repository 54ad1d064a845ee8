//! Connects the spool to a SQLite database: records are moved into the rows of that database.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ports::{EventSink, StoreError};

use crate::audit::latest_changes::Marks;
use crate::database::data_source::DataSource;
use crate::repositories::sign_in_journal::SqlSignInJournal;
use crate::repositories::token_repository::SqlTokenRepository;
use crate::spool::import::FileTokenSpool;
use crate::spool::spooling_tokens::{SpoolingTokenRepository, TokenRows};

impl FileTokenSpool {
    /// The spool of an open database.
    pub fn new(data: DataSource) -> Self {
        let journal = Arc::new(SqlSignInJournal::new(data.clone()));
        Self::over(data.spool(), journal, Arc::new(SqlTokenRepository::new(data)))
    }
}

impl SpoolingTokenRepository {
    /// Reports to `events` what goes into the spool.
    pub fn new(database: SqlTokenRepository, spool: FileTokenSpool, events: Arc<dyn EventSink>) -> Self {
        Self::over(Arc::new(database), spool, events)
    }
}

#[async_trait]
impl TokenRows for SqlTokenRepository {
    async fn marks(&self) -> Result<Option<Arc<Marks>>, StoreError> {
        Ok(self.0.read().await?.judge.marks.ok())
    }
}
