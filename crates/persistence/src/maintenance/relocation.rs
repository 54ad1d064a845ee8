//! Moves a database to another engine, under the lease, with no run open. The source is marked, so that nothing is written to it any more;
//! all rows go over in one transaction; what arrived is examined there; the source says for good where it is; and only then does the
//! copy count. So never do both. Whoever begins again after a death ends what was begun, or makes the copy anew.

use chrono::{DateTime, Utc};
use vega_domain::audit::{AuditEntry, AuditFault, AuditKind};
use vega_domain::ports::StoreError;

use crate::audit::latest_changes::{Mark, Whose};
use crate::database::causes::failed;
use crate::database::data_source::DataSource;
use crate::database::move_state::{DatabaseMove, MoveState, OpenedFor};
use crate::database::open_error::OpenError;
use crate::database::place::DatabasePlace;
use crate::files::process_lock::host_name;
use crate::integrity::row_values::RowScope;
use crate::integrity::sealed_values;
use crate::key_files::key_source::KeySource;
use crate::maintenance::arrival::{Arrival, There, Trail, move_of, note};
use crate::maintenance::copy::Counts;
use crate::maintenance::relocation_error::MoveError;
use crate::postgres::server::{Server, is_of_server};
use crate::repositories::audit_history::SqlAuditHistory;
use crate::repositories::audit_trail;
use crate::sql;
use crate::sqlite::database_file;

const DOING: &str = "move the database";

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveStep {
    /// The source takes no writes any more.
    Marked,
    /// All rows are in the other place, where they do not count yet.
    Copied,
    /// Everything opens there, and the audit trail is whole.
    Verified,
    /// The source has said for good where it is.
    Gone,
    /// The other place counts.
    Counts,
}

impl MoveStep {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [
        Self::Marked,
        Self::Copied,
        Self::Verified,
        Self::Gone,
        Self::Counts,
    ];

    /// A stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Marked => "move_marked",
            Self::Copied => "move_copied",
            Self::Verified => "move_verified",
            Self::Gone => "move_gone",
            Self::Counts => "move_counts",
        }
    }
}

/// What a move did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The place that counts now.
    pub url: String,
    /// How many entries the audit trail has there, without the one that tells of the move's end.
    pub audit_entries: u64,
    /// What is wrong with the trail, here as there.
    pub fault: Option<AuditFault>,
    /// How many sealed values were opened there.
    pub opened: u64,
    /// Values that do not open, here as there.
    pub unreadable: Vec<String>,
    /// How many rows each table has there; none where an earlier try had copied them.
    pub rows: Vec<(&'static str, u64)>,
}

/// What tells that a database is as it was in the other place.
#[derive(Debug, PartialEq, Eq)]
struct Examined {
    entries: u64,
    fault: Option<AuditFault>,
    opened: u64,
    unreadable: Vec<String>,
}

/// A database that is opened to be moved.
pub struct Relocation {
    data: DataSource,
    url: String,
}

impl Relocation {
    /// Opens the database at `place`, also where it is being moved or has moved.
    pub async fn open(place: &DatabasePlace, key: impl Into<KeySource>) -> Result<Self, OpenError> {
        let data = DataSource::open_for(place, key.into(), OpenedFor::Move).await?;
        let url = place.url.clone();
        Ok(Self { data, url })
    }

    /// The open database, for its lease and its runs.
    pub fn data(&self) -> &DataSource {
        &self.data
    }

    /// Whether it has said for good that it is in another place. Then it has no lease any more, and what is left is done there.
    pub async fn has_gone(&self) -> Result<bool, StoreError> {
        let begun = move_of(&mut self.data.session().await?).await?;
        Ok(begun.is_some_and(|begun| begun.state == MoveState::Gone))
    }

    /// Closes it.
    pub async fn close(&self) {
        self.data.close().await;
    }

    /// Moves it to this place, or ends a move there that was begun. Must be called under the lease, while no run is active,
    /// unless it has gone. Calls `passed` after each step.
    pub async fn move_to(
        &self,
        to: &DatabasePlace,
        at: DateTime<Utc>,
        passed: impl Fn(MoveStep) + Send + Sync,
    ) -> Result<Moved, MoveError> {
        self.refuse_same_engine(to)?;
        let begun = move_of(&mut self.data.session().await?).await?;
        match &begun {
            Some(begun) if begun.url != to.url => return Err(MoveError::Elsewhere(begun.other_place())),
            Some(begun) if begun.state == MoveState::Gone => return self.end(to, at, passed).await,
            _ => {}
        }
        self.refuse_unfit().await?;
        let arrival = Arrival::at(to, &self.data).await?;
        if begun.is_none()
            && let Err(error) = self.mark(&to.url, at).await
        {
            arrival.close().await;
            return Err(error.into());
        }
        passed(MoveStep::Marked);
        match self.copy(arrival, to, at, &passed).await {
            Ok((there, moved)) => self.go(&there, moved, at, passed).await,
            Err(why) => Err(self.taken_back(why, at).await),
        }
    }

    /// Goes on with the database here, where a move of it has not ended. Must be called under the lease.
    pub async fn cancel(&self, at: DateTime<Utc>) -> Result<(), MoveError> {
        match move_of(&mut self.data.session().await?).await? {
            None => Err(MoveError::NoMove),
            Some(begun) if begun.state == MoveState::Leaving => {
                Ok(self.take_back("the operator cancelled it", at).await?)
            }
            Some(begun) => Err(MoveError::Ended(begun.other_place())),
        }
    }

    fn refuse_same_engine(&self, to: &DatabasePlace) -> Result<(), MoveError> {
        if is_of_server(&to.url) {
            Server::of(&to.url).map_err(|why| OpenError::ServerUrl { why })?;
        } else {
            database_file::path_of(&to.url)?;
        }
        match (is_of_server(&self.url), is_of_server(&to.url)) {
            (false, false) => Err(MoveError::SameEngine("a file")),
            (true, true) => Err(MoveError::SameEngine("a database on a server")),
            _ => Ok(()),
        }
    }

    async fn refuse_unfit(&self) -> Result<(), MoveError> {
        if self.data.spool().holds_anything()? {
            return Err(MoveError::Spooled);
        }
        let faults = self.data.row_faults(RowScope::All).await?;
        let first = faults.rows.first().map(|fault| fault.words.clone());
        match faults.database.or(first) {
            Some(words) => Err(MoveError::NotTrusted(words)),
            None => Ok(()),
        }
    }

    /// From here on nothing is written to the source.
    async fn mark(&self, url: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tx = self.data.write_of_sign_in().await?;
        note(&mut tx, &DatabaseMove::new(MoveState::Leaving, url), at).await?;
        let words = format!("from {} to {url}", self.url);
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::MoveBegun, words)).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    /// Makes the copy and examines it.
    async fn copy(
        &self,
        arrival: Arrival,
        to: &DatabasePlace,
        at: DateTime<Utc>,
        passed: &(impl Fn(MoveStep) + Send + Sync),
    ) -> Result<(DataSource, Moved), MoveError> {
        let rows = arrival.take_in(&self.data, &self.url, at).await;
        arrival.close().await;
        let rows = rows?;
        passed(MoveStep::Copied);
        let there = self.open_there(to).await?;
        match self.verify(&there, &to.url, rows).await {
            Ok(moved) => {
                passed(MoveStep::Verified);
                Ok((there, moved))
            }
            Err(error) => {
                there.close().await;
                Err(error)
            }
        }
    }

    async fn open_there(&self, to: &DatabasePlace) -> Result<DataSource, OpenError> {
        DataSource::open_for(to, self.data.key_source().clone(), OpenedFor::Move).await
    }

    async fn verify(&self, there: &DataSource, url: &str, rows: Counts) -> Result<Moved, MoveError> {
        let (sent, arrived) = (examine(&self.data).await?, examine(there).await?);
        if sent != arrived {
            return Err(MoveError::Differs(format!("{sent:?} here, {arrived:?} there")));
        }
        let faults = there.row_faults(RowScope::All).await?;
        if let Some(words) = faults
            .database
            .or(faults.rows.first().map(|row| row.words.clone()))
        {
            return Err(MoveError::Differs(words));
        }
        Ok(Moved {
            url: url.to_owned(),
            audit_entries: arrived.entries,
            fault: arrived.fault,
            opened: arrived.opened,
            unreadable: arrived.unreadable,
            rows,
        })
    }

    /// The source says where it is, and the copy counts from now on.
    async fn go(
        &self,
        there: &DataSource,
        moved: Moved,
        at: DateTime<Utc>,
        passed: impl Fn(MoveStep) + Send + Sync,
    ) -> Result<Moved, MoveError> {
        let said = self.say_where(there, &moved.url).await;
        // Where the answer was lost, what the source says counts.
        let begun = async { move_of(&mut self.data.session().await?).await };
        let has_gone = match &said {
            Ok(()) => true,
            Err(_) => matches!(begun.await, Ok(Some(begun)) if begun.state == MoveState::Gone),
        };
        let result = match said {
            Err(why) if !has_gone => Err(self.taken_back(why.into(), at).await),
            _ => {
                passed(MoveStep::Gone);
                let counts = self.let_it_count(there, &moved, at).await;
                counts.map_err(|why| MoveError::NotEnded {
                    url: moved.url.clone(),
                    why: Box::new(why.into()),
                })
            }
        };
        there.close().await;
        result?;
        passed(MoveStep::Counts);
        Ok(moved)
    }

    /// Only where nothing was written to the source since it was copied, by whichever program.
    async fn say_where(&self, there: &DataSource, url: &str) -> Result<(), StoreError> {
        let arrived = Trail::of(&mut there.session().await?).await?;
        let mut tx = self.data.write_of_sign_in().await?;
        // Whoever ends it may be on another machine than whoever began it.
        let changed = "UPDATE database_move SET state = 'gone', machine = $2
            WHERE id = 1 AND state = 'leaving' AND url = $1";
        let changed = sql::query(changed)
            .bind(url)
            .bind(host_name())
            .execute(&mut tx)
            .await;
        if Trail::of(&mut tx).await? != arrived || changed.map_err(failed(DOING))? != 1 {
            let words = "another program changed the database while it was copied: end it, and begin again";
            return Err(StoreError::Conflict(words.into()));
        }
        tx.commit().await.map_err(failed(DOING))
    }

    async fn let_it_count(
        &self,
        there: &DataSource,
        moved: &Moved,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = there.write().await?;
        sql::query("DELETE FROM database_move WHERE id = 1 AND state = 'arriving'")
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        // Another server counts its timelines anew.
        if let Some(lost) = tx.marks()?.get(Whose::Lost).cloned() {
            tx.marks()?.set(Whose::Lost, Mark { number: None, ..lost });
        }
        let Moved {
            audit_entries,
            opened,
            ..
        } = moved;
        let words = format!(
            "from {} to {}: {audit_entries} audit entries, {opened} sealed values opened",
            self.url, moved.url
        );
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::DatabaseMoved, words)).await?;
        tx.commit().await.map_err(failed(DOING))
    }

    /// After a death: the source has said where it is, and the copy may not count yet.
    async fn end(
        &self,
        to: &DatabasePlace,
        at: DateTime<Utc>,
        passed: impl Fn(MoveStep) + Send + Sync,
    ) -> Result<Moved, MoveError> {
        let sent = Trail::of(&mut self.data.session().await?).await?;
        let counts_there = match Arrival::look(to, &self.data).await? {
            There::Arriving(arrived) if arrived == sent => false,
            There::Something(Some(arrived)) if arrived.chain_id == sent.chain_id => true,
            _ => return Err(MoveError::NotThere(to.url.clone())),
        };
        let there = self.open_there(to).await?;
        let ended = async {
            if counts_there {
                if !sent.is_in(&mut there.session().await?).await? {
                    return Err(MoveError::NotThere(to.url.clone()));
                }
                let Examined {
                    entries,
                    fault,
                    opened,
                    unreadable,
                } = examine(&there).await?;
                return Ok(Moved {
                    url: to.url.clone(),
                    audit_entries: entries,
                    fault,
                    opened,
                    unreadable,
                    rows: Counts::new(),
                });
            }
            let moved = self.verify(&there, &to.url, Counts::new()).await?;
            self.let_it_count(&there, &moved, at).await?;
            Ok(moved)
        };
        let ended = ended.await;
        there.close().await;
        let moved = ended.map_err(|why| match why {
            gone @ MoveError::NotThere(_) => gone,
            why => MoveError::NotEnded {
                url: to.url.clone(),
                why: Box::new(why),
            },
        })?;
        passed(MoveStep::Counts);
        Ok(moved)
    }

    async fn taken_back(&self, why: MoveError, at: DateTime<Utc>) -> MoveError {
        match self.take_back(&why.to_string(), at).await {
            Ok(()) => MoveError::TakenBack(Box::new(why)),
            Err(back) => MoveError::StillMarked {
                why: Box::new(why),
                back,
            },
        }
    }

    /// What was copied never counts, so the source may count again.
    async fn take_back(&self, why: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tx = self.data.write_of_sign_in().await?;
        let removed = sql::query("DELETE FROM database_move WHERE id = 1 AND state = 'leaving'")
            .execute(&mut tx)
            .await
            .map_err(failed(DOING))?;
        if removed != 1 {
            return Err(StoreError::Conflict("another process ended the move".into()));
        }
        audit_trail::insert(&mut tx, &AuditEntry::new(at, AuditKind::MoveTakenBack, why)).await?;
        tx.commit().await.map_err(failed(DOING))
    }
}

/// Opens every sealed value once, and walks the trail from its first entry.
async fn examine(data: &DataSource) -> Result<Examined, StoreError> {
    let (verdict, _) = SqlAuditHistory::new(data.clone()).examine().await?;
    let (opened, unreadable) = open_all(data).await?;
    Ok(Examined {
        entries: verdict.entries,
        fault: verdict.fault,
        opened,
        unreadable,
    })
}

/// How many sealed values open, and which do not.
pub(crate) async fn open_all(data: &DataSource) -> Result<(u64, Vec<String>), StoreError> {
    let (mut opened, mut unreadable) = (0, Vec::new());
    let mut session = data.session().await?;
    for column in &sealed_values::ALL {
        for value in column.values(&mut session).await? {
            match data.sealer().open(value.place(column), &value.envelope) {
                Ok(_) => opened += 1,
                Err(error) => unreadable.push(error.to_string()),
            }
        }
    }
    Ok((opened, unreadable))
}
