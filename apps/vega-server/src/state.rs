//! What the server keeps in memory: the dashboard and its event stream, open prompts, requested runs, and the last
//! readiness report. What is stored is decided in the crates below.

pub(crate) mod dashboard;
pub(crate) mod dashboard_refresh;
pub(crate) mod stream_event;

pub(crate) mod notices;
pub(crate) mod prompt_queue;
pub(crate) mod prompt_view;

pub(crate) mod current_run;
pub(crate) mod run_request;
pub(crate) mod shown_consumers;

pub(crate) mod readiness;
