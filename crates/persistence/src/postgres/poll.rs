//! News of commits for the whole process: one connection that listens, and a question each second that finds what no notification
//! told. A notification is a hint; what is there now is the truth. For the spool beside the database, modification times are
//! compared.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use sqlx::postgres::{PgListener, PgNotification, PgPool};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::postgres::connection::CONNECT;
#[cfg(feature = "injected-defects")]
use crate::postgres::injected_defects::InjectedDefect;
use crate::postgres::installation_clock::{ClockOffset, InstallationClock};
use crate::postgres::primary::Primary;
use crate::postgres::session::PgSession;
use crate::spool::slots::Spool;
use vega_domain::ports::Clock;

/// What commits notify on.
const CHANNEL: &str = "vega";
/// For the answer to the question of each second.
const ANSWER: Duration = Duration::from_secs(2);
/// Half of the delay that the port `TokenChanges` promises for what lies in files.
const LOOK_INTO_FILES_EVERY: Duration = Duration::from_millis(50);
/// In looks into files: the question to the database, each second.
const ASK_EVERY: u32 = 20;
/// Whether another server has taken the place of the one that is used, at another host or at the same name.
const LOOK_AT_OTHERS_EVERY: Duration = Duration::from_secs(5);
/// Before the next try after the connection was lost.
const PAUSE: Duration = Duration::from_millis(250);

/// A number that grows with each commit that changes what is served, whoever makes it; who has the lease, as long as somebody has; and the
/// time.
const STATE: &str =
    "SELECT changes, epoch, heartbeat, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros
     FROM (SELECT changes FROM writer WHERE id = 1) AS writer
     LEFT JOIN (SELECT epoch, heartbeat FROM login_lease WHERE id = 1 AND NOT released) AS lease ON true";
/// Looks that are further apart prove no silence: the database may have been away.
const LOOKS_APART: Duration = Duration::from_secs(3);

/// What the database said.
#[derive(Debug, Clone, Copy, FromRow)]
struct Answer {
    changes: i64,
    epoch: Option<i64>,
    heartbeat: Option<i64>,
    micros: i64,
}

/// While this state is the same, no commit was missed.
#[derive(Debug, PartialEq, Eq)]
struct State {
    changes: i64,
    spooled: Vec<(PathBuf, Option<SystemTime>)>,
}

/// A holder of the lease, as it was seen: the same from the first of these looks to the last one.
#[derive(Debug, Clone, Copy)]
struct Heard {
    epoch: i64,
    heartbeat: i64,
    first: Instant,
    last: Instant,
    /// When it last said something while it was looked at.
    spoke: Option<Instant>,
}

impl Heard {
    fn now(answer: &Answer, before: Option<Self>) -> Option<Self> {
        let (epoch, heartbeat, now) = (answer.epoch?, answer.heartbeat?, Instant::now());
        let before = before.filter(|before| before.epoch == epoch);
        let same = before.filter(|before| before.heartbeat == heartbeat && now - before.last <= LOOKS_APART);
        let spoke = match before {
            Some(before) if before.heartbeat != heartbeat => Some(now),
            before => before.and_then(|before| before.spoke),
        };
        Some(Self {
            epoch,
            heartbeat,
            first: same.map_or(now, |same| same.first),
            last: now,
            spoke,
        })
    }
}

/// The watch over one database.
pub(crate) struct Poll {
    primary: Arc<Primary>,
    spool: Spool,
    offset: Arc<ClockOffset>,
    /// The time of the installation, once it is known.
    clock: OnceLock<Arc<dyn Clock>>,
    /// `None` before the first look, and while the database does not answer.
    seen: Mutex<Option<State>>,
    heard: std::sync::Mutex<Option<Heard>>,
    changes: watch::Sender<u64>,
    is_looking: AtomicBool,
    is_closed: AtomicBool,
}

/// Without the options, which show the password.
impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll")
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

impl Poll {
    pub(crate) fn new(primary: Arc<Primary>, spool: Spool) -> Arc<Self> {
        Arc::new(Self {
            primary,
            spool,
            offset: Arc::default(),
            clock: OnceLock::new(),
            seen: Mutex::default(),
            heard: std::sync::Mutex::default(),
            changes: watch::Sender::new(0),
            is_looking: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        })
    }

    /// The database's time, measured once now and again with each answer.
    pub(crate) async fn installation_clock(
        &self,
        machine: Arc<dyn Clock>,
    ) -> Result<Arc<dyn Clock>, sqlx::Error> {
        self.offset.of(Arc::clone(&machine));
        if self.ask_beside().await.is_none() {
            return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        }
        Ok(Arc::new(InstallationClock::new(
            machine,
            Arc::clone(&self.offset),
        )))
    }

    /// What the database dates by itself has the time of this clock from now on.
    pub(crate) fn goes_by(&self, clock: Arc<dyn Clock>) {
        let _ = self.clock.set(clock);
    }

    /// The time of the installation, where it is known already.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.clock.get().map(|clock| clock.now())
    }

    /// How long nothing was heard of this holder of the lease, as far as this process looked. `None` where it was not looked at, or
    /// said something since.
    pub(crate) fn silence_of(&self, epoch: i64, heartbeat: i64) -> Option<Duration> {
        let heard = (*self.heard())?;
        ((heard.epoch, heard.heartbeat) == (epoch, heartbeat)).then(|| heard.last - heard.first)
    }

    /// Whether this holder of the lease said something within so long, while this process looked.
    pub(crate) fn spoke_within(&self, epoch: i64, time: Duration) -> bool {
        let spoke = self.heard().filter(|heard| heard.epoch == epoch);
        spoke
            .and_then(|heard| heard.spoke)
            .is_some_and(|spoke| spoke.elapsed() <= time)
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Option<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what changes from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Looks now, in a task of its own: a caller that is not polled for a while holds nobody up. Returns whether somebody goes
    /// on looking; then all subscribers are told of what changes.
    pub(crate) async fn look_now(self: &Arc<Self>) -> bool {
        let poll = Arc::clone(self);
        let look = async move {
            let answer = poll.ask_beside().await;
            poll.compare(answer).await
        };
        let answered = tokio::spawn(look).await;
        // Also where it did not answer: whoever listens looks which server takes the writes.
        let goes_on = self.goes_on();
        answered.unwrap_or(false) && goes_on
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.tell();
    }

    /// Begins to listen, or begins again where that ended.
    fn goes_on(self: &Arc<Self>) -> bool {
        if self.is_closed.load(Ordering::Acquire) {
            return false;
        }
        if !self.is_looking.swap(true, Ordering::AcqRel) {
            let looking = Looking(Arc::downgrade(self));
            tokio::spawn(look_at_others(Arc::downgrade(self)));
            tokio::spawn(async move { listen_again_and_again(&looking.0).await });
        }
        true
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The same on a connection of those who read: one that does not answer in time is closed.
    async fn ask_beside(&self) -> Option<Answer> {
        let connections = self.primary.connections().ok()?;
        let mut session = PgSession::acquire(&connections.reader, connections.history, ANSWER)
            .await
            .ok()?;
        let asked = session.ask(async |connection| Ok(self.ask(connection).await));
        asked.await.ok().flatten()
    }

    /// Asks the question, and measures the clocks by its answer.
    async fn ask<'c>(&self, database: impl sqlx::Executor<'c, Database = sqlx::Postgres>) -> Option<Answer> {
        let before = self.offset.machine_micros();
        let answer: Answer = within(patience(), sqlx::query_as(STATE).fetch_one(database)).await?;
        self.offset
            .measured(before, answer.micros, self.offset.machine_micros());
        Some(answer)
    }

    /// Tells all subscribers if something changed since the last look. Returns whether the database answered.
    async fn compare(&self, answer: Option<Answer>) -> bool {
        let mut seen = self.seen.lock().await;
        let state = answer.map(|answer| State {
            changes: answer.changes,
            spooled: self.spool.written(),
        });
        if let Some(answer) = answer {
            let mut heard = self.heard();
            *heard = Heard::now(&answer, *heard);
        }
        let answered = state.is_some();
        #[cfg(feature = "injected-defects")]
        if InjectedDefect::NoLookAfterReconnect.is_in_force() && (seen.is_none() || !answered) {
            *seen = state;
            return answered;
        }
        if *seen != state || !answered {
            *seen = state;
            self.tell();
        }
        answered
    }

    /// Tells all subscribers if something was written to the spool.
    async fn look_into_files(&self) {
        let spooled = self.spool.written();
        let mut seen = self.seen.lock().await;
        if let Some(seen) = &mut *seen
            && seen.spooled != spooled
        {
            seen.spooled = spooled;
            self.tell();
        }
    }
}

/// Who listens. However that ends, those who wait are told, so that they ask once more and it begins anew.
struct Looking(Weak<Poll>);

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(poll) = self.0.upgrade() {
            poll.is_looking.store(false, Ordering::Release);
            poll.tell();
        }
    }
}

/// The answer, if it comes in time.
async fn within<T>(time: Duration, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Option<T> {
    match timeout(time, answer).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the database has no news");
            None
        }
        Err(_) => None,
    }
}

/// For the answer to the question.
fn patience() -> Duration {
    #[cfg(feature = "injected-defects")]
    if InjectedDefect::PollWithoutDeadline.is_in_force() {
        return Duration::MAX;
    }
    ANSWER
}

/// How many looks into files lie between two questions.
fn ask_every() -> u32 {
    #[cfg(feature = "injected-defects")]
    if InjectedDefect::NoPoll.is_in_force() || InjectedDefect::RecvTrusted.is_in_force() {
        return u32::MAX;
    }
    ASK_EVERY
}

async fn listen_again_and_again(poll: &Weak<Poll>) {
    loop {
        let Some((replaced, connections)) = poll.upgrade().map(|poll| {
            // In this order: a change in between is told.
            (poll.primary.replaced(), poll.primary.connections())
        }) else {
            return;
        };
        if let Ok(connections) = connections {
            // A pool of its own, which goes with the connection: what the connection had not read yet is nobody's.
            let own = connections.to_listen();
            drop(connections);
            if listen(poll, &own, replaced).await.is_none() {
                return;
            }
        }
        // Whatever ended it, another server may take the writes by now.
        loop {
            sleep(PAUSE).await;
            let Some(poll) = poll.upgrade() else { return };
            if poll.is_closed.load(Ordering::Acquire) {
                return;
            }
            let Err(why) = poll.primary.look_again().await else {
                break;
            };
            tracing::debug!("{why}");
            poll.compare(None).await;
        }
    }
}

/// A server may take writes for a while yet when another one has taken its place, and what it takes then is lost.
async fn look_at_others(poll: Weak<Poll>) {
    loop {
        sleep(LOOK_AT_OTHERS_EVERY).await;
        let Some(poll) = poll.upgrade() else { return };
        if poll.is_closed.load(Ordering::Acquire) || !poll.is_looking.load(Ordering::Acquire) {
            return;
        }
        if let Err(why) = poll.primary.look_again().await {
            tracing::debug!("{why}");
        }
    }
}

/// The next notification, or that the connection is lost.
async fn hear(listener: &mut PgListener) -> Result<Option<PgNotification>, sqlx::Error> {
    #[cfg(feature = "injected-defects")]
    if InjectedDefect::RecvTrusted.is_in_force() {
        loop {
            if let Ok(notification) = listener.recv().await {
                return Ok(Some(notification));
            }
            sleep(PAUSE).await;
        }
    }
    listener.try_recv().await
}

/// Listens until the connection is lost. `None` when nobody needs it any more.
async fn listen(poll: &Weak<Poll>, connections: &PgPool, mut replaced: watch::Receiver<()>) -> Option<()> {
    let connected = async {
        let mut listener = PgListener::connect_with(connections).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    let Some(mut listener) = within(CONNECT, connected).await else {
        poll.upgrade()?.compare(None).await;
        return Some(());
    };
    let mut ticks = interval(LOOK_INTO_FILES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // First what was committed before it listened.
    let mut asks_in = 0;
    loop {
        tokio::select! {
            notified = hear(&mut listener) => {
                let poll = poll.upgrade()?;
                // After anything but a notification this connection says nothing more.
                if !matches!(notified, Ok(Some(_))) {
                    poll.compare(None).await;
                    return Some(());
                }
                let answer = poll.ask(&mut listener).await;
                if !poll.compare(answer).await {
                    return Some(());
                }
            }
            _ = replaced.changed() => {
                poll.upgrade()?.compare(None).await;
                return Some(());
            }
            _ = ticks.tick() => {
                let poll = poll.upgrade()?;
                if poll.is_closed.load(Ordering::Acquire) {
                    return None;
                }
                if asks_in > 0 {
                    asks_in -= 1;
                    poll.look_into_files().await;
                    continue;
                }
                asks_in = ask_every();
                let answer = poll.ask(&mut listener).await;
                if !poll.compare(answer).await {
                    return Some(());
                }
            }
        }
    }
}
