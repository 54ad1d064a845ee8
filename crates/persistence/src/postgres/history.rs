//! Which line of a server's history a database is on. A standby that takes a server's place begins a new timeline; a server that comes back
//! on an older one has not got what was committed since. This machine remembers the newest that it saw, across starts.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnection;
use sqlx::{Error, FromRow};

use crate::files::{FileError, open_private};

/// The file that remembers, in this machine's folder for the database.
const NAME: &str = "history";

/// A place in the histories of all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(crate) struct History {
    /// The same for a server, its standbys and what was restored from its files; a restored dump has another one.
    pub(crate) system: i64,
    /// Grows with each standby that takes a server's place.
    pub(crate) timeline: i64,
}

/// Epochs of the lease in one timeline.
const EPOCHS: i64 = 1 << 32;

/// Asks a server for its place; no row from one that only follows another.
pub(crate) const QUESTION: &str = "SELECT system_identifier AS system,
        ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS timeline
    FROM pg_control_system() WHERE NOT pg_is_in_recovery()";

impl History {
    /// Past every epoch of the timelines before, also of those whose commits were lost.
    pub(crate) fn first_epoch(self) -> i64 {
        self.timeline.saturating_mul(EPOCHS)
    }

    /// Fails where this connection leads to a server at another place: a name may lead elsewhere from one moment to the next.
    pub(crate) async fn prove(self, connection: &mut PgConnection) -> Result<(), Error> {
        let found: Option<Self> = sqlx::query_as(QUESTION).fetch_optional(connection).await?;
        if found == Some(self) {
            return Ok(());
        }
        let words = "another database server answers than the one that was found";
        Err(Error::Io(io::Error::new(io::ErrorKind::NotConnected, words)))
    }

    /// Whether a server here was replaced by one that was seen there.
    pub(crate) fn is_before(self, seen: Self) -> bool {
        self.system == seen.system && self.timeline < seen.timeline
    }
}

/// What this machine remembers.
#[derive(Debug, Clone)]
pub(crate) struct Remembered(PathBuf);

impl Remembered {
    /// In this folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.join(NAME))
    }

    /// The newest that was seen of the server that was used last. What cannot be read counts as nothing: then the audit trail alone tells
    /// what is missing.
    pub(crate) fn newest(&self) -> Option<History> {
        read(&mut File::open(&self.0).ok()?).ok()?
    }

    /// Remembers this one, unless a newer one of the same server is remembered.
    pub(crate) fn remember(&self, seen: History) -> Result<(), FileError> {
        let mut file = open_private(&self.0)?;
        let written = file.lock().and_then(|()| {
            let known = read(&mut file)?;
            if known.is_some_and(|known| known == seen || seen.is_before(known)) {
                return Ok(());
            }
            // Always as long, so that no moment has a part of it.
            file.seek(SeekFrom::Start(0))?;
            file.write_all(format!("{:020} {:010}\n", seen.system, seen.timeline).as_bytes())?;
            file.sync_all()
        });
        written.map_err(crate::files::io("write", &self.0))
    }
}

fn read(file: &mut File) -> io::Result<Option<History>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let parsed = text.trim_end().split_once(' ').and_then(|(system, timeline)| {
        Some(History {
            system: system.parse().ok()?,
            timeline: timeline.parse().ok()?,
        })
    });
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(system: i64, timeline: i64) -> History {
        History { system, timeline }
    }

    #[test]
    fn the_newest_of_the_last_server_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let remembered = Remembered::of(dir.path());
        assert_eq!(remembered.newest(), None);
        for (seen, newest) in [
            (at(7, 1), at(7, 1)),
            (at(7, 12), at(7, 12)),
            (at(7, 2), at(7, 12)),
            // Moved to another server, whose history is its own; its number may have any sign.
            (
                at(-9_000_000_000_000_000_000, 1),
                at(-9_000_000_000_000_000_000, 1),
            ),
            (at(7, 3), at(7, 3)),
        ] {
            remembered.remember(seen).unwrap();
            assert_eq!(Remembered::of(dir.path()).newest(), Some(newest));
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "seven 1\n").unwrap();
        assert_eq!(Remembered::of(dir.path()).newest(), None);
    }
}
