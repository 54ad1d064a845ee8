//! Calls of the file system, which nobody knows how long they take.

use tokio::task::spawn_blocking;

/// Off the threads that answer programs.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
}
