//! The workload: Vega's own repositories, one commit after the other. Nothing is said to be durable before the call that
//! promises it has returned.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::clock_reading::ClockReading;
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, MobileNumber, RunId, UserId};
use vega_domain::ports::{
    AuditTrail, ExecutionStateRepository, NewAttempt, OtpGrant, OtpLedger, SignInAttempts, TokenCheck,
    UpstoxTokenRepository,
};
use vega_domain::run::{RunRecord, RunState, StepRecord, StepState};
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState, RawAnswer};
use vega_domain::sign_in::OtpBudget;
use vega_domain::token::{CheckResult, LastCheck, NewToken, StoredToken};
use vega_persistence::{
    DataSource, SqlAuditTrail, SqlExecutionStateRepository, SqlSignInJournal, SqlTokenRepository,
};

use crate::Folder;
use crate::script::{self, Commit, SignIn};

/// How SQLite is told to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synchronous {
    /// As Vega does.
    Full,
    /// An injected defect.
    Normal,
}

/// Does all commits of the script. Between the sessions the database is closed and opened again; at the end it is left
/// as a process leaves it that ends at once.
pub(crate) async fn run(folder: &Folder, synchronous: Synchronous) -> Result<()> {
    std::fs::create_dir_all(&folder.0)?;
    let acknowledged = File::options()
        .create_new(true)
        .append(true)
        .open(folder.acknowledged())?;
    let mut told = Told {
        acknowledged,
        commits: 0,
        checkpoints: 0,
    };
    for session in 0..script::SESSIONS {
        let data = open(folder, synchronous).await?;
        let mut worker = Worker::new(data.clone(), session);
        for commit in script::commits(session) {
            worker.at += TimeDelta::seconds(1);
            worker.make(commit).await?;
            told.commit()?;
        }
        let trail = SqlAuditTrail::new(data.clone());
        trail.keep_checkpoint(worker.run, worker.at).await?;
        told.checkpoint()?;
        if session + 1 < script::SESSIONS {
            data.close().await;
        }
    }
    std::process::exit(0)
}

async fn open(folder: &Folder, synchronous: Synchronous) -> Result<DataSource> {
    let (url, key_file) = (folder.url(), folder.key_file());
    match synchronous {
        Synchronous::Full => Ok(DataSource::open(&url, &key_file).await?),
        #[cfg(feature = "injected-defects")]
        Synchronous::Normal => Ok(DataSource::open_with_synchronous_normal(&url, &key_file).await?),
        #[cfg(not(feature = "injected-defects"))]
        Synchronous::Normal => bail!("this defect can be injected only with the feature injected-defects"),
    }
}

/// Whoever waits for a promise: each is one line, written at once.
struct Told {
    acknowledged: File,
    commits: usize,
    checkpoints: usize,
}

impl Told {
    fn commit(&mut self) -> Result<()> {
        self.commits += 1;
        Ok(self
            .acknowledged
            .write_all(format!("commit {}\n", self.commits).as_bytes())?)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.checkpoints += 1;
        Ok(self
            .acknowledged
            .write_all(format!("checkpoint {}\n", self.checkpoints).as_bytes())?)
    }
}

struct Worker {
    tokens: SqlTokenRepository,
    runs: SqlExecutionStateRepository,
    journal: SqlSignInJournal,
    attempts: HashMap<SignIn, AttemptId>,
    session: u32,
    run: RunId,
    at: DateTime<Utc>,
}

impl Worker {
    fn new(data: DataSource, session: u32) -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + i64::from(session));
        Self {
            tokens: SqlTokenRepository::new(data.clone()),
            runs: SqlExecutionStateRepository::new(data.clone()),
            journal: SqlSignInJournal::new(data),
            attempts: HashMap::new(),
            session,
            run: RunId::at(at),
            at,
        }
    }

    async fn make(&mut self, commit: Commit) -> Result<()> {
        let audit = AuditEntry::new(self.at, commit.audit(), "of the workload").in_run(self.run);
        match commit {
            Commit::RunBegun => self.runs.begin(&self.record()?, &audit).await?,
            Commit::Opened(sign_in) => {
                let attempt = self.attempt(sign_in)?;
                self.attempts.insert(sign_in, attempt.id);
                self.journal.open_attempt(&attempt, &audit).await?;
            }
            Commit::Pressed(sign_in) => self.press(sign_in).await?,
            Commit::CodeSealed(sign_in) => {
                let code = AuthorizationCode::new("CANARY-code");
                let attempt = self.attempts[&sign_in];
                self.journal.seal_code(attempt, &code, self.at, &audit).await?;
            }
            Commit::AnswerSealed(sign_in) => {
                let answer = RawAnswer::new(200, b"CANARY-answer ".repeat(80), true);
                let attempt = self.attempts[&sign_in];
                self.journal
                    .seal_answer(attempt, &answer, self.at, &audit)
                    .await?;
            }
            Commit::Stored(sign_in) => self.tokens.store(&self.token(sign_in)?, &audit).await?,
            Commit::Step(sign_in, reached) => {
                let api = ApiName::new(sign_in.name())?;
                self.runs
                    .save_step(self.run, &api, &reached.state(), &audit)
                    .await?;
            }
            Commit::Checked(sign_in) => {
                let check = TokenCheck {
                    api: ApiName::new(sign_in.name())?,
                    generation: Generation::new(sign_in.generation())?,
                    check: self.check(if sign_in.is_dead() {
                        CheckResult::Invalid
                    } else {
                        CheckResult::Valid
                    }),
                };
                self.tokens.record_checks(&[(check, audit)]).await?;
            }
            Commit::RunCompleted => self.runs.move_run(self.run, RunState::Completed, &audit).await?,
        }
        Ok(())
    }

    async fn press(&self, sign_in: SignIn) -> Result<()> {
        let budget = OtpBudget {
            presses: 4,
            window: Duration::from_mins(11),
        };
        let mobile = MobileNumber::new("9000000001")?;
        let now = ClockReading::by_wall_clock(self.at);
        let attempt = self.attempts[&sign_in];
        match self.journal.request_otp(attempt, &mobile, budget, &now).await? {
            OtpGrant::Granted => Ok(()),
            refused => bail!("the press was refused: {refused:?}"),
        }
    }

    fn record(&self) -> Result<RunRecord> {
        let steps = script::sign_ins(self.session).into_iter().map(|sign_in| {
            Ok(StepRecord {
                api: ApiName::new(sign_in.name())?,
                account: account()?,
                state: StepState::Pending,
            })
        });
        Ok(RunRecord {
            id: self.run,
            state: RunState::Running,
            started_at: self.at,
            finished_at: None,
            steps: steps.collect::<Result<_>>()?,
        })
    }

    fn attempt(&self, sign_in: SignIn) -> Result<NewAttempt> {
        let id = AttemptId::at(self.at);
        Ok(NewAttempt {
            id,
            run: self.run,
            account: account()?,
            api: ApiName::new(sign_in.name())?,
            client_id: client_id(sign_in)?,
            generation: Generation::new(sign_in.generation())?,
            state: OAuthState::new(format!("CANARY-state-{id}")),
            opened_at: self.at,
        })
    }

    fn token(&self, sign_in: SignIn) -> Result<NewToken> {
        Ok(NewToken {
            token: StoredToken {
                api: ApiName::new(sign_in.name())?,
                account: account()?,
                client_id: client_id(sign_in)?,
                user_id: UserId::new("AB1234")?,
                generation: Generation::new(sign_in.generation())?,
                access_token: AccessToken::new(sign_in.token()),
                issued_at: self.at,
                valid_until: self.at + TimeDelta::hours(10),
                verified_at: Some(self.at),
                rejected_at: None,
                last_check: Some(self.check(CheckResult::Valid)),
            },
            extended_token: None,
            attempt: self.attempts[&sign_in],
        })
    }

    fn check(&self, result: CheckResult) -> LastCheck {
        LastCheck { at: self.at, result }
    }
}

fn account() -> Result<AccountId> {
    Ok(AccountId::new("default")?)
}

fn client_id(sign_in: SignIn) -> Result<ClientId> {
    Ok(ClientId::new(format!("key-{}", sign_in.name()))?)
}
