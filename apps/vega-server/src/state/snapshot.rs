//! The dashboard's content at one moment: what `GET /api/v1/apis` and the event stream show. Holds no secrets.

use serde::Serialize;
use utoipa::ToSchema;

use crate::state::prompt_view::PromptView;
use vega_api_types::RunView;
use vega_api_types::{AccountView, ApiView, ApisView};

/// Everything that the dashboard shows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Snapshot {
    pub(crate) v: u8,
    pub(crate) apis: Vec<ApiView>,
    pub(crate) accounts: Vec<AccountView>,
    /// The run that is under way, or the last one.
    pub(crate) run: Option<RunView>,
    pub(crate) prompts: Vec<PromptView>,
    /// When sign-ins are closed, now or next, in Unix seconds; every day at the same times. A force with its reason overrides it.
    pub(crate) closed_from_unix: i64,
    pub(crate) closed_until_unix: i64,
    /// The server's time in Unix seconds, for countdowns.
    pub(crate) now_unix: i64,
}

impl Snapshot {
    pub(crate) fn apis(&self) -> ApisView {
        ApisView {
            v: 1,
            apis: self.apis.clone(),
            accounts: self.accounts.clone(),
        }
    }
}
