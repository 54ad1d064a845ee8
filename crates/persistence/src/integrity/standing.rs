//! Reads and writes the data that `RowTrust` judges: the end of the audit trail and the list of latest
//! changes.

use vega_domain::ports::StoreError;

use crate::audit::latest_changes::{Marks, Misfit, Whose};
use crate::audit::row_trust::{Before, Look, NoLook, RowTrust, Standing, is_latest};
use crate::database::causes::failed;
use crate::postgres::history::History;
use crate::sealing::row_values::SealedTable;
use crate::sql;
use crate::sql::{Row, Session};

const STANDING: &str =
    "SELECT (SELECT key_id FROM seal_key) AS key_id, (SELECT chain_id FROM audit_chain) AS chain_id,
         coalesce((SELECT max(id) FROM audit_events), 0) AS last,
         (SELECT chain FROM audit_events ORDER BY id DESC LIMIT 1) AS chain,
         (SELECT chain FROM audit_events WHERE id = $1) AS seen, latest.entry, latest.marks, latest.value,
         moves.state, moves.url, moves.machine
     FROM (SELECT 1) AS one LEFT JOIN latest_changes AS latest ON latest.id = 1 LEFT JOIN database_move AS moves ON moves.id = 1";

impl RowTrust {
    /// Reads the trail's end and the list, and has them judged. Fails where the database now belongs to another key.
    pub(crate) async fn look(&self, connection: &mut Session, before: Before) -> Result<Look, NoLook> {
        let history = connection.history();
        let mut before = self.on(before, history);
        loop {
            match self.look_once(connection, before, history).await? {
                Some(look) => return Ok(look),
                None => before = self.before(),
            }
        }
    }

    /// `None` where more was seen meanwhile on a server that was replaced since.
    async fn look_once(
        &self,
        connection: &mut Session,
        before: Before,
        history: Option<History>,
    ) -> Result<Option<Look>, NoLook> {
        let mut before = before;
        let mut found = standing(connection, before.entry()).await?;
        if let Some(more) = self.kept_since(&found, &before, history) {
            found = standing(connection, more.entry()).await?;
            before = more;
        }
        let Some(look) = self.compare(&found, &before, history)? else {
            return Ok(None);
        };
        match self.accepted_since(&look, &found, &before) {
            Some(accepted) => {
                let found = standing(connection, accepted.entry()).await?;
                self.compare(&found, &accepted, history)
            }
            None => Ok(Some(look)),
        }
    }

    /// Stores the marks, sealed with the trail's last entry. Returns the value that seals them.
    pub(crate) async fn keep(
        &self,
        connection: &mut Session,
        marks: &Marks,
        (entry, chain): (i64, &[u8]),
    ) -> Result<Vec<u8>, sqlx::Error> {
        let (text, value) = self
            .sealed(marks, (entry, chain))
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        sql::query(
            "INSERT INTO latest_changes (id, entry, marks, value) VALUES (1, $1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, marks = excluded.marks, value = excluded.value",
        )
        .bind(entry)
        .bind(text)
        .bind(&value)
        .execute(connection)
        .await
        .map(|_| value)
    }

    /// Whether a row is the latest version that Vega wrote.
    pub(crate) fn fits(
        &self,
        marks: &Marks,
        table: &SealedTable,
        row: &Row,
        whose: Whose<'_>,
    ) -> Result<(), Misfit> {
        is_latest(marks, whose, self.values.entry_of(table, row))
    }
}

async fn standing(connection: &mut Session, seen: i64) -> Result<Standing, StoreError> {
    sql::query_as(STANDING)
        .bind(seen)
        .fetch_one(connection)
        .await
        .map_err(failed("read where the database stands"))
}
