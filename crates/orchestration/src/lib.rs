//! Runs: verify all tokens, decide which are dead, sign in for those one after the other, keep every step on disk.
//! How a token is made is `services`' business; what the operator sees is the apps'.

mod async_token_orchestrator;
mod cooldown_manager;
mod recovery;
mod resume_orchestrator;
mod run_progress;
mod turns;

pub use async_token_orchestrator::{AsyncTokenOrchestrator, Confirmation, RunHandle, Verification};
pub use cooldown_manager::CooldownManager;
pub use resume_orchestrator::{OrchestrationPorts, ResumeOrchestrator, RunError};
pub use turns::Patience;
