//! Examines the audit trail from the first entry on: compares the computed values with the stored ones and with the
//! checkpoints that were kept.

use std::collections::{BTreeMap, HashMap};

use vega_domain::audit::AuditFault;

use crate::audit::chain::{AuditChain, RawRow, Value};
use crate::audit::checkpoints::{Cause, Checkpoint};

/// Finds the chain to which an entry belongs.
pub(crate) struct Chains<'a> {
    /// The earlier chains, each by the last entry that was made with it.
    pub(crate) earlier: BTreeMap<i64, AuditChain>,
    pub(crate) in_force: &'a AuditChain,
}

impl Chains<'_> {
    fn of(&self, entry: i64) -> &AuditChain {
        let earlier = self.earlier.range(entry..).next();
        earlier.map_or(self.in_force, |(_, chain)| chain)
    }

    /// Each rotation is followed by the entry that records it.
    fn at_least(&self) -> i64 {
        self.earlier.keys().next_back().map_or(0, |last| last + 1)
    }
}

/// The examination of the trail, up to the last entry that fits.
pub(crate) struct Walk<'a> {
    chains: &'a Chains<'a>,
    by_entry: HashMap<i64, Vec<&'a Checkpoint>>,
    value: Value,
    is_chained: bool,
    pub(crate) is_beside_row_values: bool,
    pub(crate) last: i64,
    pub(crate) entries: u64,
    pub(crate) checkpoints: u64,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(chains: &'a Chains<'a>, chain_id: &[u8], checkpoints: &'a [Checkpoint]) -> Self {
        let mut by_entry: HashMap<i64, Vec<&Checkpoint>> = HashMap::new();
        for checkpoint in checkpoints {
            by_entry.entry(checkpoint.entry).or_default().push(checkpoint);
        }
        Self {
            chains,
            by_entry,
            value: chains.of(1).beginning(chain_id),
            is_chained: false,
            is_beside_row_values: false,
            last: 0,
            entries: 0,
            checkpoints: 0,
        }
    }

    pub(crate) fn step(&mut self, row: &RawRow) -> Result<(), AuditFault> {
        let entry = self.last + 1;
        if row.id < entry {
            return Err(AuditFault::Edited { entry: row.id });
        }
        if row.id > entry {
            return Err(AuditFault::Missing { entry });
        }
        let chain = self.chains.of(entry);
        let value = chain.of_stored(&self.value, row);
        self.is_beside_row_values = self.is_beside_row_values || chain.is_beside_row_values(&self.value, row);
        self.is_chained |= row.is_chained();
        // Only before the first value may there be entries without one: they are sealed by it.
        if self.is_chained && !row.bears(&value) {
            return Err(AuditFault::Edited { entry });
        }
        for checkpoint in self.by_entry.remove(&entry).unwrap_or_default() {
            if checkpoint.value != value {
                let run = match checkpoint.cause {
                    Cause::Run(run) => Some(run),
                    Cause::Revocation | Cause::Change | Cause::EitherOfBoth | Cause::Accepted => None,
                };
                return Err(AuditFault::Rewritten { entry, run });
            }
            self.checkpoints += 1;
        }
        (self.value, self.last) = (value, entry);
        self.entries += 1;
        Ok(())
    }

    /// Fails if checkpoints are left over: their entries were written once and are missing.
    pub(crate) fn end(&self, written_up_to: i64) -> Result<(), AuditFault> {
        let last = self.last;
        let kept = self.by_entry.keys().copied().max().unwrap_or_default();
        let written = kept.max(written_up_to).max(self.chains.at_least());
        if written != last {
            return Err(AuditFault::Cut { last, written });
        }
        Ok(())
    }
}
