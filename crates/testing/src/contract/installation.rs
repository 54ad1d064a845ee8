//! What is put to the suite: stores that begin empty, as each process opens them.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_domain::ports::{
    AccessKeys, AuditHistory, AuditTrail, CodeDelivery, ConsoleSessions, Consumers, CooldownRepository,
    ExecutionStateRepository, FileDeliveries, LoginLease, OtpLedger, RunHistory, SignInAttempts,
    TokenAdoption, TokenChanges, TokenSpool, UpstoxTokenRepository,
};

use crate::memory_store::MemoryStore;

/// The storage ports as one process has them.
pub struct Stores {
    pub cooldowns: Arc<dyn CooldownRepository>,
    pub deliveries: Arc<dyn FileDeliveries>,
    pub runs: Arc<dyn ExecutionStateRepository>,
    pub run_history: Arc<dyn RunHistory>,
    pub attempts: Arc<dyn SignInAttempts>,
    pub otp_ledger: Arc<dyn OtpLedger>,
    pub codes: Arc<dyn CodeDelivery>,
    pub tokens: Arc<dyn UpstoxTokenRepository>,
    pub adoption: Arc<dyn TokenAdoption>,
    pub keys: Arc<dyn AccessKeys>,
    pub sessions: Arc<dyn ConsoleSessions>,
    pub consumers: Arc<dyn Consumers>,
    pub audit: Arc<dyn AuditTrail>,
    pub history: Arc<dyn AuditHistory>,
    pub spool: Arc<dyn TokenSpool>,
    pub changes: Arc<dyn TokenChanges>,
    pub lease: Arc<dyn LoginLease>,
}

/// One installation of its own: what is stored in it, and the processes that open it.
#[async_trait]
pub trait Installation: Send + Sync + Sized {
    /// With nothing in it.
    async fn fresh() -> Self;

    /// As one more process opens it.
    async fn open(&self) -> Stores;

    /// Whether every commit fails from now on, after its change and before it is durable.
    async fn refuse_commits(&self, refuse: bool);

    /// Whether the spool has no room and takes nothing from now on.
    async fn refuse_spool(&self, refuse: bool);

    /// Somebody changes what is stored of an API's token, so that it does not open any more.
    async fn damage_token(&self, api: &str);

    /// The same with the answer of an attempt.
    async fn damage_answer(&self, attempt: AttemptId);

    /// The same with the record of an access key.
    async fn damage_key(&self, key: AccessKeyId);
}

impl Stores {
    /// All of them in memory.
    pub fn over(store: &Arc<MemoryStore>) -> Self {
        Self {
            cooldowns: store.clone(),
            deliveries: store.clone(),
            runs: store.clone(),
            run_history: store.clone(),
            attempts: store.clone(),
            otp_ledger: store.clone(),
            codes: store.clone(),
            tokens: store.clone(),
            adoption: store.clone(),
            keys: store.clone(),
            sessions: store.clone(),
            consumers: store.clone(),
            audit: store.clone(),
            history: store.clone(),
            spool: store.clone(),
            changes: Arc::new(store.changes()),
            lease: store.clone(),
        }
    }
}
