//! One installation with what a test of a contract puts into it again and again.

use std::ops::Deref;

use vega_domain::audit::{AuditEntry, AuditFilter, AuditKind, AuditOrder};
use vega_domain::failure::Failure;
use vega_domain::ids::{AccessKeyId, AttemptId, RunId};
use vega_domain::ports::{NewAttempt, StoreError};
use vega_domain::run::{RunRecord, RunState, StepState};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::token::{NewToken, StoredToken};

use super::installation::{Installation, Stores};
use crate::builders::{api, at, attempt, entry, entry_at, run, token};

/// An installation as one process sees it.
pub(super) struct ContractFixture<I> {
    installation: I,
    stores: Stores,
}

impl<I> Deref for ContractFixture<I> {
    type Target = Stores;

    fn deref(&self) -> &Stores {
        &self.stores
    }
}

impl<I: Installation> ContractFixture<I> {
    pub(super) async fn new() -> Self {
        let installation = I::fresh().await;
        let stores = installation.open().await;
        Self { installation, stores }
    }

    /// Another process, beside this one or after it.
    pub(super) async fn elsewhere(&self) -> Stores {
        self.installation.open().await
    }

    /// See `Installation::refuse_commits`.
    pub(super) async fn refuse_commits(&self, refuse: bool) {
        self.installation.refuse_commits(refuse).await;
    }

    /// See `Installation::refuse_spool`.
    pub(super) async fn refuse_spool(&self, refuse: bool) {
        self.installation.refuse_spool(refuse).await;
    }

    /// See `Installation::damage_token`.
    pub(super) async fn damage_token(&self, api: &str) {
        self.installation.damage_token(api).await;
    }

    /// See `Installation::damage_answer`.
    pub(super) async fn damage_answer(&self, attempt: AttemptId) {
        self.installation.damage_answer(attempt).await;
    }

    /// See `Installation::damage_key`.
    pub(super) async fn damage_key(&self, key: AccessKeyId) {
        self.installation.damage_key(key).await;
    }

    pub(super) async fn audit(&self) -> Vec<AuditEntry> {
        let (all, order) = (AuditFilter::default(), AuditOrder::OldestFirst);
        let page = self.history.page(&all, order, None, 1_000).await.unwrap();
        page.into_iter().map(|recorded| recorded.entry).collect()
    }

    pub(super) async fn audit_kinds(&self) -> Vec<AuditKind> {
        self.audit().await.iter().map(|entry| entry.kind).collect()
    }

    pub(super) async fn count(&self, wanted: AuditKind) -> usize {
        let kinds = self.audit_kinds().await;
        kinds.iter().filter(|kind| **kind == wanted).count()
    }

    pub(super) async fn begins(&self, run: &RunRecord) {
        let audit = entry(AuditKind::RunStarted);
        self.runs.begin(run, &audit).await.unwrap();
    }

    pub(super) async fn running(&self, apis: &[&str]) -> RunId {
        let run = run(apis);
        self.begins(&run).await;
        run.id
    }

    pub(super) async fn opened(&self, run: RunId, api: &str, generation: u32) -> NewAttempt {
        let attempt = attempt(run, api, generation);
        let audit = entry(AuditKind::AttemptOpened);
        self.attempts.open_attempt(&attempt, &audit).await.unwrap();
        attempt
    }

    pub(super) async fn seal_code(&self, attempt: AttemptId) -> Result<(), StoreError> {
        let (code, audit) = (
            AuthorizationCode::new("CANARY-code"),
            entry(AuditKind::ExchangeIntended),
        );
        self.attempts.seal_code(attempt, &code, at(1), &audit).await
    }

    pub(super) async fn seal_answer(&self, attempt: AttemptId) -> Result<(), StoreError> {
        let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
        let audit = entry(AuditKind::AnswerReceived);
        self.attempts.seal_answer(attempt, &answer, at(2), &audit).await
    }

    /// An attempt as it is just before its token is stored.
    pub(super) async fn answered(&self, run: RunId, api: &str, generation: u32) -> AttemptId {
        let attempt = self.opened(run, api, generation).await.id;
        self.seal_code(attempt).await.unwrap();
        self.seal_answer(attempt).await.unwrap();
        attempt
    }

    pub(super) async fn closes(&self, attempt: AttemptId, failure: &Failure, seconds: i64) {
        let audit = entry(AuditKind::AttemptClosed);
        let closed = self.attempts.close(attempt, failure, at(seconds), &audit);
        closed.await.unwrap();
    }

    pub(super) async fn store(&self, new: &NewToken) -> Result<(), StoreError> {
        self.tokens.store(new, &entry(AuditKind::TokenStored)).await
    }

    /// Stores the next token of an API.
    pub(super) async fn has(&self, run: RunId, api: &str, generation: u32) {
        let attempt = self.answered(run, api, generation).await;
        self.store(&token(attempt, api, generation)).await.unwrap();
    }

    /// The newest token of an API.
    pub(super) async fn token(&self, name: &str) -> StoredToken {
        let all = self.tokens.load_all().await.unwrap();
        let mut all = all.into_iter().map(Result::unwrap);
        all.find(|token| token.api.as_str() == name).unwrap()
    }

    pub(super) async fn save_at(
        &self,
        run: RunId,
        name: &str,
        state: &StepState,
        seconds: i64,
    ) -> Result<(), StoreError> {
        let audit = entry_at(AuditKind::StepChanged, seconds);
        self.runs.save_step(run, &api(name), state, &audit).await
    }

    pub(super) async fn save(&self, run: RunId, name: &str, state: &StepState) {
        self.save_at(run, name, state, 0).await.unwrap();
    }

    pub(super) async fn moves(&self, run: RunId, to: RunState) -> Result<(), StoreError> {
        let audit = entry(AuditKind::RunEnded);
        self.runs.move_run(run, to, &audit).await
    }

    pub(super) async fn end(&self, run: RunId, state: RunState) {
        self.moves(run, state).await.unwrap();
    }
}

/// Somebody else was first, and nothing was written.
pub(super) fn is_conflict<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
}
