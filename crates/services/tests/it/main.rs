//! `TokenGenerationService` against in-memory fakes of every port. All fakes write into one log, so that a test can
//! compare the whole order of effects as one list.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world should stop there"
)]

mod answers;
mod backoff;
mod cancel;
mod concurrent_reads;
mod database;
mod exchange;
mod order_of_effects;
mod otp_permit;
mod recovery;
mod registry_follower;
mod secrets;
mod sign_in_failures;
mod storage_failures;
mod world;
