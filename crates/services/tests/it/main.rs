//! The services against in-memory fakes of every port. Those of `TokenGenerationService` write into one log, so that a test
//! can compare the whole order of effects as one list.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

mod access;
mod answers;
mod backoff;
mod cancel;
mod concurrent_reads;
mod consumers;
mod disk;
mod exchange;
mod faults;
mod generation_fixture;
mod order_of_effects;
mod otp_permit;
mod recovery;
mod registry_follower;
mod secrets;
mod sign_in_failures;
mod storage_failures;
