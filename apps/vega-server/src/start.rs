//! Makes the server when its database is there; until then it is tried again and again, or the program is asked to stop.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vega_bootstrap::{Environment, PortDecorator, Settings, StartError, Vega, database_is_reached};
use vega_domain::event::Event;
use vega_domain::ports::{EventSink, StoreError};
use vega_listening::ServerTls;

use crate::http::allowed_hosts::AllowedHosts;
use crate::server::Server;
use crate::state::prompt_queue::PromptQueue;
use crate::state::{dashboard_refresh, shown_consumers};

/// Before the next try of a start that a database on a server broke off.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What a server is made of.
pub(crate) struct Start<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) decorator: &'a Arc<dyn PortDecorator>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) allowed_hosts: Arc<AllowedHosts>,
    pub(crate) stop: CancellationToken,
}

impl Start<'_> {
    /// The server, when its database is there, and whether that is mistrusted. `None` where it was asked to stop first.
    pub(crate) async fn server(
        &self,
        asked_to_stop: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<Option<(Arc<Server>, bool)>> {
        let settings = self.settings;
        let prompts = Arc::new(PromptQueue::new(settings.human_timeout));
        let start = || {
            Vega::start(
                settings.clone(),
                self.environment.clone(),
                prompts.clone(),
                Arc::new(NoSink),
                Arc::clone(self.decorator),
            )
        };
        let Some(vega) = when_reached(settings, asked_to_stop, start).await? else {
            return Ok(None);
        };
        let mistrust = vega.maintenance.mistrust().await?;
        if let Some(mistrust) = &mistrust {
            tracing::error!("{mistrust}");
        }
        let machine = id_of_this_machine(&vega).await?;
        let mut server = Server::new(
            vega,
            prompts,
            Arc::clone(&self.allowed_hosts),
            settings.server.url_for_others(),
            self.tls.clone(),
            self.metrics.clone(),
            self.stop.clone(),
        );
        server.machine = machine;
        let server = Arc::new(server);
        // In a database that does not count nobody gets anything.
        if mistrust.is_none() {
            server.vega.consumers.catch_up().await?;
        }
        dashboard_refresh::fill(&server).await?;
        shown_consumers::show(&server);
        Ok(Some((server, mistrust.is_some())))
    }
}

/// Where several share the database. Without it a stop of one of this machine's programs would not be found.
async fn id_of_this_machine(vega: &Vega) -> Result<Option<String>, StoreError> {
    if !vega.settings.database_url.starts_with("postgres") {
        return Ok(None);
    }
    let mut machines = vega.maintenance.machines().await?.into_iter();
    let this_one = machines.find(|machine| machine.is_this_one);
    Ok(this_one.and_then(|machine| machine.id))
}

/// Event streams and metrics subscribe to the event hub; no other sink is needed.
struct NoSink;

impl EventSink for NoSink {
    fn emit(&self, _event: Event) {}
}

/// Starts when the database is there, and again where it went away meanwhile. `None` where it was asked to stop first.
async fn when_reached<F: Future<Output = Result<Vega, StartError>>>(
    settings: &Settings,
    mut asked_to_stop: Pin<&mut impl Future<Output = ()>>,
    start: impl Fn() -> F,
) -> Result<Option<Vega>, StartError> {
    loop {
        tokio::select! {
            biased;
            () = &mut asked_to_stop => return Ok(None),
            reached = database_is_reached(settings) => reached?,
        }
        match start().await {
            Err(away) if away.is_away() => tracing::warn!("{away}"),
            started => return started.map(Some),
        }
        tokio::select! {
            biased;
            () = &mut asked_to_stop => return Ok(None),
            () = sleep(TRY_AGAIN) => {}
        }
    }
}
