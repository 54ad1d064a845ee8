//! Every secret that was given out or came in, kept for ever: a test that searches for leaks must know what to look for.
//! The OTPs are the phone's messages.

use std::collections::HashMap;

use serde::Serialize;

/// In the order in which they arose.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Secrets {
    pub(crate) states: Vec<String>,
    pub(crate) codes: Vec<String>,
    pub(crate) access_tokens: Vec<String>,
    pub(crate) extended_tokens: Vec<String>,
    pub(crate) issued: Vec<Issued>,
    /// Of each code that a dialog with a `state` led to.
    #[serde(skip)]
    pub(crate) state_of_code: HashMap<String, String>,
}

/// Which code became which token, and which dialog it came from.
#[derive(Debug, Serialize)]
pub(crate) struct Issued {
    pub(crate) app: String,
    pub(crate) code: String,
    pub(crate) access_token: String,
    pub(crate) state: Option<String>,
}
