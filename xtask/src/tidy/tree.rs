//! The repository's text files: those that git tracks, and new ones that it does not ignore.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell;

/// A text file, its path relative to the workspace's folder and written with `/`.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// What follows the last dot of its name; empty without one.
    pub(crate) fn extension(&self) -> &str {
        extension(&self.path)
    }

    /// Written by a program, so that rules for authors do not hold.
    pub(crate) fn is_generated(&self) -> bool {
        is_generated(&self.path)
    }

    #[cfg(test)]
    pub(crate) fn made_up(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Whether a program writes what lies at this path.
pub(crate) fn is_generated(path: &str) -> bool {
    path.ends_with(".gen.ts")
        || extension(path) == "snap"
        || path.split('/').any(|folder| folder == "generated")
}

pub(crate) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The paths of all files, texts or not.
pub(crate) fn names(root: &Path) -> Result<Vec<String>> {
    let names = shell::output(
        root,
        "git",
        &["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    )
    .context("tidy asks git which files there are: run it inside a clone of the repository")?;
    let mut names: Vec<String> = names.split_terminator('\0').map(String::from).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| root.join(name).is_file());
    Ok(names)
}

/// Reads those that are texts. What is not UTF-8 is none, and what `names` lists may be gone by now.
pub(crate) fn read(root: &Path, names: &[String]) -> Result<Vec<File>> {
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let bytes = match std::fs::read(root.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File {
                path: name.clone(),
                text,
            });
        }
    }
    Ok(files)
}
