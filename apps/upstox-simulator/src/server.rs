//! Starting and ending one simulator: the listeners, the tasks that serve them, and a shutdown that always ends.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::serve::Listener;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Connection, CuttableListener},
    http::{self, Shared},
    seed::Seed,
    tls::{TestAuthority, TlsListener},
};

/// How long open connections may finish at a shutdown before they are cut.
const GRACE: Duration = Duration::from_millis(500);

/// A running simulator. Dropping it ends it at once; [`Simulator::shutdown`] lets open answers finish.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    stop: CancellationToken,
    cut_all: CancellationToken,
    serving: JoinSet<()>,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Starts on `listen` (port 0 picks a free port) with the accounts of `seed`.
    /// Fails when the seed makes no sense or the address cannot be bound.
    pub async fn start(listen: SocketAddr, seed: Seed) -> anyhow::Result<Simulator> {
        seed.check().context("the seed cannot be used")?;
        let cut_all = CancellationToken::new();
        let listener = bind(listen, &cut_all).await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let mut simulator = Simulator {
            address,
            stop: CancellationToken::new(),
            cut_all,
            serving: JoinSet::new(),
            shared: Arc::new(Shared::new(seed)),
        };
        let service = http::router(Arc::clone(&simulator.shared));
        let service = service.into_make_service_with_connect_info::<Connection>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(simulator.stopped());
        simulator.serving.spawn(until_stopped(serving.into_future()));
        Ok(simulator)
    }

    /// Serves the same on one more address over TLS, under the broker's own host names. Where it listens then.
    pub async fn serve_tls(
        &mut self,
        listen: SocketAddr,
        authority: &TestAuthority,
    ) -> anyhow::Result<SocketAddr> {
        let listener = bind(listen, &self.cut_all).await?;
        let listener = TlsListener::new(listener, authority).context("the listener has no address")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let service = http::router(Arc::clone(&self.shared));
        let service = service.into_make_service_with_connect_info::<Connection>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(self.stopped());
        self.serving.spawn(until_stopped(serving.into_future()));
        Ok(address)
    }

    fn stopped(&self) -> impl Future<Output = ()> + use<> {
        self.stop.clone().cancelled_owned()
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
        if timeout(GRACE, self.ended()).await.is_err() {
            self.cut_all.cancel();
            // What has not ended then is ended when it is dropped.
            timeout(GRACE, self.ended()).await.ok();
        }
    }

    async fn ended(&mut self) {
        while self.serving.join_next().await.is_some() {}
    }
}

async fn bind(listen: SocketAddr, cut_all: &CancellationToken) -> anyhow::Result<CuttableListener> {
    let tcp = TcpListener::bind(listen)
        .await
        .with_context(|| format!("could not listen on {listen}"))?;
    Ok(CuttableListener {
        tcp,
        cut_all: cut_all.clone(),
    })
}

async fn until_stopped(serving: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "the simulator stopped serving");
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut_all.cancel();
    }
}
