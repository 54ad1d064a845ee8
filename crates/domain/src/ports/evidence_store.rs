//! Port: the evidence of failed sign-ins, for whoever reads it.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;

use super::LastFailure;
use crate::evidence::KeptEvidence;

/// Evidence that was kept.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EvidenceStore: Send + Sync {
    /// The file of the record of this failure, if one was kept and can be found. It MUST be of the same API, reason and run
    /// (`a_failure_is_found_by_api_reason_and_run`).
    async fn record_of(&self, last: &LastFailure) -> Option<PathBuf>;

    /// All evidence, the newest first. A record that cannot be read MUST hide no other one
    /// (`everything_that_is_kept_is_told_the_newest_first`).
    async fn kept(&self) -> io::Result<Vec<KeptEvidence>>;

    /// The picture of this evidence, as PNG; `None` where there is none, or no evidence has this id. MUST read no file that
    /// is not evidence (`no_other_name_leads_to_a_file`, `a_link_in_the_folder_leads_nowhere`).
    async fn picture(&self, id: &str) -> io::Result<Option<Vec<u8>>>;
}
