//! Runs over an in-memory fixture: a database that keeps the ports' contracts, a lease, scripted sign-ins and a broker.
//! All of them write into one log, so that a test can compare a whole run as one list.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod broker;
mod cancel;
mod deciding;
mod event_hub;
mod every_failure;
mod faults;
mod generation;
mod human;
mod joining;
mod lease;
mod left_over;
mod next_steps;
mod not_now;
mod operator;
mod orchestration_fixture;
mod overview;
mod requirements;
mod resuming;
mod scheduled_checks;
mod sessions;
mod settled_meanwhile;
mod sign_ins;
mod spool;
mod stops;
mod upkeep;
mod waits;
