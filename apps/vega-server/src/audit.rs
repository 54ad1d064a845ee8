//! The audit trail, page by page, and whether it is whole.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vega_domain::audit::{AuditFilter, RecordedEntry};
use vega_domain::ids::ApiName;

use crate::extract::Asked;
use crate::problem::{Code, Problem};
use crate::refusals::Refused;
use crate::server::Server;
use crate::views::rfc3339_ist;

const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;
/// So many entries are searched for one page at most; `next` then goes on after them.
const SEARCHED: usize = 20_000;

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// Entries after this one; from the first if left out.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// So many at most: 100 if left out, never more than 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only those about this API.
    api: Option<String>,
    /// Only those that hold these words, in any case of letters.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Some of the trail, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    v: u8,
    entries: Vec<EntryView>,
    /// Ask with `after` set to this for what follows; null at the end.
    next: Option<i64>,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
struct EntryView {
    id: i64,
    at: String,
    at_unix: i64,
    kind: &'static str,
    account: Option<String>,
    api: Option<String>,
    run: Option<String>,
    detail: String,
}

impl EntryView {
    fn of(recorded: &RecordedEntry) -> Self {
        let entry = &recorded.entry;
        Self {
            id: recorded.id,
            at: rfc3339_ist(entry.at),
            at_unix: entry.at.timestamp(),
            kind: entry.kind.code(),
            account: entry.account.as_ref().map(ToString::to_string),
            api: entry.api.as_ref().map(ToString::to_string),
            run: entry.run.map(|run| run.to_string()),
            detail: entry.detail.clone(),
        }
    }

    fn holds(&self, words: &str) -> bool {
        let fields = [
            Some(&self.detail),
            self.account.as_ref(),
            self.api.as_ref(),
            self.run.as_ref(),
        ];
        let mut fields = fields.into_iter().flatten();
        self.kind.contains(words) || fields.any(|field| field.to_lowercase().contains(words))
    }
}

/// The audit trail, oldest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "listAudit", tag = "audit", params(Page),
    responses((status = 200, description = "Some of the trail", body = AuditView), Refused))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Asked(page): Asked<Page>,
) -> Result<Json<AuditView>, Problem> {
    let bad = |words: String| Problem::new(Code::BadRequest, words);
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(bad(format!("limit must be 1 to {LARGEST_PAGE}.")));
    }
    let mut after = page.after.unwrap_or(0);
    if after < 0 {
        return Err(bad("after must not be negative.".into()));
    }
    let api = page.api.map(ApiName::new).transpose();
    let filter = AuditFilter {
        since: None,
        api: api.map_err(|error| bad(error.to_string()))?,
    };
    let words = page.q.unwrap_or_default().to_lowercase();
    let mut entries = Vec::new();
    let mut searched = 0;
    loop {
        let found = server.vega.audit.page(&filter, after, LARGEST_PAGE).await?;
        let is_last = found.len() < LARGEST_PAGE as usize;
        searched += found.len();
        for recorded in &found {
            after = recorded.id;
            let entry = EntryView::of(recorded);
            if entry.holds(&words) {
                entries.push(entry);
                if entries.len() == limit as usize {
                    let next = Some(after).filter(|_| !is_last || found.last() != Some(recorded));
                    return Ok(Json(AuditView { v: 1, entries, next }));
                }
            }
        }
        if is_last || searched >= SEARCHED {
            let next = (!is_last).then_some(after);
            return Ok(Json(AuditView { v: 1, entries, next }));
        }
    }
}

/// Whether the trail is what was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerdictView {
    v: u8,
    whole: bool,
    /// How many entries there are, or fit until the fault.
    entries: u64,
    /// The stable name of the fault, if there is one.
    fault: Option<&'static str>,
    /// The fault in words.
    detail: Option<String>,
}

/// Whether the audit trail is whole: every entry is what was written, and none is missing.
#[utoipa::path(get, path = "/api/v1/audit/verdict", operation_id = "getAuditVerdict", tag = "audit",
    responses((status = 200, description = "The verdict", body = VerdictView), Refused))]
pub(crate) async fn verdict(State(server): State<Arc<Server>>) -> Result<Json<VerdictView>, Problem> {
    let verdict = server.vega.audit.verify(None).await?;
    Ok(Json(VerdictView {
        v: 1,
        whole: verdict.fault.is_none(),
        entries: verdict.entries,
        fault: verdict.fault.map(vega_domain::audit::AuditFault::code),
        detail: verdict.fault.map(|fault| fault.to_string()),
    }))
}
