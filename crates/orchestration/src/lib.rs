//! Runs: verify all tokens, decide which are dead, sign in for those one after the other, keep every step on disk.
//! How a token is made is `services`' business; what the operator sees is the apps'.

mod async_token_orchestrator;
mod generation;
mod preflight;

mod resume_orchestrator;

mod run_start;

mod account_scheduler;
mod retry_policy;
mod step_executor;

mod run_recovery;

mod run_context;
mod run_error;
mod run_handle;
mod run_progress;
mod run_queries;

mod between_runs;
mod cooldown_manager;
mod overview_service;
mod scheduled_checks;
mod spool_import;
mod upkeep;

mod event_hub;
mod ports;

pub use async_token_orchestrator::{AsyncTokenOrchestrator, Confirmation, Verification};
pub use between_runs::{NotBetweenRuns, between_runs};
pub use cooldown_manager::CooldownManager;
pub use event_hub::EventHub;
pub use generation::{FinishedRun, GenerationRequest, Outcome, Stage, unreachable_words};
pub use overview_service::OverviewService;
pub use ports::OrchestrationPorts;
pub use preflight::PreflightError;
pub use resume_orchestrator::ResumeOrchestrator;
pub use retry_policy::WaitPolicy;
pub use run_error::RunError;
pub use run_handle::RunHandle;
pub use run_queries::RunQueries;
pub use run_recovery::LeftOver;
pub use scheduled_checks::ScheduledChecks;
pub use spool_import::import_under_lease;
pub use upkeep::Upkeep;
