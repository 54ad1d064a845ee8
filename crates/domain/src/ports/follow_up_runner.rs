//! Port: the commands and signals that tell programs of a new file.

use async_trait::async_trait;

use crate::file_delivery::DeliveryFailure;
use crate::token::StoredToken;
use crate::token_file::TokenFile;

/// Tells programs that a file was replaced.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FollowUpRunner: Send + Sync {
    /// Runs the command, or sends the signal, that follows; nothing where there is none. The token is there to be kept out of what the
    /// command said. Where this is dropped, a command that runs is ended.
    async fn follow_up(&self, file: &TokenFile, token: &StoredToken) -> Result<(), DeliveryFailure>;
}
