//! What is kept of a failed sign-in, as people read it. What may be kept, and of which pages there is a picture, is
//! decided in the sign-in adapters.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::ids::ApiName;

/// One failed sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvidence {
    /// Its name, by which its picture is asked for.
    pub id: String,
    /// When the sign-in failed.
    pub at: DateTime<Utc>,
    /// The API of the sign-in.
    pub api: ApiName,
    /// The code of the reason; another version of Vega may have written it.
    pub reason: String,
    /// The file of the record.
    pub record: PathBuf,
    /// Whether there is a picture of the page.
    pub has_picture: bool,
    /// The facts in the record.
    pub facts: Vec<Fact>,
}

/// A fact in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The subject of the fact.
    pub about: &'static str,
    /// The text of the fact; it may come from a page.
    pub says: String,
}
