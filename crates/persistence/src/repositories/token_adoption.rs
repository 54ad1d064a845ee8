//! `TokenAdoption` over the database: the row of a token that no sign-in brought. It has no way round a database that takes nothing: the
//! operator still has the token, and gives it again.

use async_trait::async_trait;
use vega_domain::audit::AuditEntry;
use vega_domain::ids::Generation;
use vega_domain::ports::{StoreError, TokenAdoption};
use vega_domain::token::StoredToken;

use crate::audit::latest_changes::Whose;
use crate::database::causes::failed;
use crate::repositories::token_repository::SqlTokenRepository;
use crate::repositories::token_rows::{
    self, SealedToken, generation_of, known_generation, newest_generation, place, seal_newest,
};
use crate::repositories::{attempt_rows, audit_trail};
use crate::sealing::fingerprint::Subject;

#[async_trait]
impl TokenAdoption for SqlTokenRepository {
    async fn adopt(&self, token: &StoredToken, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.0.write().await?;
        // The token that it is about to bring ends this one at Upstox, and would have no place behind it.
        if attempt_rows::is_open(&mut tx, &token.api).await? {
            return Err(StoreError::Conflict(format!(
                "a sign-in for {} is under way, or was cut off and is not finished. Wait for its end, and give the token again if it brought \
                 none",
                token.api
            )));
        }
        let marks = tx.marks()?.clone();
        let newest = newest_generation(&mut tx, known_generation(&marks, &token.api), &token.api).await?;
        // One that was revoked before it came to a row has its number already.
        let revoked = marks
            .get(Whose::Revoked(token.api.as_str()))
            .and_then(generation_of);
        let next = Generation::after(newest.max(revoked));
        if token.generation != next {
            let why = if token.generation > next {
                "has a newer token, which came while the database took nothing and waits in the spool. `vega verify` brings it in: look \
                 whether another one is needed"
            } else {
                "has another token since. Look whether another one is needed"
            };
            return Err(StoreError::Conflict(format!("{} {why}", token.api)));
        }
        let sealed = SealedToken {
            access_token: tx.sealer.seal(
                place(token, "access_token"),
                token.access_token.expose().as_bytes(),
            )?,
            extended_token: None,
            revoked_at: None,
        };
        let stored = token_rows::insert(&mut tx, token, sealed).await?;
        let entry = tx.entry();
        seal_newest(&mut tx, stored, entry).await?;
        audit_trail::insert_about(&mut tx, audit, Subject::Token(&token.access_token)).await?;
        tx.commit().await.map_err(failed("store a token"))
    }
}
