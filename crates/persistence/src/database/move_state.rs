//! Whether a database is going to another place, has gone there, or comes from one. Decides what that stops, and in which words: a
//! database that has gone is neither read nor written, one that is going takes no writes, and one that has not wholly come is not opened.

use sqlx::{Postgres, Sqlite};

use crate::database::open_error::OpenError;
use crate::files::process_lock::host_name;

/// What a database is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OpenedFor {
    /// Whatever Vega does with it.
    #[default]
    Use,
    /// To move it: what a move stops does not stop the move itself.
    Move,
    /// To put it in the place of another one: what is kept of its trail outside says nothing of this copy.
    Restore,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoveState {
    /// It is being copied to another place.
    Leaving,
    /// The copy in the other place is the one that counts.
    Gone,
    /// It is the copy, and does not count yet.
    Arriving,
}

impl MoveState {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Gone => "gone",
            Self::Arriving => "arriving",
        }
    }

    fn parse(code: &str) -> Self {
        match code {
            "leaving" => Self::Leaving,
            "arriving" => Self::Arriving,
            // What is not known counts as what stops most.
            _ => Self::Gone,
        }
    }
}

/// A move of this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseMove {
    pub(crate) state: MoveState,
    /// The other place; never with a password.
    pub(crate) url: String,
    /// The machine that has the other place, where that is a file.
    machine: String,
}

/// The columns of which one is made.
pub(crate) const COLUMNS: &str = "SELECT state, url, machine FROM database_move";

impl DatabaseMove {
    /// From or to a place, on this machine where it is a file.
    pub(crate) fn new(state: MoveState, url: &str) -> Self {
        Self {
            state,
            url: url.to_owned(),
            machine: host_name(),
        }
    }

    pub(crate) fn of_columns((state, url, machine): (String, String, String)) -> Self {
        // Whoever wrote them there, they are shown at a terminal.
        let plain = |text: String| text.chars().filter(|c| !c.is_control()).collect();
        Self {
            state: MoveState::parse(&state),
            url: plain(url),
            machine: plain(machine),
        }
    }

    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// The other place, for people.
    pub(crate) fn other_place(&self) -> String {
        let Self { url, machine, .. } = self;
        if url.starts_with("sqlite://") && *machine != host_name() {
            return format!("{url} on {machine}");
        }
        url.clone()
    }

    /// Why nothing is written, for whoever only uses it.
    pub(crate) fn stops_writes(&self) -> String {
        let (there, url) = (self.other_place(), &self.url);
        match self.state {
            MoveState::Leaving => format!(
                "the database is being moved to {there}, and takes no writes until that has ended. Where it was cut off, `vega move \
                 {url}` ends it, and `vega move --cancel` goes on with the database as it is"
            ),
            MoveState::Gone => format!(
                "the database has moved to {there}, and nothing of what is here counts any more. Set VEGA__DATABASE__URL={url} and \
                 start this program again"
            ),
            MoveState::Arriving => format!(
                "the database comes from {there}, and does not count before that move has ended. Set VEGA__DATABASE__URL={url} \
                 again, and end it with `vega move` and the URL of this one"
            ),
        }
    }

    /// Why nothing is read either. What is only going is read as before.
    pub(crate) fn stops_reads(&self) -> Option<String> {
        (self.state != MoveState::Leaving).then(|| self.stops_writes())
    }

    fn refuse_opening(self, opened_for: OpenedFor) -> Result<Option<Self>, OpenError> {
        match self.stops_reads() {
            Some(words) if opened_for != OpenedFor::Move => Err(OpenError::Moved(words)),
            _ => Ok(Some(self)),
        }
    }
}

/// Fails where this file is not to be opened for that.
pub(crate) async fn refuse_moved_file(
    database: impl sqlx::Executor<'_, Database = Sqlite>,
    opened_for: OpenedFor,
    failed: impl FnOnce(sqlx::Error) -> OpenError,
) -> Result<(), OpenError> {
    let found = sqlx::query_as(COLUMNS).fetch_optional(database).await;
    refuse(found.map_err(failed)?, opened_for)
}

/// Fails where this database on a server is not to be opened for that.
pub(crate) async fn refuse_moved_on_server(
    database: impl sqlx::Executor<'_, Database = Postgres>,
    opened_for: OpenedFor,
    failed: impl FnOnce(sqlx::Error) -> OpenError,
) -> Result<(), OpenError> {
    let found = sqlx::query_as(COLUMNS).fetch_optional(database).await;
    refuse(found.map_err(failed)?, opened_for)
}

fn refuse(found: Option<(String, String, String)>, opened_for: OpenedFor) -> Result<(), OpenError> {
    match found.map(DatabaseMove::of_columns) {
        Some(found) => found.refuse_opening(opened_for).map(drop),
        None => Ok(()),
    }
}
