//! The files that hold tokens for programs, and how each stands: the answer of `vega files --json`. Never what is in them.

use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::file_delivery::{DeliveryFailure, FileDelivery, FileStanding};
use vega_domain::ids::Generation;
use vega_domain::token_file::TokenFile;
use vega_domain::token_kind;

use crate::codes::{DeliveryProblem, DeliveryState, TokenKind};

/// The files of `[[files]]`, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilesView {
    pub v: u8,
    pub files: Vec<FileView>,
}

/// One file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileView {
    pub path: String,
    pub api: String,
    /// What the token in it opens: `trade`, or only `read`. Null where none was delivered.
    pub kind: Option<TokenKind>,
    /// `raw`, `json`, `env`, `header` or `template`.
    pub format: String,
    /// Whether it was delivered with the token that programs get now, and all that follows was done. Null where there is no token for it.
    pub current: Option<bool>,
    /// Which token programs get now.
    pub served_generation: Option<u32>,
    /// The latest delivery.
    pub delivery: Option<DeliveryView>,
    /// What the next delivery would be refused for.
    pub obstacle: Option<DeliveryFailureView>,
}

/// One version of a token, on its way to a file or there.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    pub generation: u32,
    pub state: DeliveryState,
    pub since: String,
    pub since_unix: i64,
    /// How many tries failed one after the other.
    pub failed_tries: u32,
    /// When the last one failed.
    pub failed_at: Option<String>,
    pub failed_at_unix: Option<i64>,
    /// Why it failed.
    pub failure: Option<DeliveryFailureView>,
}

/// Why a delivery did not come to its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryFailureView {
    pub reason: DeliveryProblem,
    /// What the system or a command said.
    pub detail: String,
    /// What helps.
    pub next: String,
}

impl FileView {
    /// Of this row, as it stands.
    pub fn of(
        file: &TokenFile,
        standing: FileStanding,
        served: Option<Generation>,
        delivery: Option<&FileDelivery>,
        obstacle: Option<&DeliveryFailure>,
    ) -> Self {
        Self {
            path: file.path.display().to_string(),
            api: file.api.to_string(),
            kind: delivery.map(|delivery| token_kind::TokenKind::kept_under(&delivery.api).into()),
            format: file.format.name().to_owned(),
            current: match standing {
                FileStanding::Current => Some(true),
                FileStanding::Behind => Some(false),
                FileStanding::NoToken => None,
            },
            served_generation: served.map(Generation::get),
            delivery: delivery.map(DeliveryView::from),
            obstacle: obstacle.map(DeliveryFailureView::from),
        }
    }
}

impl From<&FileDelivery> for DeliveryView {
    fn from(delivery: &FileDelivery) -> Self {
        let failed = delivery.failed.as_ref();
        Self {
            generation: delivery.generation.get(),
            state: DeliveryState(delivery.state),
            since: rfc3339_ist(delivery.since),
            since_unix: delivery.since.timestamp(),
            failed_tries: failed.map_or(0, |failed| failed.tries),
            failed_at: failed.map(|failed| rfc3339_ist(failed.at)),
            failed_at_unix: failed.map(|failed| failed.at.timestamp()),
            failure: failed.map(|failed| DeliveryFailureView::from(&failed.failure)),
        }
    }
}

impl From<&DeliveryFailure> for DeliveryFailureView {
    fn from(failure: &DeliveryFailure) -> Self {
        Self {
            reason: DeliveryProblem(failure.problem),
            detail: failure.detail.clone(),
            next: failure.problem.advice().to_owned(),
        }
    }
}
