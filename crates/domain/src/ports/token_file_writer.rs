//! Ports: the files themselves, as they are, and as they are to be.

use std::path::Path;

use async_trait::async_trait;

use crate::file_delivery::{ContentDigest, DeliveryFailure};
use crate::token::StoredToken;
use crate::token_file::TokenFile;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A plain file with this in it.
    File(ContentDigest),
    /// Something else, or a file that cannot be read.
    Other,
}

/// Looks at files with tokens. Changes nothing and runs nothing.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenFileInspector: Send + Sync {
    /// What is there now.
    async fn look(&self, path: &Path) -> Found;

    /// Whether the file there is what a delivery of this token would put there by the row as it is now, with its mode, owner and group. A
    /// template that fails is no word on the file.
    async fn is_as_named(&self, file: &TokenFile, token: &StoredToken) -> bool;

    /// Whether the place, and what is written there, will do: names what a delivery would be refused for.
    async fn examine(&self, file: &TokenFile) -> Result<(), DeliveryFailure>;
}

/// Writes files with tokens.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait TokenFileWriter: Send + Sync {
    /// Writes the new file beside the old one, and has it checked. The old one stays. Where this fails nothing is left of the new one.
    async fn prepare(&self, file: &TokenFile, token: &StoredToken) -> Result<ContentDigest, DeliveryFailure>;

    /// Puts what was prepared in the place of the old file, durably.
    async fn put(&self, file: &TokenFile) -> Result<(), DeliveryFailure>;

    /// Takes away what was prepared and is not wanted any more.
    async fn discard(&self, path: &Path);

    /// Removes the file, durably, with what a dead process left of a new one.
    async fn remove(&self, path: &Path) -> Result<(), DeliveryFailure>;
}
