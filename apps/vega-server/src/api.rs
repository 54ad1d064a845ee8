//! The handlers of the REST API: one file per resource, each with its OpenAPI description.

pub(crate) mod apis;
pub(crate) mod asked_token;
pub(crate) mod audit;
pub(crate) mod audit_export;
pub(crate) mod audit_search;
pub(crate) mod config;
pub(crate) mod consumers;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod no_token;
pub(crate) mod prompts;
pub(crate) mod rejections;
pub(crate) mod runs;
pub(crate) mod session;
pub(crate) mod system;
pub(crate) mod token_events;
