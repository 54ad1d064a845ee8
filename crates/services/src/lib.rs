//! Services on top of the domain's rules, over ports alone: whether a stored token is good, verifying it with Upstox, making a
//! new one, keeping it in memory for readers, the evidence of failures, who may call the server, and which programs use tokens. `orchestration` decides
//! which token is made when.

mod access_service;
mod adoption_service;
mod backoff;
mod capped_refusals;
mod consumer_service;
mod evidence_service;
mod file_delivery_service;
mod hot_token_registry;
mod otp_allowances;
mod profile_retry;
mod profile_verification_service;
mod refusals;
mod registry_follower;
mod rejection_service;
mod revocation_service;
mod staleness;
#[cfg(test)]
mod test_builders;
mod token_generation_service;
mod token_validity_service;

pub use access_service::{AccessError, AccessService};
pub use adoption_service::{Adopted, AdoptionError, AdoptionPorts, AdoptionService, GivenToken};
pub use capped_refusals::CappedRefusals;
pub use consumer_service::{Connection, ConsumerService, KnownConsumer};
pub use evidence_service::EvidenceService;
pub use file_delivery_service::{FileDeliveryPorts, FileDeliveryService, FileOverview, Inspection, Round};
pub use hot_token_registry::{HotToken, HotTokenRegistry, TokenReader};
pub use otp_allowances::otp_allowances;
pub use profile_verification_service::ProfileVerificationService;
pub use registry_follower::{RegistryFollower, RegistryScope};
pub use rejection_service::{RejectionAnswer, RejectionPorts, RejectionService, ReportError, ReportedToken};
pub use revocation_service::{Revocation, RevocationError, RevocationPorts, RevocationService};
pub use token_generation_service::{GenerationPorts, Recovered, StepRecorder, TokenGenerationService};
pub use token_validity_service::{TokenValidityService, servable_of};
