//! Reports of tokens that Upstox refused, through Vega's own service for that. It is made at the first report: making an HTTP client reads
//! all certificates of the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use url::Url;
use vega_client::{Error, Verdict};
use vega_domain::event::Event;
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::{Clock, EventSink, UpstoxTokenRepository};
use vega_persistence::{DataSource, SqlAuditTrail};
use vega_services::{
    HotTokenRegistry, ProfileVerificationService, RegistryScope, RejectionPorts, RejectionService,
    ReportError, ReportedToken,
};
use vega_upstox::{ClientError, HttpClient, LastPriceClient, ProfileVerifier};

/// For one call to Upstox.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Reports come one by one.
const PARALLEL: usize = 6;

pub(crate) struct Reports {
    pub(crate) data: DataSource,
    pub(crate) tokens: Arc<dyn UpstoxTokenRepository>,
    pub(crate) registry: Arc<HotTokenRegistry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) upstox: Url,
    /// Who reports, for the audit trail.
    pub(crate) who: String,
    pub(crate) service: OnceCell<RejectionService>,
}

/// What Vega's programs show of a check; here nobody looks.
pub(crate) struct Unseen;

impl EventSink for Unseen {
    fn emit(&self, _event: Event) {}
}

impl Reports {
    pub(crate) async fn report(&self, api: &ApiName, generation: Generation) -> Result<Verdict, Error> {
        let service = self
            .service
            .get_or_try_init(async || self.make_service().await)
            .await?;
        let answer = service
            .report(api, generation, &self.who)
            .await
            .map_err(refused)?;
        Ok(match answer.token {
            ReportedToken::Alive => Verdict::Alive,
            ReportedToken::Dead => Verdict::Dead,
            ReportedToken::Newer => Verdict::Newer,
            ReportedToken::Unknown(failure) => {
                tracing::warn!(%api, %generation, %failure, "Upstox did not say whether a reported token is good");
                Verdict::Unknown
            }
        })
    }

    async fn make_service(&self) -> Result<RejectionService, Error> {
        let upstox = self.upstox.clone();
        let made = tokio::task::spawn_blocking(move || clients(&upstox)).await;
        let (profiles, prices) = made.map_err(|_| Error::Ended)?.map_err(|error| Error::Setup {
            words: error.to_string(),
        })?;
        let verification = ProfileVerificationService::new(
            Arc::new(profiles),
            Arc::new(prices),
            Arc::clone(&self.tokens),
            Arc::clone(&self.registry),
            Arc::new(Unseen),
            Arc::clone(&self.clock),
            PARALLEL,
        );
        Ok(RejectionService::new(RejectionPorts {
            scope: RegistryScope::Everything,
            tokens: Arc::clone(&self.tokens),
            verification: Arc::new(verification),
            registry: Arc::clone(&self.registry),
            audit: Arc::new(SqlAuditTrail::new(self.data.clone())),
            clock: Arc::clone(&self.clock),
        }))
    }
}

fn clients(upstox: &Url) -> Result<(ProfileVerifier, LastPriceClient), ClientError> {
    let http = HttpClient::new()?;
    let profiles = ProfileVerifier::new(&http, upstox, TIMEOUT)?;
    let prices = LastPriceClient::new(&http, upstox, TIMEOUT)?;
    Ok((profiles, prices))
}

fn refused(error: ReportError) -> Error {
    let words = error.to_string();
    match error {
        ReportError::UnknownApi(api) => Error::UnknownApi {
            api: api.to_string(),
            words,
        },
        ReportError::Future { .. } => Error::Unexpected { words },
        ReportError::Store(_) | ReportError::BrokenOff => Error::Unreachable { words },
    }
}
