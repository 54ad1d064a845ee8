//! Statements with their values. The text is the same for each engine where SQL is; where it is not, the caller asks the session
//! which engine it has.

use std::marker::PhantomData;

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, Error, SqlSafeStr, SqlStr};

use crate::sql::row::{FromRow, Row};
use crate::sql::session::{EngineName, Session};
use crate::sql::value::{Bound, FromStored};

/// A statement and the values for `$1`, `$2` and so on.
pub(crate) struct Query {
    sql: SqlStr,
    values: Vec<Bound>,
}

/// A statement.
pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    Query {
        sql: sql.into_sql_str(),
        values: Vec::new(),
    }
}

/// A statement whose rows are read as `T`.
pub(crate) fn query_as<T: FromRow>(sql: impl SqlSafeStr) -> QueryAs<T> {
    QueryAs(query(sql), PhantomData)
}

/// A statement with one column, which is read as `T`.
pub(crate) fn query_scalar<T>(sql: impl SqlSafeStr) -> QueryScalar<T>
where
    T: for<'r> FromStored<'r>,
{
    QueryScalar(query_as(sql))
}

impl Query {
    /// The next value.
    pub(crate) fn bind(mut self, value: impl Into<Bound>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it. Returns how many rows it changed.
    pub(crate) async fn execute(self, session: &mut Session) -> Result<u64, Error> {
        let Self { sql, values } = self;
        match session {
            Session::Sqlite(tx) => on_sqlite(sql, values, tx).await,
            Session::SqliteAlone(connection) => on_sqlite(sql, values, connection).await,
            Session::Postgres(session) => {
                let query = sqlx::query_with(sql, bound::<PgArguments>(values)?);
                let done = session.ask(async |connection| query.execute(connection).await);
                Ok(done.await?.rows_affected())
            }
        }
    }

    /// The rows of its answer, one after the other.
    pub(crate) fn fetch(self, session: &mut Session) -> BoxStream<'_, Result<Row, Error>> {
        let Self { sql, values } = self;
        match session {
            Session::Sqlite(tx) => rows_of_sqlite(sql, values, tx),
            Session::SqliteAlone(connection) => rows_of_sqlite(sql, values, connection),
            Session::Postgres(session) => {
                let rows = async move {
                    let query = sqlx::query_with(sql, bound::<PgArguments>(values)?);
                    // All of them before the first one is used, so that the deadline is for all.
                    session
                        .ask(async |connection| query.fetch_all(connection).await)
                        .await
                };
                let rows = stream::once(rows).map_ok(|rows| stream::iter(rows.into_iter().map(Ok)));
                rows.try_flatten().map_ok(Row::Postgres).boxed()
            }
        }
    }

    /// All rows of its answer.
    pub(crate) async fn fetch_all(self, session: &mut Session) -> Result<Vec<Row>, Error> {
        self.fetch(session).try_collect().await
    }

    /// The first row of its answer, if there is one.
    pub(crate) async fn fetch_optional(self, session: &mut Session) -> Result<Option<Row>, Error> {
        // To its end, so that nothing of the answer is left on the connection.
        Ok(self.fetch_all(session).await?.into_iter().next())
    }
}

/// A statement whose rows are read as `T`.
pub(crate) struct QueryAs<T>(Query, PhantomData<fn() -> T>);

impl<T: FromRow> QueryAs<T> {
    pub(crate) fn bind(self, value: impl Into<Bound>) -> Self {
        Self(self.0.bind(value), PhantomData)
    }

    pub(crate) async fn fetch_all(self, session: &mut Session) -> Result<Vec<T>, Error> {
        let rows = self.0.fetch(session);
        rows.and_then(|row| std::future::ready(T::from_row(&row)))
            .try_collect()
            .await
    }

    pub(crate) async fn fetch_optional(self, session: &mut Session) -> Result<Option<T>, Error> {
        let row = self.0.fetch_optional(session).await?;
        row.as_ref().map(T::from_row).transpose()
    }

    pub(crate) async fn fetch_one(self, session: &mut Session) -> Result<T, Error> {
        let row = self.fetch_optional(session).await?;
        row.ok_or_else(|| match session.engine_name() {
            EngineName::Sqlite => Error::RowNotFound,
            EngineName::Postgres => Error::Protocol("a row that Vega wrote is missing".into()),
        })
    }
}

/// A statement with one column, which is read as `T`.
pub(crate) struct QueryScalar<T>(QueryAs<(T,)>);

impl<T> QueryScalar<T>
where
    T: for<'r> FromStored<'r>,
{
    pub(crate) fn bind(self, value: impl Into<Bound>) -> Self {
        Self(self.0.bind(value))
    }

    pub(crate) async fn fetch_all(self, session: &mut Session) -> Result<Vec<T>, Error> {
        let rows = self.0.fetch_all(session).await?;
        Ok(rows.into_iter().map(|(value,)| value).collect())
    }

    pub(crate) async fn fetch_optional(self, session: &mut Session) -> Result<Option<T>, Error> {
        Ok(self.0.fetch_optional(session).await?.map(|(value,)| value))
    }

    pub(crate) async fn fetch_one(self, session: &mut Session) -> Result<T, Error> {
        Ok(self.0.fetch_one(session).await?.0)
    }
}

/// An engine's values.
trait Values: Arguments {
    fn take(&mut self, value: Bound) -> Result<(), BoxDynError>;
}

macro_rules! values {
    ($arguments:ty) => {
        impl Values for $arguments {
            fn take(&mut self, value: Bound) -> Result<(), BoxDynError> {
                match value {
                    Bound::Integer(number) => self.add(number),
                    Bound::Text(text) => self.add(text),
                    Bound::Blob(bytes) => self.add(bytes),
                    Bound::Truth(truth) => self.add(truth),
                }
            }
        }
    };
}

values!(SqliteArguments);
values!(PgArguments);

fn bound<A: Values>(values: Vec<Bound>) -> Result<A, Error> {
    let mut arguments = A::default();
    for value in values {
        arguments.take(value).map_err(Error::Encode)?;
    }
    Ok(arguments)
}

async fn on_sqlite(sql: SqlStr, values: Vec<Bound>, connection: &mut SqliteConnection) -> Result<u64, Error> {
    let query = sqlx::query_with(sql, bound::<SqliteArguments>(values)?);
    Ok(query.execute(connection).await?.rows_affected())
}

fn rows_of_sqlite(
    sql: SqlStr,
    values: Vec<Bound>,
    connection: &mut SqliteConnection,
) -> BoxStream<'_, Result<Row, Error>> {
    match bound::<SqliteArguments>(values) {
        Ok(values) => {
            let rows = sqlx::query_with(sql, values).fetch(connection);
            rows.map_ok(Row::Sqlite).boxed()
        }
        Err(error) => stream::once(async { Err(error) }).boxed(),
    }
}
