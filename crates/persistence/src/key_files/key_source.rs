//! Where the root key is: in a file that Vega made, or in a credential that the service manager provides and Vega never
//! writes.

use std::path::{Path, PathBuf};

/// Where the root key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file for Vega alone. It is made at the first start, and replaced by a rotation.
    File(PathBuf),
    /// A credential of the service manager's.
    Credential {
        /// The key.
        key: PathBuf,
        /// The folder for the other files that Vega keeps beside its key: the credential's own folder is read-only and
        /// disappears when the service ends.
        folder: PathBuf,
    },
}

impl KeySource {
    /// The file that holds the key.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Credential { key: path, .. } => path,
        }
    }

    /// A file of this name where Vega may write, apart from the data.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        match self {
            Self::File(path) => path.with_file_name(name),
            Self::Credential { folder, .. } => folder.join(name),
        }
    }
}

impl From<&Path> for KeySource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for KeySource {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<&KeySource> for KeySource {
    fn from(source: &KeySource) -> Self {
        source.clone()
    }
}
