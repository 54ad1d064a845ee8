//! The stored tokens in memory, and the task that keeps them in step with the database. It ends with the last handle.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use vega_persistence::DataSource;
use vega_services::{HotTokenRegistry, RegistryFollower};

use crate::reports::Reports;

pub(crate) struct Store {
    pub(crate) registry: Arc<HotTokenRegistry>,
    pub(crate) follower: Arc<RegistryFollower>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) runtime: Handle,
    data: DataSource,
    following: AbortHandle,
    ended: watch::Receiver<bool>,
    ends: Arc<Ends>,
}

/// Tells that nobody follows the database any more.
struct Ends(watch::Sender<bool>);

/// Tells it when the task ends, however that comes.
struct EndsWithTheTask(Arc<Ends>);

impl Drop for EndsWithTheTask {
    fn drop(&mut self) {
        self.0.0.send_replace(true);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Store {
    /// Follows the database in this runtime.
    pub(crate) fn follow(
        data: DataSource,
        registry: Arc<HotTokenRegistry>,
        follower: RegistryFollower,
        reports: Reports,
        runtime: Handle,
    ) -> Self {
        let (sender, ended) = watch::channel(false);
        let (ends, follower) = (Arc::new(Ends(sender)), Arc::new(follower));
        let (guard, task) = (EndsWithTheTask(Arc::clone(&ends)), Arc::clone(&follower));
        let following = runtime.spawn(async move {
            let _guard = guard;
            task.follow().await
        });
        Self {
            registry,
            follower,
            reports: Arc::new(reports),
            runtime,
            data,
            following: following.abort_handle(),
            ended,
            ends,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Becomes true, once.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    pub(crate) async fn close(&self) {
        self.ends.0.send_replace(true);
        self.following.abort();
        self.data.close().await;
    }
}
