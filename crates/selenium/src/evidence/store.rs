//! The evidence store over the folder of evidence. Reads files, each time off the async threads.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use vega_domain::evidence::KeptEvidence;
use vega_domain::ports::{EvidenceStore, LastFailure};

use super::folder::EvidenceFolder;
use super::kept::{kept, picture_of};

/// The evidence in a folder.
#[derive(Debug)]
pub struct FileEvidenceStore {
    folder: PathBuf,
}

impl FileEvidenceStore {
    /// In this folder, which need not exist.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || read(&folder)).await?
    }
}

#[async_trait]
impl EvidenceStore for FileEvidenceStore {
    async fn record_of(&self, last: &LastFailure) -> Option<PathBuf> {
        let last = last.clone();
        let found = self.read(move |folder| Ok(EvidenceFolder(folder).record_of(&last)));
        found.await.ok()?
    }

    async fn kept(&self) -> io::Result<Vec<KeptEvidence>> {
        self.read(kept).await
    }

    async fn picture(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        let id = id.to_owned();
        self.read(move |folder| picture_of(folder, &id)).await
    }
}
