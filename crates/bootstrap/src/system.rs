//! What an operator may know of the key and the database that Vega works with.

use vega_domain::ports::StoreError;
use vega_persistence::DatabaseFacts;

use crate::wiring::Vega;

impl Vega {
    /// What the database says of itself.
    pub async fn database_facts(&self) -> Result<DatabaseFacts, StoreError> {
        self.data.facts().await
    }

    /// Tells the root key from others, without telling anything of it.
    pub fn key_id(&self) -> String {
        self.data.key_id()
    }
}
