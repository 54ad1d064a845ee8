//! Runs: verify all tokens, decide which are dead, sign in for those one after the other, keep every step on disk.
//! How a token is made is `services`' business; what the operator sees is the apps'.

mod async_token_orchestrator;
mod cooldown_manager;
mod event_hub;
mod recovery;
mod resume_orchestrator;
mod run_handle;
mod run_progress;
mod run_start;
mod scheduled_checks;
mod turns;
mod upkeep;

pub use async_token_orchestrator::{AsyncTokenOrchestrator, Confirmation, Verification};
pub use cooldown_manager::CooldownManager;
pub use event_hub::EventHub;
pub use recovery::LeftOver;
pub use resume_orchestrator::{OrchestrationPorts, ResumeOrchestrator, RunError};
pub use run_handle::RunHandle;
pub use scheduled_checks::ScheduledChecks;
pub use turns::WaitPolicy;
pub use upkeep::Upkeep;
