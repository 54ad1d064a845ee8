//! Starting and ending one simulator: the listener, the task that serves it, and a shutdown that always ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Connection, CuttableListener},
    http::{self, Shared},
    seed::Seed,
};

/// How long open connections may finish at a shutdown before they are cut.
const GRACE: Duration = Duration::from_millis(500);

/// A running simulator. Dropping it ends it at once; [`Simulator::shutdown`] lets open answers finish.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    stop: CancellationToken,
    cut_all: CancellationToken,
    serving: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Starts on `listen` (port 0 picks a free port) with the accounts of `seed`.
    /// Fails when the seed makes no sense or the address cannot be bound.
    pub async fn start(listen: SocketAddr, seed: Seed) -> anyhow::Result<Simulator> {
        seed.check().context("the seed cannot be used")?;
        let tcp = TcpListener::bind(listen)
            .await
            .with_context(|| format!("could not listen on {listen}"))?;
        let address = tcp.local_addr().context("the listener has no address")?;
        let (stop, cut_all) = (CancellationToken::new(), CancellationToken::new());
        let listener = CuttableListener {
            tcp,
            cut_all: cut_all.clone(),
        };
        let shared = Arc::new(Shared::new(seed));
        let service = http::router(Arc::clone(&shared)).into_make_service_with_connect_info::<Connection>();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service)
                .with_graceful_shutdown(stopped)
                .await
            {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(Simulator {
            address,
            stop,
            cut_all,
            serving,
            shared,
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches the simulated human on for every account, with `delay` before each step.
    pub fn simulate_humans(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        for account in &mut self.shared.world().accounts {
            account.human.enabled = true;
            account.human.delay_ms = delay_ms;
        }
    }

    /// Ends the simulator: no new connections, half a second for open answers, then every connection is cut.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if timeout(GRACE, &mut self.serving).await.is_err() {
            self.cut_all.cancel();
            if timeout(GRACE, &mut self.serving).await.is_err() {
                self.serving.abort();
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut_all.cancel();
    }
}
