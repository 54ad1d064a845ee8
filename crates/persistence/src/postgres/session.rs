//! A connection to PostgreSQL in use. Each answer is waited for until a deadline; a connection that missed one is closed, for what
//! it would say next belongs to nobody.

use std::io;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Error, Postgres, raw_sql};
use tokio::time::timeout;
use vega_domain::ports::StorageCause;

use crate::postgres::causes::cause;
use crate::postgres::history::History;
use crate::sql::commit_error::CommitError;

/// For the answer to a read.
pub(crate) const READ: Duration = Duration::from_secs(5);
/// For the answer to a write, which may wait for another one.
pub(crate) const WRITE: Duration = Duration::from_secs(10);
/// For the answer to `COMMIT`, before it is asked what became of it.
pub(crate) const COMMIT: Duration = Duration::from_secs(3);
/// For what nobody waits for: the end of a transaction, and whether a connection that goes back to the pool still works.
const GOING_BACK: Duration = Duration::from_secs(2);

/// A connection in use.
pub(crate) struct PgSession {
    /// `None` after it missed a deadline.
    connection: Option<PoolConnection<Postgres>>,
    is_in_transaction: bool,
    /// A statement failed: the server then takes nothing more of this transaction, and ends it without effect at `COMMIT` too.
    has_failed: bool,
    /// An answer is on its way. Whoever stopped waiting for it leaves a connection that others must not get.
    is_busy: bool,
    deadline: Duration,
    /// Where the server was in its history when this connection was made.
    pub(crate) history: History,
    /// The number of the write that is open here, as the server counts them.
    pub(crate) write: Option<String>,
}

impl PgSession {
    /// One connection of these, for single statements.
    pub(crate) async fn acquire(pool: &PgPool, history: History, deadline: Duration) -> Result<Self, Error> {
        Ok(Self {
            connection: Some(pool.acquire().await.map_err(|error| match error {
                Error::PoolTimedOut => missed(),
                error => error,
            })?),
            is_in_transaction: false,
            has_failed: false,
            is_busy: false,
            deadline,
            history,
            write: None,
        })
    }

    /// The same in a transaction that begins with this statement.
    pub(crate) async fn begin(
        pool: &PgPool,
        history: History,
        deadline: Duration,
        statement: &'static str,
    ) -> Result<Self, Error> {
        let mut session = Self::acquire(pool, history, deadline).await?;
        session.is_in_transaction = true;
        session.run(statement).await?;
        Ok(session)
    }

    /// Asks on this connection, until the deadline.
    pub(crate) async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(connection) = &mut self.connection else {
            return Err(missed());
        };
        self.is_busy = true;
        let answer = timeout(self.deadline, question(connection)).await;
        self.is_busy = false;
        let Ok(answer) = answer else {
            self.close();
            return Err(missed());
        };
        self.has_failed |= answer.is_err();
        answer
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), Error> {
        self.ask(async |connection| raw_sql(statement).execute(connection).await.map(drop))
            .await
    }

    /// Makes the transaction's changes durable.
    pub(crate) async fn commit(mut self) -> Result<(), CommitError> {
        if self.has_failed {
            self.end("ROLLBACK").await.map_err(CommitError::Refused)?;
            let words = "a statement of this transaction failed before";
            return Err(CommitError::Refused(Error::Protocol(words.into())));
        }
        self.deadline = COMMIT;
        self.end("COMMIT").await.map_err(|error| match &error {
            // Before it shuts down a server may have done it.
            Error::Database(said) if cause(&**said) != StorageCause::Away => CommitError::Refused(error),
            _ => CommitError::Unanswered(error),
        })
    }

    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<(), Error> {
        if !self.is_in_transaction {
            return Ok(());
        }
        let ended = self.run(statement).await;
        if ended.is_err() {
            self.close();
        }
        self.is_in_transaction = false;
        ended
    }

    /// Out of the pool, which would ask it whether it works before it gives its place to another one.
    fn close(&mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        if self.is_busy {
            self.close();
        }
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        let is_in_transaction = self.is_in_transaction;
        runtime.spawn(async move {
            if is_in_transaction {
                let ended = timeout(GOING_BACK, raw_sql("ROLLBACK").execute(&mut *connection)).await;
                if !matches!(ended, Ok(Ok(_))) {
                    drop(connection.detach());
                    return;
                }
            }
            // The pool asks it whether it works. By itself it would wait for the answer without end, and keep the place for it: a network
            // that drops a connection without a word would take one place after the other.
            if timeout(GOING_BACK, connection.return_to_pool()).await.is_err() {
                tracing::warn!(
                    "a connection to the database does not answer any more; another one takes its place"
                );
            }
        });
    }
}

/// Closes the pool, when what is under way there has ended or missed its deadline.
pub(crate) async fn close(pool: &PgPool) {
    close_within(pool, WRITE + 2 * GOING_BACK).await;
}

async fn close_within(pool: &PgPool, time: Duration) {
    if timeout(time, pool.close()).await.is_err() {
        tracing::warn!("a connection to the database is still in use; it ends with the process");
    }
}

pub(crate) fn missed() -> Error {
    let words = "the database did not answer in time";
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, words))
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;
    use tokio::io::copy_bidirectional;
    use tokio::net::{TcpListener, UnixStream};
    use tokio::sync::watch;
    use vega_testing::PostgresServer;

    use super::*;
    use crate::postgres::connection::options;
    use crate::postgres::server::{Address, Server};

    const HISTORY: History = History {
        system: 7,
        timeline: 1,
    };

    /// One connection, so that whoever waits for one gets that one, or one in its place.
    fn pool() -> PgPool {
        let server = Server::of(&PostgresServer::shared().fresh_database()).unwrap();
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(READ)
            .connect_lazy_with(options(&server, &server.hosts[0]))
    }

    async fn process(session: &mut PgSession) -> i32 {
        let asked = session.ask(async |connection| {
            sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(connection)
                .await
        });
        asked.await.unwrap()
    }

    async fn sleeps(session: &mut PgSession) -> Result<(), Error> {
        session.run("SELECT pg_sleep(60)").await
    }

    #[tokio::test]
    async fn a_connection_with_an_answer_on_its_way_is_nobody_elses() {
        let pool = pool();
        let mut first = PgSession::begin(&pool, HISTORY, READ, "BEGIN").await.unwrap();
        let asked = process(&mut first).await;
        // Whoever asked waits no longer.
        timeout(Duration::from_millis(100), sleeps(&mut first))
            .await
            .unwrap_err();
        drop(first);
        let mut next = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        assert_ne!(process(&mut next).await, asked);
    }

    #[tokio::test]
    async fn a_connection_that_missed_its_deadline_says_nothing_more() {
        let pool = pool();
        let mut late = PgSession::acquire(&pool, HISTORY, Duration::from_millis(100))
            .await
            .unwrap();
        let missed = sleeps(&mut late).await.unwrap_err();
        assert!(
            matches!(&missed, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut),
            "{missed}"
        );
        late.run("SELECT 1").await.unwrap_err();
        let mut next = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        next.run("SELECT 1").await.unwrap();
    }

    /// Carries what comes on each connection until it is told to carry nothing more on those that there are.
    async fn forgetful_way(server: &Server, forgotten: watch::Receiver<u32>) -> Address {
        let Address::Socket { folder, port } = &server.hosts[0] else {
            panic!("the server of tests is not on the network");
        };
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for number in 1.. {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = UnixStream::connect(&socket).await.unwrap();
                let mut forgotten = forgotten.clone();
                tokio::spawn(async move {
                    let is_forgotten = async {
                        let _ = forgotten.wait_for(|forgotten| *forgotten >= number).await;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => return,
                        () = is_forgotten => {}
                    }
                    // Nobody is told.
                    std::future::pending::<()>().await;
                });
            }
        });
        Address::Network {
            host: "127.0.0.1".into(),
            port,
        }
    }

    #[tokio::test]
    async fn a_connection_that_dies_without_a_word_keeps_no_place_of_the_pool() {
        let server = Server::of(&PostgresServer::shared().fresh_database()).unwrap();
        let (forget, forgotten) = watch::channel(0);
        let way = forgetful_way(&server, forgotten).await;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(READ)
            .connect_lazy_with(options(&server, &way));
        let mut session = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        session.run("SELECT 1").await.unwrap();
        forget.send(1).unwrap();
        drop(session);
        let mut next = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        next.run("SELECT 1").await.unwrap();
    }

    #[tokio::test]
    async fn a_pool_that_is_closed_waits_for_nobody_without_end() {
        let pool = pool();
        let _in_use = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        let closed = close_within(&pool, Duration::from_millis(50));
        timeout(Duration::from_secs(10), closed).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_of_a_transaction_counts_in_which_a_statement_failed() {
        let pool = pool();
        let mut failing = PgSession::begin(&pool, HISTORY, READ, "BEGIN").await.unwrap();
        failing.run("CREATE TABLE kept (id bigint)").await.unwrap();
        failing.run("SELECT 1 / 0").await.unwrap_err();
        assert!(matches!(failing.commit().await, Err(CommitError::Refused(_))));
        let mut next = PgSession::acquire(&pool, HISTORY, READ).await.unwrap();
        next.run("SELECT * FROM kept").await.unwrap_err();
        // The connection itself is as good as before.
        next.run("SELECT 1").await.unwrap();
    }
}
