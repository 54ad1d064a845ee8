//! A write and a read of rows that decide something. A write commits its rows, their values, its audit entries and the list of
//! latest changes together, or nothing. A read sees rows and list in one snapshot.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use vega_domain::audit::AuditKind;
use vega_domain::ports::StoreError;

use crate::audit::chain::{AuditChain, Value};
use crate::audit::checkpoints::{Cause, Checkpoint, CheckpointFile};
use crate::audit::database_mistrust::DatabaseMistrust;
use crate::audit::latest_changes::{Mark, Marks, Misfit, Whose};
use crate::audit::recorder::Recorder;
use crate::audit::row_trust::{Look, NoLook, RowTrust};
use crate::database::causes::failed;
use crate::database::engine::Engine;
use crate::database::key_in_use::KeyInUse;
use crate::integrity::row_marks;
use crate::integrity::row_values;
use crate::postgres::history::History;
use crate::postgres::unanswered_commit::Sent;
use crate::repositories::audit_rows;
use crate::sealing::fingerprint::Fingerprints;
use crate::sealing::row_values::SealedTable;
use crate::sealing::seal::Sealer;
use crate::sql::{CommitError, Row, Session};

/// An open write.
pub(crate) struct Write {
    tx: Session,
    engine: Engine,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) chain: Arc<AuditChain>,
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) trust: Arc<RowTrust>,
    pub(crate) checkpoints: CheckpointFile,
    /// The latest changes after this write, or why the database is not trusted, which this write does not change.
    marks: Result<Arc<Marks>, DatabaseMistrust>,
    /// The latest changes of a database that is not trusted, if they fit its own trail: they are kept up to date too.
    own: Option<Arc<Marks>>,
    /// The number of this write's first audit entry.
    entry: i64,
    /// The trail's last entry.
    end: (i64, Vec<u8>),
    /// Where the server is in its history.
    history: Option<History>,
    checkpoint: Option<(DateTime<Utc>, Cause)>,
    /// It makes a loss of commits safe.
    is_of_a_loss: bool,
}

impl Write {
    pub(crate) async fn begin(
        mut tx: Session,
        engine: Engine,
        key: &KeyInUse,
        look: Look,
    ) -> Result<Self, StoreError> {
        let entry = audit_rows::next_id(&mut tx).await?;
        let Recorder {
            chain,
            fingerprints,
            trust,
            checkpoints,
        } = key.recorder.clone();
        Ok(Self {
            tx,
            engine,
            sealer: Arc::clone(&key.sealer),
            chain,
            fingerprints,
            trust,
            checkpoints,
            marks: look.marks,
            own: look.own,
            entry,
            end: (look.last, look.chain),
            history: look.history,
            checkpoint: None,
            is_of_a_loss: false,
        })
    }

    /// Why the database as a whole is not trusted.
    pub(crate) fn mistrust(&self) -> Option<&DatabaseMistrust> {
        self.marks.as_ref().err()
    }

    /// The number of the entry that records this write's changes.
    pub(crate) fn entry(&self) -> i64 {
        self.entry
    }

    /// The number of the trail's last entry, which may be one of this write's.
    pub(crate) fn last_entry(&self) -> i64 {
        self.end.0
    }

    /// The latest changes so far.
    pub(crate) fn marks(&mut self) -> Result<&mut Marks, StoreError> {
        match &mut self.marks {
            Ok(marks) => Ok(Arc::make_mut(marks)),
            Err(mistrust) => Err(mistrust.clone().into()),
        }
    }

    /// Begins an empty list of latest changes: when the operator accepts the database, and when rows get their first values.
    /// Returns the previous list, where it fits the trail.
    pub(crate) fn forget_marks(&mut self) -> Option<Arc<Marks>> {
        self.marks = Ok(Arc::default());
        self.own.take()
    }

    /// Goes on with a trail that ends before what was seen of it: its own list counts. Returns that list.
    pub(crate) fn go_on_without_what_was_lost(&mut self) -> Option<Arc<Marks>> {
        let own = self.own.clone()?;
        self.marks = Ok(Arc::clone(&own));
        self.is_of_a_loss = true;
        Some(own)
    }

    /// The trail's last entry with its value.
    pub(crate) fn end(&self) -> (i64, &[u8]) {
        (self.end.0, &self.end.1)
    }

    /// Where the server is in its history.
    pub(crate) fn history(&self) -> Option<History> {
        self.history
    }

    /// Notes that an audit entry was made. It is now the trail's last one.
    pub(crate) fn made(&mut self, (entry, value): (i64, Value), at: DateTime<Utc>, kind: AuditKind) {
        self.end = (entry, value.to_vec());
        let Some(cause) = Cause::of(kind) else { return };
        // The gravest of several counts.
        if cause != Cause::Change || self.checkpoint.is_none() {
            self.checkpoint = Some((at, cause));
        }
    }

    /// Whether this row is the last version that Vega wrote.
    pub(crate) fn fits(
        &self,
        table: &SealedTable,
        row: &Row,
        whose: Whose<'_>,
    ) -> Result<Result<(), Misfit>, StoreError> {
        let marks = self
            .marks
            .as_ref()
            .map_err(|mistrust| StoreError::from(mistrust.clone()))?;
        Ok(self.trust.fits(marks, table, row, whose))
    }

    /// Seals a row as it is now, as changed by this write. A row that did not fit before is not sealed.
    pub(crate) async fn seal(&mut self, table: &SealedTable, row: i64) -> Result<(), StoreError> {
        let entry = self.entry;
        self.seal_as_of(table, row, entry).await
    }

    /// The same for a change without an audit entry: the row keeps its previous entry.
    pub(crate) async fn seal_as_of(
        &mut self,
        table: &SealedTable,
        row: i64,
        entry: i64,
    ) -> Result<(), StoreError> {
        let trust = Arc::clone(&self.trust);
        trust.values.seal(&mut self.tx, table, row, entry).await
    }

    /// Seals a row whose latest change must be known.
    pub(crate) async fn seal_and_mark(
        &mut self,
        table: &SealedTable,
        row: i64,
        whose: Whose<'_>,
    ) -> Result<(), StoreError> {
        let mark = Mark::of(self.entry);
        self.marks()?.set(whose, mark);
        self.seal(table, row).await
    }

    /// Seals a row as it is now, and marks it as the latest of its subject, unless a newer one is known.
    pub(crate) async fn seal_and_note(&mut self, table: &SealedTable, row: &Row) -> Result<(), StoreError> {
        self.seal_and_note_as_of(table, row, self.entry).await
    }

    /// The same for a row that another entry than this write's first one changed.
    pub(crate) async fn seal_and_note_as_of(
        &mut self,
        table: &SealedTable,
        row: &Row,
        entry: i64,
    ) -> Result<(), StoreError> {
        if let Some(whose) = row_marks::whose(table, row) {
            let mark = row_marks::mark(table, row, entry);
            let marks = self.marks()?;
            if marks.get(whose).is_none_or(|known| known.number <= mark.number) {
                marks.set(whose, mark);
            }
        }
        let number = row.try_get("number").map_err(failed("read a row"))?;
        self.seal_as_of(table, number, entry).await
    }

    /// The row as it is stored.
    pub(crate) async fn row(&mut self, table: &SealedTable, row: i64) -> Result<Option<Row>, StoreError> {
        row_values::stored(&mut self.tx, table, row).await
    }

    /// Makes all of it durable, then writes a checkpoint outside the database if the change must not be undone. A crash
    /// in between leaves a checkpoint that is older than the database, never a newer one.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let (entry, chain) = self.end;
        let mut kept = None;
        if let Some(marks) = self.marks.as_ref().ok().or(self.own.as_ref()) {
            let value = self.trust.keep(&mut self.tx, marks, (entry, &chain)).await?;
            kept = Some((value, Arc::clone(marks)));
        }
        let chain_id = match self.checkpoint {
            Some(_) => audit_rows::chain_id(&mut self.tx).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let sent = Sent {
            write: self.tx.write_number(),
            history: self.history,
            entry: (entry >= self.entry).then(|| (entry, chain.clone())),
        };
        match self.tx.commit().await {
            Ok(()) => {}
            Err(CommitError::Refused(error)) => return Err(error),
            Err(CommitError::Unanswered(error)) => {
                if self.engine.was_done(&sent).await != Some(true) {
                    return Err(error);
                }
                tracing::info!(%error, "the database did not say that a commit was done; it was");
            }
        }
        self.engine.committed();
        if let Some((value, marks)) = kept {
            self.trust.remember(value, marks);
        }
        match self.checkpoint {
            Some((_, Cause::Accepted)) if self.is_of_a_loss => {
                self.trust.noticed_a_loss(entry, &chain, self.history);
            }
            Some((_, Cause::Accepted)) => self.trust.accepted(entry, &chain, self.history),
            // Not before the loss is counted.
            _ if self.is_of_a_loss => {}
            _ if self.marks.is_ok() => self.trust.saw(entry, &chain, self.history),
            _ => {}
        }
        if let (Some((at, cause)), Ok(value), Ok(_)) = (self.checkpoint, Value::try_from(chain), self.marks) {
            let checkpoint = Checkpoint {
                at,
                cause,
                chain_id: chain_id.clone(),
                entry,
                value,
            };
            if let Err(error) = self.checkpoints.append_beside(checkpoint).await {
                tracing::error!(%error, "a checkpoint is missing: putting an older database back could undo what was done");
            } else if cause == Cause::Accepted {
                self.trust.counts_acceptances(&chain_id);
            }
        }
        Ok(())
    }
}

impl Deref for Write {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.tx
    }
}

/// Which rows are trusted, as a read found it.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) trust: Arc<RowTrust>,
    /// The latest changes, or why the database is not trusted.
    pub(crate) marks: Result<Arc<Marks>, DatabaseMistrust>,
    /// Where the server is in its history.
    pub(crate) history: Option<History>,
}

impl Judge {
    /// Whether this row is the last version that Vega wrote; the error names `what`.
    pub(crate) fn fits(
        &self,
        table: &SealedTable,
        row: &Row,
        whose: Whose<'_>,
        what: impl std::fmt::Display,
    ) -> Result<(), StoreError> {
        match &self.marks {
            Err(mistrust) => Err(mistrust.clone().into()),
            Ok(marks) => self
                .trust
                .fits(marks, table, row, whose)
                .map_err(|misfit| changed_outside(what, misfit)),
        }
    }

    /// Whether Vega wrote this row, as its latest or an earlier version.
    pub(crate) fn is_ours(&self, table: &SealedTable, row: &Row) -> bool {
        self.marks.is_ok() && self.trust.values.entry_of(table, row).is_some()
    }
}

/// An open read.
pub(crate) struct Reading {
    tx: Session,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) judge: Judge,
}

impl Reading {
    /// Begins with this transaction, whose statements see one moment.
    pub(crate) async fn begin(
        tx: impl Future<Output = Result<Session, sqlx::Error>>,
        key: &KeyInUse,
    ) -> Result<Self, NoLook> {
        let trust = &key.recorder.trust;
        let before = trust.before();
        let mut tx = tx.await.map_err(failed("begin a read"))?;
        let look = trust.look(&mut tx, before).await?;
        Ok(Self {
            tx,
            sealer: Arc::clone(&key.sealer),
            judge: Judge {
                trust: Arc::clone(trust),
                marks: look.marks,
                history: look.history,
            },
        })
    }

    /// Ends the read now, and not only when the connection is used again: until then the connection holds a lock.
    pub(crate) async fn end(self) -> Result<(), StoreError> {
        self.tx.rollback().await.map_err(failed("end a read"))
    }
}

impl Deref for Reading {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.tx
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.tx
    }
}

/// The error for a row that is not the last version that Vega wrote.
pub(crate) fn changed_outside(what: impl std::fmt::Display, misfit: Misfit) -> StoreError {
    StoreError::ChangedOutside(format!("{what} {misfit}: it counts for nothing"))
}
