//! Rows of a statement's answer, and what they are read as.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{ColumnIndex, Decode, Error, Postgres, Row as _, Sqlite, TypeInfo, ValueRef};

use crate::sql::value::{FromStored, Stored};

/// A row, as an engine gave it.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Names a column: its name or its place.
pub(crate) trait Column: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy {}

impl Column for &str {}
impl Column for usize {}

impl Row {
    /// What the column holds. Fails for a column that is missing, and for a kind of value that no Vega writes.
    pub(crate) fn stored(&self, column: impl Column) -> Result<Stored<'_>, Error> {
        let decoded = match self {
            Self::Sqlite(row) => of_sqlite(row.try_get_raw(column)?),
            Self::Postgres(row) => of_postgres(row.try_get_raw(column)?),
        };
        decoded.map_err(|error| self.not_read(error))
    }

    /// What a server sent and no Vega writes is an error of the server: there is no file to look at.
    fn not_read(&self, error: BoxDynError) -> Error {
        match self {
            Self::Sqlite(_) => Error::Decode(error),
            Self::Postgres(_) => Error::Protocol(error.to_string()),
        }
    }

    /// What the column holds, read as a type.
    pub(crate) fn try_get<'r, T: FromStored<'r>>(&'r self, column: impl Column) -> Result<T, Error> {
        T::from_stored(self.stored(column)?).map_err(|error| self.not_read(error))
    }

    /// The same, where the column may be missing: a database that was not opened may be of an earlier Vega.
    pub(crate) fn try_get_or_default<'r, T: FromStored<'r> + Default>(
        &'r self,
        column: &str,
    ) -> Result<T, Error> {
        match self.try_get(column) {
            Err(Error::ColumnNotFound(_)) => Ok(T::default()),
            read => read,
        }
    }
}

fn of_sqlite(stored: SqliteValueRef<'_>) -> Result<Stored<'_>, BoxDynError> {
    if stored.is_null() {
        return Ok(Stored::Null);
    }
    let kind = stored.type_info();
    match kind.name() {
        "INTEGER" | "BOOLEAN" => Decode::<Sqlite>::decode(stored).map(Stored::Integer),
        "TEXT" => Decode::<Sqlite>::decode(stored).map(Stored::Text),
        "BLOB" => Decode::<Sqlite>::decode(stored).map(Stored::Blob),
        kind => Err(format!("a value of the kind {kind} is in the database").into()),
    }
}

fn of_postgres(stored: PgValueRef<'_>) -> Result<Stored<'_>, BoxDynError> {
    if stored.is_null() {
        return Ok(Stored::Null);
    }
    let kind = stored.type_info().into_owned();
    match kind.name() {
        "INT8" => Decode::<Postgres>::decode(stored).map(Stored::Integer),
        "INT4" => <i32 as Decode<Postgres>>::decode(stored).map(|number| Stored::Integer(number.into())),
        "INT2" => <i16 as Decode<Postgres>>::decode(stored).map(|number| Stored::Integer(number.into())),
        "BOOL" => <bool as Decode<Postgres>>::decode(stored).map(|truth| Stored::Integer(truth.into())),
        "TEXT" | "VARCHAR" | "NAME" => Decode::<Postgres>::decode(stored).map(Stored::Text),
        "BYTEA" => Decode::<Postgres>::decode(stored).map(Stored::Blob),
        kind => Err(format!("a value of the kind {kind} is in the database").into()),
    }
}

/// What a row is read as.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, Error>;
}

macro_rules! from_row_of_tuple {
    ($($name:ident $place:tt),+) => {
        impl<$($name: for<'r> FromStored<'r>),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self, Error> {
                Ok(($(row.try_get::<$name>($place)?,)+))
            }
        }
    };
}

from_row_of_tuple!(A 0);
from_row_of_tuple!(A 0, B 1);
from_row_of_tuple!(A 0, B 1, C 2);
from_row_of_tuple!(A 0, B 1, C 2, D 3);

/// Declares a struct that is read from the columns of its fields' names.
macro_rules! record {
    ($(#[$about:meta])* $visible:vis struct $name:ident {
        $($(#[$of_field:meta])* $field_visible:vis $field:ident: $type:ty,)+
    }) => {
        $(#[$about])*
        $visible struct $name {
            $($(#[$of_field])* $field_visible $field: $type,)+
        }

        impl crate::sql::FromRow for $name {
            fn from_row(row: &crate::sql::Row) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?,)+ })
            }
        }
    };
}

pub(crate) use record;
