//! One file and its deliveries. Each step is safe to be the last one: what is about to be in the file is on record before it is there, and
//! what follows counts as done when that is on record. A command that had succeeded when Vega died before that runs once more.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryState, FailedTry, FileDelivery, TokenVersion, pause_after,
};
use vega_domain::ids::ApiName;
use vega_domain::ports::{Found, StoreError};
use vega_domain::token::StoredToken;
use vega_domain::token_file::{OnExpiry, TokenFile};

use super::ports::FileDeliveryPorts;
use crate::hot_token_registry::HotToken;

/// How often to look whether a file still holds what was delivered: it may be in a folder that a boot empties.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Keeps one file up to date.
pub(super) struct Keeper<'p> {
    ports: &'p FileDeliveryPorts,
    row: Row<'p>,
    /// The latest delivery, as it is here: a database that is away may lack the last change.
    delivery: Option<FileDelivery>,
    /// The entries of changes that are not on record yet.
    untold: Vec<AuditEntry>,
    is_recorded: bool,
    is_away_told: bool,
    start: Start,
}

/// What has to be done once for each start of Vega.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// All of it.
    Began,
    /// What a process left half-made that died is gone.
    Cleared,
    /// What was delivered before was compared with the row too, which may say something else now.
    Compared,
}

/// What `vega.toml` says of the file.
#[derive(Clone, Copy)]
enum Row<'p> {
    Names(&'p TokenFile),
    /// It named it once.
    NamesNoMore,
}

/// What programs get now.
struct Served {
    version: TokenVersion,
    token: Arc<StoredToken>,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is nothing to do.
    UpToDate,
    /// There is nothing to do, ever: `vega.toml` does not name the file, and nothing of it is left.
    Forgotten,
    /// It failed, and is tried again after this.
    Behind(Duration),
}

/// Why a try did not come to its end.
enum Obstacle {
    /// The file, or what goes with it.
    File(DeliveryFailure),
    /// The database. Nothing is begun that it does not take.
    Store(StoreError),
    /// Programs get another token by now, or none: a check may take its time.
    Superseded,
}

impl From<DeliveryFailure> for Obstacle {
    fn from(failure: DeliveryFailure) -> Self {
        Self::File(failure)
    }
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// As deliveries know a version.
pub(super) fn version_of(hot: &HotToken) -> TokenVersion {
    TokenVersion::new(hot.version())
}

impl<'p> Keeper<'p> {
    /// Of a file of `vega.toml`.
    pub(super) fn of(
        ports: &'p FileDeliveryPorts,
        file: &'p TokenFile,
        delivery: Option<FileDelivery>,
    ) -> Self {
        Self::new(ports, Row::Names(file), delivery)
    }

    /// Of one that it named once.
    pub(super) fn of_former(ports: &'p FileDeliveryPorts, delivery: FileDelivery) -> Self {
        Self::new(ports, Row::NamesNoMore, Some(delivery))
    }

    fn new(ports: &'p FileDeliveryPorts, row: Row<'p>, delivery: Option<FileDelivery>) -> Self {
        Self {
            ports,
            row,
            delivery,
            untold: Vec::new(),
            is_recorded: true,
            is_away_told: false,
            start: Start::Began,
        }
    }

    /// Tries again and again, for good, unless the file is forgotten.
    pub(super) async fn go_on(mut self) {
        let mut changes = self.ports.registry.subscribe();
        loop {
            // Before the look, so that no change falls between the two.
            changes.borrow_and_update();
            let seen = self.served().map(|served| served.version);
            let pause = match self.try_now().await {
                Progress::Forgotten => return,
                Progress::UpToDate if self.is_recorded => LOOK_AGAIN,
                Progress::UpToDate => pause_after(1),
                Progress::Behind(pause) => pause,
            };
            let due = Instant::now() + pause;
            loop {
                tokio::select! {
                    biased;
                    // The registry lives as long as Vega. Other APIs' tokens are no reason to try sooner.
                    _ = changes.changed() => {
                        if self.served().map(|served| served.version) != seen {
                            break;
                        }
                    }
                    () = sleep_until(due) => break,
                }
            }
        }
    }

    /// Tries once. Returns whether it is behind.
    pub(super) async fn try_once(mut self) -> bool {
        matches!(self.try_now().await, Progress::Behind(_))
    }

    /// The names under which the tokens are kept that may be in the file, the preferred one first.
    fn names(&self) -> Vec<ApiName> {
        match self.row {
            Row::Names(file) => file.names(),
            Row::NamesNoMore => self
                .delivery
                .iter()
                .map(|delivery| delivery.api.clone())
                .collect(),
        }
    }

    fn path(&self) -> &Path {
        match (self.row, &self.delivery) {
            (Row::Names(file), _) => &file.path,
            (Row::NamesNoMore, Some(delivery)) => &delivery.path,
            (Row::NamesNoMore, None) => Path::new(""),
        }
    }

    fn served(&self) -> Option<Served> {
        self.names().iter().find_map(|name| {
            self.ports.registry.read(name, |hot| Served {
                version: version_of(hot),
                token: Arc::new(hot.token().clone()),
            })
        })
    }

    async fn try_now(&mut self) -> Progress {
        if !self.is_recorded {
            self.record_or_warn().await;
        }
        if self.start == Start::Began {
            self.start = Start::Cleared;
            self.ports.writer.discard(self.path()).await;
        }
        loop {
            if let Some(progress) = self.try_with_what_is_served().await {
                return progress;
            }
        }
    }

    /// `None` where something else is served by now.
    async fn try_with_what_is_served(&mut self) -> Option<Progress> {
        let served = self.served();
        let tried = match (self.row, &served) {
            (Row::Names(file), Some(served)) => self.deliver(file, served).await.map(|()| Progress::UpToDate),
            (Row::Names(file), None) => self.end(file.on_expiry).await.map(|()| Progress::UpToDate),
            (Row::NamesNoMore, served) => self.leave(served.as_ref()).await,
        };
        Some(match tried {
            Ok(progress) => progress,
            Err(Obstacle::File(failure)) => Progress::Behind(self.failed(failure, served.as_ref()).await),
            Err(Obstacle::Store(error)) => {
                self.warn_once(&error);
                Progress::Behind(pause_after(1))
            }
            Err(Obstacle::Superseded) => return None,
        })
    }

    /// Before each step that brings a token to somebody.
    fn is_still_served(&self, served: &Served) -> Result<(), Obstacle> {
        let is_same = self.served().is_some_and(|now| now.version == served.version);
        if is_same {
            Ok(())
        } else {
            Err(Obstacle::Superseded)
        }
    }

    /// Puts the version that programs get into the file, and does what follows.
    async fn deliver(&mut self, file: &TokenFile, served: &Served) -> Result<(), Obstacle> {
        let found = self.ports.inspector.look(&file.path).await;
        let is_in_place = self.delivery.as_ref().is_some_and(|delivery| {
            let holds = |written| found == Found::File(written);
            delivery.version == served.version
                && delivery.state != DeliveryState::Ended
                && delivery.written.is_some_and(holds)
        });
        let is_done = self
            .delivery
            .as_ref()
            .is_some_and(|delivery| delivery.is_done_with(&served.version));
        let is_as_named =
            self.start == Start::Compared || self.ports.inspector.is_as_named(file, &served.token).await;
        let is_in_place = is_in_place && is_as_named;
        if !is_in_place {
            self.replace(file, served, found).await?;
        }
        // Once for each start, when it has come to its end: a disk that does not keep a mode must not have the file written again and again.
        self.start = Start::Compared;
        if is_in_place && is_done {
            return Ok(());
        }
        self.is_still_served(served)?;
        self.ports.follow_ups.follow_up(file, &served.token).await?;
        if let Some(delivery) = &mut self.delivery {
            delivery.state = DeliveryState::Delivered;
            delivery.since = self.ports.clock.now();
            delivery.failed = None;
        }
        let words = match &file.then {
            Some(then) => format!("{then} has succeeded"),
            None => String::new(),
        };
        self.note(AuditKind::FileDelivered, Some(&served.token), &words);
        // It is done, whether or not that can be recorded now.
        self.record_or_warn().await;
        Ok(())
    }

    /// Replaces the file. What is about to be in it is on record before it is there.
    async fn replace(&mut self, file: &TokenFile, served: &Served, found: Found) -> Result<(), Obstacle> {
        let writer = &self.ports.writer;
        let written = writer.prepare(file, &served.token).await?;
        if let Err(superseded) = self.is_still_served(served) {
            writer.discard(&file.path).await;
            return Err(superseded);
        }
        let before = self.delivery.clone();
        let is_tried_again = |before: &FileDelivery| {
            before.version == served.version && before.state == DeliveryState::Pending
        };
        self.delivery = Some(FileDelivery {
            held: self.own(found),
            written: Some(written),
            failed: before
                .clone()
                .filter(is_tried_again)
                .and_then(|before| before.failed),
            ..self.pending(file, served)
        });
        self.note(AuditKind::FileDeliveryBegun, Some(&served.token), "");
        if let Err(error) = self.record().await {
            // Nothing was begun.
            self.untold.pop();
            self.delivery = before;
            self.is_recorded = self.untold.is_empty();
            writer.discard(&file.path).await;
            return Err(error.into());
        }
        let put = match self.is_still_served(served) {
            Ok(()) => writer.put(file).await.map_err(Obstacle::from),
            Err(superseded) => Err(superseded),
        };
        if put.is_err() {
            writer.discard(&file.path).await;
        }
        put?;
        Ok(())
    }

    /// A delivery of which nothing was done yet.
    fn pending(&self, file: &TokenFile, served: &Served) -> FileDelivery {
        FileDelivery {
            path: file.path.clone(),
            api: served.token.api.clone(),
            version: served.version.clone(),
            generation: served.token.generation,
            on_expiry: file.on_expiry,
            held: None,
            written: None,
            state: DeliveryState::Pending,
            since: self.ports.clock.now(),
            failed: None,
        }
    }

    /// What was found, if it is what Vega wrote.
    fn own(&self, found: Found) -> Option<ContentDigest> {
        match (&self.delivery, found) {
            (Some(delivery), Found::File(content)) if delivery.wrote(content) => Some(content),
            _ => None,
        }
    }

    /// There is no token any more.
    async fn end(&mut self, on_expiry: OnExpiry) -> Result<(), Obstacle> {
        let Some(delivery) = self.delivery.clone() else {
            return Ok(());
        };
        if delivery.state == DeliveryState::Ended {
            return Ok(());
        }
        let words = match on_expiry {
            OnExpiry::Keep => "it is kept as it is",
            OnExpiry::Remove => self.remove().await?,
        };
        self.delivery = Some(FileDelivery {
            state: DeliveryState::Ended,
            since: self.ports.clock.now(),
            failed: None,
            ..delivery
        });
        self.note(AuditKind::FileDeliveryEnded, None, words);
        self.record_or_warn().await;
        Ok(())
    }

    /// Removes the file if it is Vega's. Returns what became of it.
    async fn remove(&self) -> Result<&'static str, DeliveryFailure> {
        let (writer, path) = (&self.ports.writer, self.path());
        let found = self.ports.inspector.look(path).await;
        if self.own(found).is_some() {
            writer.remove(path).await?;
            return Ok("it was removed");
        }
        writer.discard(path).await;
        if found == Found::Nothing {
            return Ok("it was gone already");
        }
        tracing::warn!(path = %path.display(), "a file stays when its token dies: it is not what Vega wrote");
        Ok("it stays, for it is not what Vega wrote")
    }

    /// `vega.toml` names the file no more: it stays until its token is dead.
    async fn leave(&mut self, served: Option<&Served>) -> Result<Progress, Obstacle> {
        let Some(delivery) = self.delivery.clone() else {
            return Ok(Progress::Forgotten);
        };
        let is_alive = served.is_some_and(|served| served.version == delivery.version);
        let words = match (delivery.on_expiry, delivery.state) {
            (OnExpiry::Keep, _) => "it is kept as it is",
            (OnExpiry::Remove, DeliveryState::Ended) => "its token was dead already",
            (OnExpiry::Remove, _) if is_alive => return Ok(Progress::UpToDate),
            (OnExpiry::Remove, _) => self.remove().await?,
        };
        let words = format!("vega.toml names it no more, and {words}");
        let entry = self.entry(AuditKind::FileDeliveryEnded, None, &words);
        self.ports.deliveries.forget(&delivery.path, &entry).await?;
        Ok(Progress::Forgotten)
    }

    /// Takes note of a try that failed. Returns after which time it is tried again.
    async fn failed(&mut self, failure: DeliveryFailure, served: Option<&Served>) -> Duration {
        let is_of_now = |delivery: &FileDelivery| match served {
            Some(served) => delivery.version == served.version && delivery.state != DeliveryState::Ended,
            None => true,
        };
        if let (Row::Names(file), Some(served)) = (self.row, served)
            && !self.delivery.as_ref().is_some_and(is_of_now)
        {
            // Not even begun: what is there was there before.
            let found = self.ports.inspector.look(&file.path).await;
            self.delivery = Some(FileDelivery {
                held: self.own(found),
                ..self.pending(file, served)
            });
        }
        let last = self
            .delivery
            .as_ref()
            .and_then(|delivery| delivery.failed.as_ref());
        let is_new = last.is_none_or(|last| last.failure.problem != failure.problem);
        let tries = last.map_or(0, |last| last.tries).saturating_add(1);
        if is_new {
            let words = failure.to_string();
            tracing::warn!(path = %self.path().display(), "a file is behind: {words}");
            self.note(
                AuditKind::FileDeliveryFailed,
                served.map(|served| &*served.token),
                &words,
            );
        }
        if let Some(delivery) = &mut self.delivery {
            // What was done once may have been undone, such as by a boot that emptied its folder.
            if served.is_some() {
                delivery.state = DeliveryState::Pending;
            }
            delivery.failed = Some(FailedTry {
                at: self.ports.clock.now(),
                tries,
                failure,
            });
        }
        self.record_or_warn().await;
        pause_after(tries)
    }

    fn note(&mut self, kind: AuditKind, token: Option<&StoredToken>, words: &str) {
        let entry = self.entry(kind, token, words);
        self.untold.push(entry);
    }

    fn entry(&self, kind: AuditKind, token: Option<&StoredToken>, words: &str) -> AuditEntry {
        let of_delivery = self.delivery.as_ref();
        let generation = token.map(|token| token.generation);
        let generation = generation.or(of_delivery.map(|delivery| delivery.generation));
        let name = token.map(|token| &token.api);
        let generation =
            generation.map_or_else(String::new, |generation| format!(", generation {generation}"));
        let colon = if words.is_empty() { "" } else { ": " };
        let detail = format!("{}{generation}{colon}{words}", self.path().display());
        AuditEntry {
            account: token.map(|token| token.account.clone()),
            api: name.or(of_delivery.map(|delivery| &delivery.api)).cloned(),
            ..AuditEntry::new(self.ports.clock.now(), kind, detail)
        }
    }

    /// Puts the delivery on record, with its entries.
    async fn record(&mut self) -> Result<(), StoreError> {
        self.is_recorded = false;
        if let Some(delivery) = &self.delivery {
            self.ports.deliveries.record(delivery, &self.untold).await?;
        }
        self.untold.clear();
        self.is_recorded = true;
        self.is_away_told = false;
        Ok(())
    }

    /// The same for what has happened already: a database that does not take it gets it with the next try.
    async fn record_or_warn(&mut self) {
        if let Err(error) = self.record().await {
            self.warn_once(&error);
        }
    }

    fn warn_once(&mut self, error: &StoreError) {
        if !self.is_away_told {
            tracing::warn!(%error, path = %self.path().display(), "what is delivered to a file cannot be recorded yet");
        }
        self.is_away_told = true;
    }
}
