//! Query parameters that select audit entries. The database applies the filter; the text `q` is searched here.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;
use vega_api_types::EntryView;
use vega_api_types::codes::AuditKind;
use vega_domain::audit::{AuditFilter, RecordedEntry};
use vega_domain::ids::{AccountId, ApiName, RunId};
use vega_domain::visible::json_for_terminals;

use crate::http::problem::Problem;
use vega_api_types::ProblemCode;

/// In characters.
const LONGEST_SEARCH: usize = 200;

/// A query about the trail: the fields that all of them share, after its own.
macro_rules! audit_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$of_field])* $field: $type,)*
            /// Only those about this account.
            #[param(pattern = "^[a-z0-9][a-z0-9_-]*$")]
            account: Option<String>,
            /// Only those about this API, its name in any case of letters, or about an account's analytics token: `@ACCOUNT`.
            #[param(pattern = "^(@[a-z0-9][a-z0-9_-]*|[A-Za-z][A-Za-z0-9_]*)$")]
            api: Option<String>,
            /// Only those of this kind.
            kind: Option<vega_api_types::codes::AuditKind>,
            /// Only those in this run, by its id in the audit trail.
            #[param(format = Uuid)]
            run: Option<String>,
            /// None from before. RFC 3339; the `+` of an offset is written `%2B` in an address.
            #[param(format = DateTime)]
            since: Option<String>,
            /// None from then on. RFC 3339 too.
            #[param(format = DateTime)]
            until: Option<String>,
            /// Only those that hold these words, in any case of letters.
            #[param(max_length = 200)]
            q: Option<String>,
        }

        impl $name {
            fn search(&mut self) -> Result<$crate::api::audit_search::Search, $crate::http::problem::Problem> {
                $crate::api::audit_search::SearchParams {
                    account: self.account.take(),
                    api: self.api.take(),
                    kind: self.kind,
                    run: self.run.take(),
                    since: self.since.take(),
                    until: self.until.take(),
                    q: self.q.take(),
                }
                .search()
            }
        }
    };
}

pub(crate) use audit_query;

/// The query parameters before validation.
#[derive(Debug, Default)]
pub(crate) struct SearchParams {
    pub(crate) account: Option<String>,
    pub(crate) api: Option<String>,
    pub(crate) kind: Option<AuditKind>,
    pub(crate) run: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) q: Option<String>,
}

impl SearchParams {
    pub(crate) fn search(self) -> Result<Search, Problem> {
        let words = self.q.unwrap_or_default();
        if words.chars().count() > LONGEST_SEARCH {
            return Err(bad(format!(
                "q must not be longer than {LONGEST_SEARCH} characters."
            )));
        }
        let run = self.run.map(|run| Uuid::try_parse(&run)).transpose();
        let run = run.map_err(|_| bad("run must be the id of a run, a UUID."))?;
        let account = self.account.map(AccountId::new).transpose();
        let api = self.api.map(ApiName::stored).transpose();
        let filter = AuditFilter {
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            kind: self.kind.map(|kind| kind.0),
            account: account.map_err(|error| bad(error.to_string()))?,
            api: api.map_err(|error| bad(error.to_string()))?,
            run: run.map(RunId::from_uuid),
        };
        let words = words.to_lowercase();
        Ok(Search { filter, words })
    }
}

pub(crate) fn bad(words: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::BadRequest, words)
}

fn time(name: &str, text: Option<String>) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(at) => Ok(Some(at.to_utc())),
        Err(error) => Err(bad(format!(
            "{name} must be a time like 2026-11-24T09:15:00%2B05:30 (RFC 3339; a bare + means a space in an address): {error}."
        ))),
    }
}

/// Which entries are wanted.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) filter: AuditFilter,
    /// In lower case.
    words: String,
}

impl Search {
    /// How the entry looks, if it is wanted; the filter was applied before.
    pub(crate) fn find(&self, recorded: &RecordedEntry) -> Option<EntryView> {
        let view = EntryView::from(recorded);
        holds(&view, &self.words).then_some(view)
    }
}

/// JSON whose strings come from outside. Control characters are escaped, for terminals; parsed, it is the same.
#[derive(Debug)]
pub(crate) struct ShownJson<T>(pub(crate) T);

impl<T: Serialize> ShownJson<T> {
    pub(crate) fn text(&self) -> String {
        let json = serde_json::to_string(&self.0).unwrap_or_default();
        json_for_terminals(&json).into_owned()
    }
}

impl<T: Serialize> IntoResponse for ShownJson<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.text()).into_response()
    }
}

/// Whether an entry holds these words, which are in lower case.
fn holds(entry: &EntryView, words: &str) -> bool {
    let fields = [
        Some(&entry.detail),
        entry.account.as_ref(),
        entry.api.as_ref(),
        entry.run.as_ref(),
    ];
    let mut fields = fields.into_iter().flatten();
    entry.kind.0.code().contains(words) || fields.any(|field| field.to_lowercase().contains(words))
}
