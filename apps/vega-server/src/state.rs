//! What the server keeps in memory: the dashboard projection and its event stream, open prompts, and requested runs. What is
//! kept on disk is decided in the crates below.

pub(crate) mod dashboard;
pub(crate) mod notices;
pub(crate) mod prompt_queue;
pub(crate) mod run_request;
pub(crate) mod stream_event;
