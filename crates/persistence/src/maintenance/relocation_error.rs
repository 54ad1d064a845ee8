//! Why a database was not moved, or not wholly: one message for each cause, with the way on.

use std::path::PathBuf;

use thiserror::Error;
use vega_domain::ports::StoreError;

use crate::database::open_error::OpenError;

/// Why a database was not moved, or not wholly. Until a message says otherwise, everything is as it was.
#[derive(Debug, Error)]
pub enum MoveError {
    /// Files are moved by other means, and databases between servers too.
    #[error(
        "the database was not moved: both URLs name {0}. `vega move` goes from a file to a server and back; a file is moved as \
         a file, with all programs ended, and a database between servers by its administrator (pg_dump)"
    )]
    SameEngine(&'static str),
    /// The other place cannot be opened.
    #[error("the database was not moved, and everything is as it was: {0}")]
    Open(#[from] OpenError),
    /// There are things of another program.
    #[error(
        "the database was not moved: {0} holds tables that are not Vega's, or of another version. Name a new database with \
         nothing in it"
    )]
    NotOurs(String),
    /// There is a database of Vega's that may count.
    #[error(
        "the database was not moved: {0} holds another database of Vega's, and nothing is moved over one. Name a new database \
         with nothing in it, or put that one away first"
    )]
    NotEmpty(String),
    /// There is a copy of a database that has more, or other things, than this one.
    #[error(
        "the database was not moved: {0} was begun by a move of another database, or holds what is not in this one. End that \
         move where it was begun, or name a new database with nothing in it"
    )]
    OfAnotherMove(String),
    /// It was begun with another key.
    #[error(
        "the database was not moved: {0} was made with another key than the one that seals this database. Name a new database \
         with nothing in it"
    )]
    AnotherKey(String),
    /// The spool beside the other place holds something.
    #[error(
        "the database was not moved: {0} keeps what another database in that place did not take. Put that database back and \
         run `vega verify`, or move the folder away"
    )]
    SpooledThere(PathBuf),
    /// The spool of this machine holds something.
    #[error(
        "the database was not moved: the spool beside it holds what it did not take yet. `vega verify` moves that there and \
         says what is in the way; then move the database"
    )]
    Spooled,
    /// It is not what Vega left.
    #[error(
        "the database was not moved, because it is not what Vega left there: {0}. `vega audit --verify` shows all; move it when \
         `vega audit accept` has settled that"
    )]
    NotTrusted(String),
    /// It moves to another place, or has moved there.
    #[error(
        "the database was not moved there: it is being moved to {0}, or has been. Name that place to end this, or go on with \
         the database here by `vega move --cancel`, if it has not ended"
    )]
    Elsewhere(String),
    /// The database failed before anything was changed.
    #[error("the database was not moved, and everything is as it was: {0}")]
    Store(#[from] StoreError),
    /// It failed on its way, and the source counts again.
    #[error("the database was not moved, and counts here as before: {0}")]
    TakenBack(Box<MoveError>),
    /// It failed on its way, and the source is still marked.
    #[error(
        "the database was not moved: {why}. It takes no writes here yet, because that could not be taken back: {back}. `vega \
         move` with the same URL tries again, `vega move --cancel` goes on with the database as it is"
    )]
    StillMarked {
        /// Why it was not moved.
        why: Box<MoveError>,
        /// Why the mark is still there.
        back: StoreError,
    },
    /// What arrived differs from what was sent.
    #[error("what arrived is not what was sent: {0}. Check the disk, or the server, that it was written to")]
    Differs(String),
    /// The source has said where it is, and the other place does not count yet.
    #[error(
        "the database is whole in {url}, and has said here that it is there, but it does not count there yet: {why}. Run the same \
         `vega move` again, with the same settings: it ends what is left"
    )]
    NotEnded {
        /// The other place.
        url: String,
        /// Why it does not count.
        why: Box<MoveError>,
    },
    /// The source says that it is there, and there is nothing of it.
    #[error(
        "this database has moved to {0}, which has it no more. Nothing was changed. A backup of it can be restored there: \
         `vega restore`, with VEGA__DATABASE__URL set to that place"
    )]
    NotThere(String),
    /// No move is under way.
    #[error("no move of this database is under way, so there is none to be cancelled")]
    NoMove,
    /// It has ended.
    #[error(
        "the database has moved to {0}, and may have been written to there, so it does not count here any more. To have it here \
         again, move it back from there"
    )]
    Ended(String),
}
