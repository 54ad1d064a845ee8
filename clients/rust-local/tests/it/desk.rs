//! A database and its key in a fresh folder, as Vega makes both, and the Vega that stores tokens there.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use vega_client::{Changes, Generation};
use vega_domain::audit::AuditKind;
use vega_domain::ids::RunId;
use vega_domain::ports::{ExecutionStateRepository, SignInAttempts, UpstoxTokenRepository};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_local::{LocalBuilder, LocalTokens};
use vega_persistence::{DataSource, SqlExecutionStateRepository, SqlSignInJournal, SqlTokenRepository};
use vega_testing::TestClock;
use vega_testing::builders::{at, attempt, entry, run, token};

pub(crate) const API: &str = "PRIMARY";

pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    /// It is a while after the tokens were made.
    pub(crate) clock: Arc<TestClock>,
    pub(crate) data: DataSource,
    run: RunId,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataSource::open(&url(&folder), &*folder.path().join("config/vega.key"))
            .await
            .unwrap();
        let run = run(&[API]);
        let runs = SqlExecutionStateRepository::new(data.clone());
        runs.begin(&run, &entry(AuditKind::RunStarted)).await.unwrap();
        Self {
            folder,
            clock: TestClock::at(at(1_000)),
            data,
            run: run.id,
        }
    }

    /// The same with a token of generation 1.
    pub(crate) async fn with_a_token() -> Self {
        let desk = Self::new().await;
        desk.signs_in(1).await;
        desk
    }

    /// Stores a token, as a sign-in does.
    pub(crate) async fn signs_in(&self, generation: u32) {
        let attempt = attempt(self.run, API, generation);
        let journal = SqlSignInJournal::new(self.data.clone());
        let opened = entry(AuditKind::AttemptOpened);
        journal.open_attempt(&attempt, &opened).await.unwrap();
        let code = AuthorizationCode::new("CANARY-code");
        let intended = entry(AuditKind::ExchangeIntended);
        journal
            .seal_code(attempt.id, &code, at(1), &intended)
            .await
            .unwrap();
        let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
        let received = entry(AuditKind::AnswerReceived);
        journal
            .seal_answer(attempt.id, &answer, at(2), &received)
            .await
            .unwrap();
        let tokens = SqlTokenRepository::new(self.data.clone());
        let stored = entry(AuditKind::TokenStored);
        tokens
            .store(&token(attempt.id, API, generation), &stored)
            .await
            .unwrap();
    }

    pub(crate) fn url(&self) -> String {
        url(&self.folder)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("config/vega.key")
    }

    pub(crate) fn builder(&self) -> LocalBuilder {
        LocalTokens::at(self.url(), self.key_file()).clock(self.clock.clone())
    }

    pub(crate) async fn open(&self) -> LocalTokens {
        self.builder().open().await.unwrap()
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("data/vega_trade.db").display())
}

/// What a stream of changes tells next.
pub(crate) async fn next(changes: &mut Changes) -> Option<u32> {
    changes.next().await.unwrap().map(Generation::get)
}
