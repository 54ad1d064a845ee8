//! How it is found out who else may change a folder or a file. The answer is the caller's to give.

use std::path::Path;

/// How to find out who else may change a place. Each answers with what is wrong.
#[derive(Debug, Clone, Copy)]
pub struct OthersMayChange {
    /// For a folder in which files are made.
    pub folder: fn(&Path) -> Result<(), String>,
    /// For a file that is read.
    pub file: fn(&Path) -> Result<(), String>,
}
