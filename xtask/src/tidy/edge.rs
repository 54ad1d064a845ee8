//! An import between two files, as `rust_modules` and `script_imports` find it and `circles` follows it.

/// An import of one file by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) line: usize,
}
