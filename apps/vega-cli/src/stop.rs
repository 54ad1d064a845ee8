//! Ctrl-C, SIGTERM and a terminal that is closed, from the start of the program to its end. Until a run has begun nothing can be
//! lost, so the command is dropped. A run ends itself, and stores what is on its way.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// How long the end of the program waits for what a stopped command left behind.
pub(crate) const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// How often the program was asked to stop, and who has to do it.
#[derive(Debug)]
pub(crate) struct Stop {
    times: watch::Receiver<u32>,
    is_the_runs: AtomicBool,
}

impl Stop {
    /// Listens from now on. Needs a runtime.
    pub(crate) fn listen() -> Self {
        let (asked, times) = watch::channel(0);
        tokio::spawn(count(asked));
        Self {
            times,
            is_the_runs: AtomicBool::new(false),
        }
    }

    /// Waits until the program was asked so often.
    pub(crate) async fn asked(&self, times: u32) {
        let mut asked = self.times.clone();
        if asked.wait_for(|asked| *asked >= times).await.is_err() {
            // Nobody can ask.
            pending::<()>().await;
        }
    }

    /// From now on a run ends itself.
    pub(crate) fn leave_to_the_run(&self) {
        self.is_the_runs.store(true, Ordering::Relaxed);
    }

    /// Never ends once it was left to the run.
    pub(crate) async fn unless_left_to_the_run(&self) {
        if self.is_the_runs.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn count(asked: watch::Sender<u32>) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        asked.send_modify(|times| *times += 1);
    }
}

#[cfg(not(unix))]
async fn count(asked: watch::Sender<u32>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        asked.send_modify(|times| *times += 1);
    }
}
