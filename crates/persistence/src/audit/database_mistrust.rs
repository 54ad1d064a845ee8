//! The reasons for which a database as a whole is not used until the operator accepts it, and the effect of accepting
//! it for each reason.

use std::fmt;

use vega_domain::ports::StoreError;

/// Why the database as a whole differs from what Vega wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DatabaseMistrust {
    /// Its trail ends before an entry that was there.
    Older { last: i64, kept: i64 },
    /// Its trail has another entry in that place.
    Another { entry: i64 },
    /// The same, after another server took the place of the one that had it: the last commits are lost.
    Lost {
        last: i64,
        kept: i64,
        /// Where the server was in its history when the entry was seen.
        timeline: i64,
        /// Whether this process saw it, and not only one before it.
        by_this_process: bool,
    },
    /// Its rows were written by a Vega before row values, and its trail does not prove that nobody else wrote to it.
    Unsealed { why: String },
    /// Its list of latest changes is not what Vega wrote.
    Changed,
    /// It is in another place by now, or not wholly here yet: that is not for the operator to accept.
    Moved { words: String },
}

impl DatabaseMistrust {
    /// Whether its trail is not the one that was there.
    pub(crate) fn is_of_another_trail(&self) -> bool {
        matches!(
            self,
            Self::Older { .. } | Self::Another { .. } | Self::Lost { .. }
        )
    }

    /// The effect of accepting, for the message.
    fn accepting(&self) -> &'static str {
        match self {
            Self::Older { .. } | Self::Another { .. } | Self::Lost { .. } | Self::Moved { .. } => {
                "lets it count as it is, on record: what was revoked since counts again until you revoke it again"
            }
            Self::Unsealed { .. } => {
                "seals the rows as they stand, on record: tokens and keys go on, console links and sessions end, and what was \
                 revoked after this file was made counts again until you revoke it again"
            }
            Self::Changed => {
                "goes on with what fits, on record, and puts the rest out of force: each token and key that does not fit or \
                 that was revoked once, all console links and sessions, and sign-ins under way. Where the record of events \
                 does not fit either, that is every token and every key"
            }
        }
    }
}

impl fmt::Display for DatabaseMistrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { last, kept } => write!(
                f,
                "the database is older than its checkpoint: its record ends with entry {last}, but entry {kept} was written. \
                 A backup was put back, or the file was replaced"
            ),
            Self::Another { entry } => write!(
                f,
                "the database is not the one of its checkpoint: entry {entry} of its record is another one. A backup was put \
                 back and written to, or the file was replaced"
            ),
            Self::Moved { words } => return f.write_str(words),
            Self::Lost { last, kept, .. } => {
                return write!(
                    f,
                    "another database server took the place of the one that was there, and had not got the last commits: the record \
                 ends with entry {last}, but entry {kept} was written. So nothing of it is served and no sign-in begins. Vega \
                 makes that safe by itself as soon as it can write to it"
                );
            }
            Self::Unsealed { why } => write!(
                f,
                "the rows of the database are from before this version, which seals them, and whether all of them are what \
                 Vega wrote cannot be told: {why}"
            ),
            Self::Changed => write!(
                f,
                "the database was changed outside Vega: what it says of its latest changes is not what Vega wrote. A backup \
                 that was put back is one way to that: then a newer one is better"
            ),
        }?;
        write!(
            f,
            ". So nothing of it is served and no sign-in begins. `vega audit --verify` shows what there is; if it is to count, \
             `vega audit accept --reason TEXT` {}",
            self.accepting()
        )
    }
}

impl From<DatabaseMistrust> for StoreError {
    fn from(mistrust: DatabaseMistrust) -> Self {
        Self::NotAccepted(mistrust.to_string())
    }
}
