//! The broker's memory and its rules, without any HTTP: who exists, which logins are open, what was issued.
//! Every operation takes the present as an argument and runs under one lock, so each of them is atomic.

pub(crate) mod access_token;
pub(crate) mod accounts;
pub(crate) mod counters;
pub(crate) mod feeds;
pub(crate) mod login;
pub(crate) mod login_entry;
pub(crate) mod login_steps;
pub(crate) mod page;
pub(crate) mod page_options;
pub(crate) mod phone;
pub(crate) mod scenario;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod vault;
pub(crate) mod world;
