//! Tokens that were durable and were lost with a database server: a process that serves one puts it back. Its sign-in may be finished
//! after that.

use std::sync::Arc;

use vega_domain::audit::AuditEntry;
use vega_domain::ports::StoreError;
use vega_domain::token::StoredToken;

use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::write::Write;
use crate::records::token::revocation;
use crate::repositories::audit_trail;
use crate::repositories::token_rows::{
    self, SealedToken, known_generation, newest_generation, place, seal_newest,
};
use crate::sealing::fingerprint::Subject;
use crate::sql;

/// Puts the token back, unless its API has one of this generation or a newer one. It is no part of a sign-in: whoever holds it may.
pub(super) async fn put_back(
    data: &DataSource,
    token: &StoredToken,
    audit: &AuditEntry,
) -> Result<bool, StoreError> {
    let access_token = token.access_token.expose().as_bytes();
    let mut tx = data.write().await?;
    let sealed = SealedToken {
        access_token: tx.sealer.seal(place(token, "access_token"), access_token)?,
        // Whoever serves a token does not hold this one.
        extended_token: None,
        revoked_at: revocation(token.last_check),
    };
    let known = known_generation(tx.marks()?, &token.api);
    let newest = newest_generation(&mut tx, known, &token.api).await?;
    if newest >= Some(token.generation) {
        return Ok(false);
    }
    let stored = token_rows::insert(&mut tx, token, sealed).await?;
    let entry = tx.entry();
    seal_newest(&mut tx, stored, entry).await?;
    audit_trail::insert_about(&mut tx, audit, Subject::Token(&token.access_token)).await?;
    tx.commit().await.map_err(failed("put a token back"))?;
    Ok(true)
}

/// Whether the row of this token is there already: put back before the sign-in was finished whose answer it came with, and which was not
/// lost.
pub(super) async fn is_back(tx: &mut Write, token: &StoredToken) -> Result<bool, StoreError> {
    let sealer = Arc::clone(&tx.sealer);
    let kept: Option<Vec<u8>> =
        sql::query_scalar("SELECT sealed_access_token FROM upstox_tokens WHERE api = $1 AND generation = $2")
            .bind(token.api.as_str())
            .bind(token.generation.get())
            .fetch_optional(tx)
            .await
            .map_err(failed("look for a token that was put back"))?;
    let opened = kept.and_then(|kept| sealer.open(place(token, "access_token"), &kept).ok());
    Ok(opened.is_some_and(|opened| *opened == token.access_token.expose().as_bytes()))
}
