//! `GET /audit/export`: the selected audit entries as a JSON or CSV file, oldest first. Read and sent page by page, never
//! held as a whole. Which entries are selected is decided in `audit_search`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use vega_api_types::{AuditFile, EntryView, ExportFormat};
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

fn ending(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Json => "json",
        ExportFormat::Csv => "csv",
    }
}

fn media_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Json => "application/json",
        ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
    }
}

audit_query!(
    /// Which entries are wanted, and as what.
    Export {
        /// JSON if left out.
        #[param(inline)]
        format: Option<ExportFormat>,
    }
);

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
    let name = format!("attachment; filename=\"vega-audit-{today}.{}\"", ending(format));
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
        (header::CONTENT_TYPE, media_type(format).to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body).into_response())
}

/// The file, part by part.
struct Parts {
    audit: Arc<dyn AuditHistory>,
    search: Search,
    format: ExportFormat,
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
    fn new(audit: Arc<dyn AuditHistory>, search: Search, format: ExportFormat) -> Self {
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
            ExportFormat::Json => part.extend_from_slice(br#"{"v":1,"entries":["#),
            ExportFormat::Csv => line(part, &COLUMNS),
        }
        self.stage = Stage::NoEntryYet;
    }

    fn add(&mut self, part: &mut Vec<u8>, entry: &EntryView) {
        match self.format {
            ExportFormat::Json => {
                let between: &[u8] = if self.stage == Stage::Entries {
                    b",\n"
                } else {
                    b"\n"
                };
                part.extend_from_slice(between);
                part.extend(ShownJson(entry).text().into_bytes());
            }
            ExportFormat::Csv => line(part, &cells(entry)),
        }
        self.stage = Stage::Entries;
    }

    fn end(&mut self, part: &mut Vec<u8>) {
        if self.format == ExportFormat::Json {
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
