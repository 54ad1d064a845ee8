//! Inspection and direct edits of a `MemoryStore`, for tests.

use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::ids::{AccessKeyId, AttemptId, MobileNumber, RunId};
use vega_domain::ports::{LeftAnswer, NewAttempt};
use vega_domain::run::RunRecord;
use vega_domain::token::{NewToken, StoredToken};

use super::store::MemoryStore;
use super::tables::{AttemptRow, End, PressRow, TokenRow};

impl TokenRow {
    /// A token that no attempt brought.
    pub(super) fn put(token: StoredToken) -> Self {
        Self {
            attempt: AttemptId::at(token.issued_at),
            token,
            extended_token: None,
            is_erased: false,
        }
    }
}

impl MemoryStore {
    /// The newest token of an API, if it has one whose bytes are there.
    pub fn token(&self, api: &str) -> Option<StoredToken> {
        let tables = self.tables();
        let of_api = tables.tokens.iter().filter(|row| row.token.api.as_str() == api);
        let newest = of_api.max_by_key(|row| row.token.generation);
        newest.filter(|row| !row.is_erased).map(|row| row.token.clone())
    }

    /// All runs, the oldest first.
    pub fn runs(&self) -> Vec<RunRecord> {
        let tables = self.tables();
        tables.runs.iter().map(|row| row.record.clone()).collect()
    }

    /// The audit trail.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.tables().audit.clone()
    }

    /// After which runs the trail's end was kept, and how many entries it had.
    pub fn checkpoints(&self) -> Vec<(RunId, usize)> {
        self.tables().checkpoints.clone()
    }

    /// Closed accounts.
    pub fn cooldowns(&self) -> Vec<Cooldown> {
        self.tables().cooldowns.clone()
    }

    /// Every attempt, the oldest first.
    pub fn attempts(&self) -> Vec<NewAttempt> {
        let tables = self.tables();
        tables.attempts.iter().map(|row| row.new.clone()).collect()
    }

    /// How each of them ended.
    pub fn ends(&self) -> Vec<End> {
        self.tables().attempts.iter().map(AttemptRow::end).collect()
    }

    /// Every token whose bytes are there, in the order in which they were stored.
    pub fn tokens(&self) -> Vec<NewToken> {
        let tables = self.tables();
        let rows = tables.tokens.iter().filter(|row| !row.is_erased);
        rows.map(|row| NewToken {
            token: row.token.clone(),
            extended_token: row.extended_token.clone(),
            attempt: row.attempt,
        })
        .collect()
    }

    /// How many attempts are neither stored nor closed.
    pub fn open_attempts(&self) -> usize {
        let ends = self.ends();
        ends.iter().filter(|end| **end == End::Open).count()
    }

    /// Replaces what is stored of an API's token without asking, as other processes may have done meanwhile.
    pub fn put(&self, token: StoredToken) {
        let mut tables = self.tables();
        tables.tokens.retain(|row| row.token.api != token.api);
        tables.tokens.push(TokenRow::put(token));
        self.is_changed();
    }

    /// The same with all tokens at once.
    pub fn replace(&self, tokens: Vec<StoredToken>) {
        self.tables().tokens = tokens.into_iter().map(TokenRow::put).collect();
        self.is_changed();
    }

    /// An API's token cannot be had any more.
    pub fn damage_token(&self, api: &str) {
        let mut tables = self.tables();
        let of_api = tables
            .tokens
            .iter_mut()
            .filter(|row| row.token.api.as_str() == api);
        of_api.for_each(|row| row.is_erased = true);
        self.is_changed();
    }

    /// The answer of an attempt does not open any more.
    pub fn damage_answer(&self, attempt: AttemptId) {
        let mut tables = self.tables();
        let row = tables.attempts.iter_mut().find(|row| row.new.id == attempt);
        row.expect("an attempt of this store").answer = LeftAnswer::Unreadable("it was damaged".into());
        self.is_changed();
    }

    /// The record of an access key does not fit any more.
    pub fn damage_key(&self, key: AccessKeyId) {
        let mut tables = self.tables();
        let mut keys = tables.access.keys.iter();
        assert!(keys.any(|stored| stored.key.id == key), "a key of this store");
        tables.access.damaged_keys.insert(key);
        self.is_changed();
    }

    /// "Get OTP" was pressed for this number then, in an attempt of some earlier run.
    pub fn pressed(&self, mobile: &MobileNumber, at: ClockReading) {
        self.tables().presses.push(PressRow {
            attempt: AttemptId::at(at.at),
            mobile: mobile.clone(),
            at,
        });
        self.is_changed();
    }

    /// No account is closed any more.
    pub fn opens_all(&self) {
        self.tables().cooldowns.clear();
        self.is_changed();
    }
}
