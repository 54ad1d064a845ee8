//! What a database server took with it that was replaced by one which had not got the last commits, and what must be noticed of that. Looked
//! at on both servers by `psql`, past every machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use vega_testing::PostgresServer;

use crate::database::Database;
use crate::promises::Promises;

/// The difference between the server that is gone and the one in its place.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The last entry of the trail on the one, and on the other.
    written: u64,
    kept: u64,
    /// The epoch of the lease on the one that is gone.
    epoch: u64,
    /// Losses on record before.
    noticed: usize,
    /// The attempts that are open where the trail was cut, and have no answer.
    open: Vec<String>,
}

impl Lost {
    /// Before the server dies, while its standby follows no more.
    pub(crate) fn of(database: &Database, standby: &PostgresServer, promises: &mut Promises) -> Result<Self> {
        let (before, after) = (database.found()?, database.found_on(standby)?);
        let presses = |found: &Value| found["presses"].as_array().map_or(0, Vec::len);
        promises.lost_presses += presses(&before).saturating_sub(presses(&after)) as u64;
        let attempts = before["attempts"].as_object().context("attempts")?;
        let lost = attempts
            .iter()
            .filter(|(name, of_it)| after["attempts"][name] != **of_it);
        promises.lost_attempts.extend(lost.map(|(name, _)| name.clone()));
        let kept = after["attempts"].as_object().into_iter().flatten();
        let open =
            kept.filter(|(_, of_it)| matches!(of_it["status"].as_str(), Some("opened" | "code_sealed")));
        let number = |found: &Value, name: &str| found[name].as_u64().with_context(|| format!("no {name}"));
        Ok(Self {
            written: number(&before, "last_entry")?,
            kept: number(&after, "last_entry")?,
            epoch: number(&before, "epoch")?,
            noticed: database.losses().len(),
            open: open.map(|(name, _)| name.clone()).collect(),
        })
    }

    /// How many entries.
    pub(crate) fn entries(&self) -> u64 {
        self.written - self.kept
    }

    /// Whether somebody noticed.
    pub(crate) fn is_noticed(&self, database: &Database) -> bool {
        database.losses().len() > self.noticed
    }

    /// How those ended that were open when it happened: how far they got is not known, or an answer came home.
    pub(crate) fn ends(&self, database: &Database, promises: &mut Promises) -> Result<()> {
        let found = database.found()?;
        let ends = self.open.iter().map(|name| {
            let attempt = &found["attempts"][name];
            (attempt["status"].as_str(), attempt["failure"].as_str())
        });
        let resumed: BTreeMap<_, _> = ends
            .filter(|end| {
                !matches!(
                    end,
                    (Some("closed"), Some("outcome_unknown")) | (Some("stored"), _)
                )
            })
            .collect();
        promises.expect(resumed.is_empty(), || {
            format!("{self:?}: what was open when commits were lost ended as {resumed:?}")
        });
        Ok(())
    }

    /// It is on record once, with the place, and no epoch comes twice.
    pub(crate) fn look(&self, database: &Database, promises: &mut Promises) -> Result<()> {
        let losses = database.losses();
        let new = &losses[self.noticed.min(losses.len())..];
        promises.figures.counted("losses", 1);
        promises
            .figures
            .counted("entries lost", u32::try_from(self.entries()).unwrap_or(u32::MAX));
        promises.figures.counted(
            "open at a loss",
            u32::try_from(self.open.len()).unwrap_or(u32::MAX),
        );
        promises
            .figures
            .counted("losses noticed", u32::from(!new.is_empty()));
        promises.expect(new.len() == 1, || {
            format!("{self:?}: the loss is on record {} times", new.len())
        });
        let place = new.first().and_then(|words| {
            let (_, rest) = words.split_once("goes on after entry ")?;
            let (last, rest) = rest.split_once(", and entry ")?;
            let (kept, _) = rest.split_once(" was written")?;
            Some((last.parse::<u64>().ok()?, kept.parse::<u64>().ok()?))
        });
        // Others may have written there before it was noticed, and of the last entries nobody may be left who knows them.
        let is_so = place.is_some_and(|(last, known)| {
            (self.kept..).contains(&last) && (self.kept + 1..=self.written).contains(&known)
        });
        promises.expect(new.is_empty() || is_so, || {
            format!("{self:?}: the place on record is {place:?}: {new:?}")
        });
        let epoch = database.found()?["epoch"].as_u64();
        promises.expect(epoch > Some(self.epoch), || {
            format!("{self:?}: the epoch is {epoch:?}, and may come twice")
        });
        Ok(())
    }
}
