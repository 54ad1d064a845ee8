//! Values of columns: whole numbers, text and bytes, which both engines store in the same way. Decides how times, ids and truth
//! values become one of them. The same kind and bytes in each engine are what chain values and row values are made over.

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::error::BoxDynError;
use uuid::Uuid;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored<'r> {
    Null,
    Integer(i64),
    Text(&'r str),
    Blob(&'r [u8]),
}

impl<'r> Stored<'r> {
    /// The name of the kind, as chain values have it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }

    /// The bytes of a text or a blob.
    pub(crate) fn bytes(self) -> Option<&'r [u8]> {
        match self {
            Self::Null | Self::Integer(_) => None,
            Self::Text(text) => Some(text.as_bytes()),
            Self::Blob(bytes) => Some(bytes),
        }
    }
}

/// A value that is bound to a statement. One without content has a kind too: PostgreSQL asks for it.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    Integer(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    Truth(bool),
}

/// How times are stored. The chain seals the text, and SQL compares it: it sorts by time.
pub(crate) fn stored_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

macro_rules! bound {
    ($($from:ty => $kind:ident, |$value:ident| $into:expr;)+) => {$(
        impl From<$from> for Bound {
            fn from($value: $from) -> Self {
                Self::$kind(Some($into))
            }
        }
        impl From<Option<$from>> for Bound {
            fn from(value: Option<$from>) -> Self {
                Self::$kind(value.map(|$value| $into))
            }
        }
    )+};
}

bound! {
    i64 => Integer, |value| value;
    u32 => Integer, |value| i64::from(value);
    u16 => Integer, |value| i64::from(value);
    &str => Text, |value| value.to_owned();
    String => Text, |value| value;
    DateTime<Utc> => Text, |value| stored_time(value);
    &[u8] => Blob, |value| value.to_vec();
    Vec<u8> => Blob, |value| value;
    Uuid => Blob, |value| value.as_bytes().to_vec();
}

impl From<&String> for Bound {
    fn from(value: &String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&Vec<u8>> for Bound {
    fn from(value: &Vec<u8>) -> Self {
        Self::from(value.as_slice())
    }
}

impl From<&DateTime<Utc>> for Bound {
    fn from(value: &DateTime<Utc>) -> Self {
        Self::from(*value)
    }
}

impl From<bool> for Bound {
    fn from(value: bool) -> Self {
        Self::Truth(value)
    }
}

/// What a stored value is read as.
pub(crate) trait FromStored<'r>: Sized {
    fn from_stored(stored: Stored<'r>) -> Result<Self, BoxDynError>;
}

impl<'r, T: FromStored<'r>> FromStored<'r> for Option<T> {
    fn from_stored(stored: Stored<'r>) -> Result<Self, BoxDynError> {
        match stored {
            Stored::Null => Ok(None),
            stored => T::from_stored(stored).map(Some),
        }
    }
}

fn other(stored: Stored<'_>, wanted: &str) -> BoxDynError {
    format!("{wanted} was expected, and {} is there", stored.kind()).into()
}

impl FromStored<'_> for i64 {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        match stored {
            Stored::Integer(number) => Ok(number),
            stored => Err(other(stored, "integer")),
        }
    }
}

impl FromStored<'_> for u32 {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        Ok(i64::from_stored(stored)?.try_into()?)
    }
}

impl FromStored<'_> for u16 {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        Ok(i64::from_stored(stored)?.try_into()?)
    }
}

impl FromStored<'_> for bool {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        Ok(i64::from_stored(stored)? != 0)
    }
}

impl<'r> FromStored<'r> for &'r str {
    fn from_stored(stored: Stored<'r>) -> Result<Self, BoxDynError> {
        match stored {
            Stored::Text(text) => Ok(text),
            stored => Err(other(stored, "text")),
        }
    }
}

impl FromStored<'_> for String {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        <&str>::from_stored(stored).map(str::to_owned)
    }
}

impl<'r> FromStored<'r> for &'r [u8] {
    fn from_stored(stored: Stored<'r>) -> Result<Self, BoxDynError> {
        match stored {
            Stored::Blob(bytes) => Ok(bytes),
            stored => Err(other(stored, "blob")),
        }
    }
}

impl FromStored<'_> for Vec<u8> {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        <&[u8]>::from_stored(stored).map(<[u8]>::to_vec)
    }
}

impl FromStored<'_> for Uuid {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        Ok(Self::from_slice(<&[u8]>::from_stored(stored)?)?)
    }
}

impl FromStored<'_> for DateTime<Utc> {
    fn from_stored(stored: Stored<'_>) -> Result<Self, BoxDynError> {
        let text = <&str>::from_stored(stored)?;
        Ok(DateTime::parse_from_rfc3339(text)?.to_utc())
    }
}
