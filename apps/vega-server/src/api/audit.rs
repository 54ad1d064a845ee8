//! `/audit`: the audit trail page by page, and the verdict on whether it is complete and unchanged.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use vega_api_types::{AuditVerdictView, AuditView, EntryOrder};
use vega_bootstrap::RowScope;
use vega_domain::audit::AuditOrder;

use crate::api::audit_search::{ShownJson, audit_query, bad};
use crate::http::error_responses::ErrorResponses;
use crate::http::extract::QueryParams;
use crate::http::problem::Problem;
use crate::server::Server;

const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;
/// So many entries are searched for one page at most; `next` then goes on after them.
const SEARCHED: usize = 20_000;

audit_query!(
    /// Which entries are wanted.
    Page {
        /// Which come first: the oldest if left out.
        #[param(inline)]
        order: Option<EntryOrder>,
        /// Entries that come after this one in the order; from its first if left out.
        #[param(minimum = 0)]
        after: Option<i64>,
        /// So many at most: 100 if left out, never more than 500.
        #[param(minimum = 1, maximum = 500)]
        limit: Option<u32>,
    }
);

/// The audit trail, oldest first or newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "listAudit", tag = "audit", params(Page),
    responses((status = 200, description = "Some of the trail", body = AuditView), ErrorResponses))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    QueryParams(mut page): QueryParams<Page>,
) -> Result<ShownJson<AuditView>, Problem> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(bad(format!("limit must be 1 to {LARGEST_PAGE}.")));
    }
    let mut after = page.after;
    if after.is_some_and(|after| after < 0) {
        return Err(bad("after must not be negative."));
    }
    let order = match page.order.unwrap_or_default() {
        EntryOrder::Oldest => AuditOrder::OldestFirst,
        EntryOrder::Newest => AuditOrder::NewestFirst,
    };
    let search = page.search()?;
    let mut entries = Vec::new();
    let mut searched = 0;
    loop {
        let audit = &server.vega.audit;
        let found = audit.page(&search.filter, order, after, LARGEST_PAGE).await?;
        let is_last = found.len() < LARGEST_PAGE as usize;
        searched += found.len();
        for recorded in &found {
            after = Some(recorded.id);
            let Some(entry) = search.find(recorded) else {
                continue;
            };
            entries.push(entry);
            if entries.len() == limit as usize {
                let next = after.filter(|_| !is_last || found.last() != Some(recorded));
                return Ok(ShownJson(AuditView { v: 1, entries, next }));
            }
        }
        if is_last || searched >= SEARCHED {
            let next = after.filter(|_| !is_last);
            return Ok(ShownJson(AuditView { v: 1, entries, next }));
        }
    }
}

/// Whether the audit trail is intact: every entry is what was written, and none is missing.
#[utoipa::path(get, path = "/api/v1/audit/verdict", operation_id = "getAuditVerdict", tag = "audit",
    responses((status = 200, description = "The verdict", body = AuditVerdictView), ErrorResponses))]
pub(crate) async fn verdict(State(server): State<Arc<Server>>) -> Result<Json<AuditVerdictView>, Problem> {
    let verdict = server.vega.audit.verify(None).await?;
    let faults = server.vega.maintenance.row_faults(RowScope::All).await?;
    Ok(Json(AuditVerdictView::of(&verdict, &faults)))
}
