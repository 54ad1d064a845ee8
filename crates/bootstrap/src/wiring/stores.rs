//! Wires durable state: the repositories over one open database, with the spool as fallback for those whose records
//! must not be lost when the database fails.

use std::sync::Arc;

use vega_domain::ports::{
    Clock, CodeDelivery, EventSink, LoginLease, OtpLedger, SignInAttempts, UpstoxTokenRepository,
};
use vega_orchestration::import_under_lease;
use vega_persistence::{
    DataSource, FileTokenSpool, SpoolingSignInAttempts, SpoolingTokenRepository, SqlAccessRepository,
    SqlAuditTrail, SqlConsumers, SqlCooldownRepository, SqlExecutionStateRepository, SqlSignInJournal,
    SqlTokenRepository,
};

/// The repositories of one installation.
pub(crate) struct Stores {
    pub(crate) tokens: Arc<dyn UpstoxTokenRepository>,
    pub(crate) adoption: Arc<SqlTokenRepository>,
    pub(crate) attempts: Arc<dyn SignInAttempts>,
    pub(crate) otp_ledger: Arc<dyn OtpLedger>,
    pub(crate) codes: Arc<dyn CodeDelivery>,
    pub(crate) spool: Arc<FileTokenSpool>,
    pub(crate) runs: Arc<SqlExecutionStateRepository>,
    pub(crate) cooldowns: Arc<SqlCooldownRepository>,
    pub(crate) audit: Arc<SqlAuditTrail>,
    pub(crate) lease: Arc<dyn LoginLease>,
    pub(crate) access: Arc<SqlAccessRepository>,
    pub(crate) consumers: Arc<SqlConsumers>,
}

impl Stores {
    /// Builds the repositories over an open database. First moves what is left in the spool into the database, if the
    /// database accepts that and nobody signs in.
    pub(crate) async fn over(
        data: &DataSource,
        spool: FileTokenSpool,
        clock: &Arc<dyn Clock>,
        events: &Arc<dyn EventSink>,
    ) -> Self {
        let lease = data.login_lease(Arc::clone(clock));
        if let Err(error) = import_under_lease(&spool, &*lease, clock.now()).await {
            tracing::error!(%error, "the database still does not take what is in the spool; it stays there");
        }
        let tokens = SqlTokenRepository::new(data.clone());
        let journal = Arc::new(SqlSignInJournal::new(data.clone()));
        Self {
            adoption: Arc::new(tokens.clone()),
            tokens: Arc::new(SpoolingTokenRepository::new(
                tokens,
                spool.clone(),
                Arc::clone(events),
            )),
            attempts: Arc::new(SpoolingSignInAttempts::new(
                journal.clone(),
                spool.clone(),
                Arc::clone(events),
            )),
            otp_ledger: journal.clone(),
            codes: journal,
            spool: Arc::new(spool),
            runs: Arc::new(SqlExecutionStateRepository::new(data.clone())),
            cooldowns: Arc::new(SqlCooldownRepository::new(data.clone())),
            audit: Arc::new(SqlAuditTrail::new(data.clone())),
            lease,
            access: Arc::new(SqlAccessRepository::new(data.clone())),
            consumers: Arc::new(SqlConsumers::new(data.clone())),
        }
    }
}
