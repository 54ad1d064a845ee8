//! `GET /audit/export`: the selected audit entries as a JSON or CSV file, oldest first. Read and sent page by page, never
//! held as a whole. Which entries are selected is decided in `audit_search`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use utoipa::ToSchema;
use vega_api_types::EntryView;
use vega_domain::audit::AuditOrder;
use vega_domain::expiry::in_ist;
use vega_domain::ports::{AuditHistory, StoreError};
use vega_domain::visible::visible;

use crate::api::audit_search::{Search, ShownJson, audit_query};
use crate::http::error_responses::ErrorResponses;
use crate::http::extract::QueryParams;
use crate::http::problem::Problem;
use crate::server::Server;

/// Entries per page.
const PAGE: u32 = 500;
/// The columns of the CSV file; the fields of an entry, in their order.
const COLUMNS: [&str; 8] = ["id", "at", "at_unix", "kind", "account", "api", "run", "detail"];

/// As what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// An object with all entries, as the pages have them.
    #[default]
    Json,
    /// RFC 4180 with a header line. A cell that a spreadsheet would take for a formula begins with an apostrophe; characters
    /// that would steer a terminal stand there as their number, such as `\\u{1b}`.
    Csv,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

audit_query!(
    /// Which entries are wanted, and as what.
    Export {
        /// JSON if left out.
        #[param(inline)]
        format: Option<Format>,
    }
);

/// The file as JSON.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described; it is written entry by entry")]
pub(crate) struct AuditFile {
    v: u8,
    /// All that are wanted, oldest first.
    entries: Vec<EntryView>,
}

/// The audit trail as a file: everything that is wanted, oldest first. An answer that breaks off before its end is not whole.
#[utoipa::path(get, path = "/api/v1/audit/export", operation_id = "exportAudit", tag = "audit", params(Export),
    responses((status = 200, description = "The file", content((AuditFile = "application/json"), (String = "text/csv")),
        headers(("Content-Disposition" = String, description = "Its name, with today's date in India"))), ErrorResponses))]
pub(crate) async fn export(
    State(server): State<Arc<Server>>,
    QueryParams(mut wanted): QueryParams<Export>,
) -> Result<Response, Problem> {
    let format = wanted.format.unwrap_or_default();
    let search = wanted.search()?;
    let today = in_ist(server.vega.clock.now()).format("%Y-%m-%d");
    let name = format!("attachment; filename=\"vega-audit-{today}.{}\"", format.ending());
    let mut parts = Parts::new(Arc::clone(&server.vega.audit), search, format);
    // Before the response begins, so that an error has a status.
    let first = parts.next().await?;
    let rest = stream::try_unfold(parts, async |mut parts| {
        let part = parts.next().await;
        let part =
            part.inspect_err(|error| tracing::warn!(%error, "an export of the audit trail broke off"))?;
        Ok::<_, StoreError>(part.map(|part| (part, parts)))
    });
    let body = Body::from_stream(stream::iter(first.map(Ok)).chain(rest));
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body).into_response())
}

/// The file, part by part.
struct Parts {
    audit: Arc<dyn AuditHistory>,
    search: Search,
    format: Format,
    after: Option<i64>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Beginning,
    NoEntryYet,
    Entries,
    Over,
}

impl Parts {
    fn new(audit: Arc<dyn AuditHistory>, search: Search, format: Format) -> Self {
        Self {
            audit,
            search,
            format,
            after: None,
            stage: Stage::Beginning,
        }
    }

    /// What comes next in the file; never empty.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut part = Vec::new();
        while part.is_empty() && self.stage != Stage::Over {
            self.read(&mut part).await?;
        }
        Ok((!part.is_empty()).then_some(part))
    }

    /// Reads one page into `part`.
    async fn read(&mut self, part: &mut Vec<u8>) -> Result<(), StoreError> {
        let (filter, order) = (&self.search.filter, AuditOrder::OldestFirst);
        let found = self.audit.page(filter, order, self.after, PAGE).await?;
        if self.stage == Stage::Beginning {
            self.begin(part);
        }
        let entries = found.iter().filter_map(|recorded| self.search.find(recorded));
        for entry in entries.collect::<Vec<_>>() {
            self.add(part, &entry);
        }
        self.after = found.last().map(|last| last.id).or(self.after);
        if found.len() < PAGE as usize {
            self.end(part);
        }
        Ok(())
    }

    fn begin(&mut self, part: &mut Vec<u8>) {
        match self.format {
            Format::Json => part.extend_from_slice(br#"{"v":1,"entries":["#),
            Format::Csv => line(part, &COLUMNS),
        }
        self.stage = Stage::NoEntryYet;
    }

    fn add(&mut self, part: &mut Vec<u8>, entry: &EntryView) {
        match self.format {
            Format::Json => {
                let between: &[u8] = if self.stage == Stage::Entries {
                    b",\n"
                } else {
                    b"\n"
                };
                part.extend_from_slice(between);
                part.extend(ShownJson(entry).text().into_bytes());
            }
            Format::Csv => line(part, &cells(entry)),
        }
        self.stage = Stage::Entries;
    }

    fn end(&mut self, part: &mut Vec<u8>) {
        if self.format == Format::Json {
            part.extend_from_slice(b"\n]}\n");
        }
        self.stage = Stage::Over;
    }
}

/// The cells of an entry under `COLUMNS`.
fn cells(entry: &EntryView) -> [String; 8] {
    let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default());
    [
        entry.id.to_string(),
        entry.at.clone(),
        entry.at_unix.to_string(),
        entry.kind.0.code().to_owned(),
        text(&entry.account),
        text(&entry.api),
        text(&entry.run),
        harmless(&entry.detail),
    ]
}

/// Escapes text for terminals and spreadsheets: an apostrophe goes before what a spreadsheet would take for a formula, also
/// behind blanks. The trail itself keeps the text of Upstox's pages unchanged.
fn harmless(text: &str) -> String {
    const BEGINS_A_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let lines: Vec<_> = text.split("\r\n").map(visible).collect();
    let shown = lines.join("\r\n");
    if text.starts_with(BEGINS_A_FORMULA) || text.trim_start().starts_with(BEGINS_A_FORMULA) {
        format!("'{shown}")
    } else {
        shown
    }
}

fn line(part: &mut Vec<u8>, cells: &[impl AsRef<[u8]>]) {
    let mut writer = csv::WriterBuilder::new();
    let mut writer = writer.terminator(csv::Terminator::CRLF).from_writer(part);
    // Neither fails: the sink is a vector, and each line is its writer's first.
    let _ = writer.write_record(cells);
    let _ = writer.flush();
}

#[cfg(test)]
mod tests;
