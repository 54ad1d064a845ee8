//! The human behind the API: what they are asked and told now, and what they answer. A question ends with its first answer,
//! with its time, or when the sign-in went on without it. What is answered is passed on and kept nowhere.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Operator};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, PromptKind, SignInLink, WindowTask};

/// What the human is asked or told.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// Whether to carry the plan out.
    Confirm(Box<Plan>),
    /// Whether to go on with the rest of a run, whose human step timed out before.
    ConfirmAgain(Box<Plan>),
    /// An OTP or a PIN, as an alternative to typing it in the window.
    SecondFactor(Prompt),
    /// To open a link in a browser of their own, and to paste where it ended if that does not come back by itself.
    Link(Box<SignInLink>),
    /// To do something in the window. It is not answered here.
    Task(WindowTask),
}

/// One open question.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) id: Uuid,
    pub(crate) question: Question,
    /// When it is over.
    pub(crate) until: Instant,
    /// The same by the wall clock, as it was when it was first looked at.
    pub(crate) deadline: Arc<OnceLock<DateTime<Utc>>>,
}

/// What the human said.
pub(crate) enum Said {
    Yes,
    No,
    SecondFactor(PromptKind, SecondFactor),
    Address(RedirectAddress),
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// No such question is open: it was answered before, ran out, or never was.
    Gone,
    /// The question is another one.
    DoesNotFit,
}

struct Asked {
    open: Open,
    /// None where an answer is given elsewhere.
    answer: Option<oneshot::Sender<Said>>,
}

#[derive(Default)]
struct Things {
    /// In the order in which they were asked.
    questions: Vec<Asked>,
    wait: Option<Wait>,
    /// Who said the last yes.
    decided_by: Option<String>,
}

/// The operator's desk.
pub(crate) struct Desk {
    things: Mutex<Things>,
    changes: watch::Sender<u64>,
    /// How long a plan waits for its yes.
    patience: Duration,
}

impl Desk {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            things: Mutex::default(),
            changes: watch::Sender::new(0),
            patience,
        }
    }

    /// Counts the changes of what is asked and told.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What is asked now, the oldest first.
    pub(crate) fn open(&self) -> Vec<Open> {
        let things = self.things();
        things.questions.iter().map(|asked| asked.open.clone()).collect()
    }

    /// What the run waits for now.
    pub(crate) fn wait(&self) -> Option<Wait> {
        self.things().wait.clone()
    }

    /// Passes the first fitting answer on; `by` is who gives it, in words.
    pub(crate) fn answer(&self, id: Uuid, said: Said, by: String) -> Result<(), NotTaken> {
        let mut things = self.things();
        let mut questions = things.questions.iter();
        let place = questions
            .position(|asked| asked.open.id == id)
            .ok_or(NotTaken::Gone)?;
        let asked = &things.questions[place];
        if asked.answer.is_none() || !said.fits(&asked.open.question) {
            return Err(NotTaken::DoesNotFit);
        }
        let sender = things.questions.remove(place).answer;
        if matches!(said, Said::Yes) {
            things.decided_by = Some(by);
        }
        drop(things);
        self.tell();
        match sender.map(|sender| sender.send(said)) {
            Some(Ok(())) => Ok(()),
            _ => Err(NotTaken::Gone),
        }
    }

    fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Puts a question on the desk, until the guard is dropped.
    fn put(&self, question: Question, until: Instant, answer: Option<oneshot::Sender<Said>>) -> OnDesk<'_> {
        let id = Uuid::new_v4();
        let deadline = Arc::default();
        let open = Open {
            id,
            question,
            until,
            deadline,
        };
        self.things().questions.push(Asked { open, answer });
        self.tell();
        OnDesk { desk: self, id }
    }

    /// Asks until there is an answer; `None` when the time is over.
    async fn ask_for(&self, question: Question, time_left: Duration) -> Option<Said> {
        let until = Instant::now() + time_left;
        let (sender, answer) = oneshot::channel();
        let _on_desk = self.put(question, until, Some(sender));
        timeout_at(until, answer).await.ok()?.ok()
    }

    async fn yes_or_no(&self, question: Question) -> Answer {
        match self.ask_for(question, self.patience).await {
            Some(Said::Yes) => Answer::Yes,
            Some(_) => Answer::No,
            None => Answer::NobodyToAsk,
        }
    }
}

impl Said {
    fn fits(&self, question: &Question) -> bool {
        match (self, question) {
            (Self::Yes | Self::No, Question::Confirm(_) | Question::ConfirmAgain(_))
            | (Self::Address(_), Question::Link(_)) => true,
            (Self::SecondFactor(kind, _), Question::SecondFactor(prompt)) => *kind == prompt.kind,
            _ => false,
        }
    }
}

/// A question on the desk; dropping it takes it away.
struct OnDesk<'d> {
    desk: &'d Desk,
    id: Uuid,
}

impl Drop for OnDesk<'_> {
    fn drop(&mut self) {
        self.desk
            .things()
            .questions
            .retain(|asked| asked.open.id != self.id);
        self.desk.tell();
    }
}

/// A wait on the desk; dropping it takes it away.
struct Waiting<'d>(&'d Desk);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.things().wait = None;
        self.0.tell();
    }
}

#[async_trait]
impl Operator for Desk {
    async fn confirm(&self, plan: &Plan) -> Answer {
        self.yes_or_no(Question::Confirm(Box::new(plan.clone()))).await
    }

    fn who(&self) -> String {
        let decided_by = self.things().decided_by.clone();
        decided_by.unwrap_or_else(|| "the operator".into())
    }

    /// Somebody may come to the console at any time; a question that nobody answers ends with its time.
    fn is_there(&self) -> bool {
        true
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        self.yes_or_no(Question::ConfirmAgain(Box::new(rest.clone())))
            .await
    }

    async fn show_wait(&self, wait: &Wait) {
        self.things().wait = Some(wait.clone());
        let _waiting = Waiting(self);
        self.tell();
        pending::<()>().await;
    }

    async fn ask(&self, prompt: &Prompt) -> SecondFactor {
        let question = Question::SecondFactor(prompt.clone());
        match self.ask_for(question, prompt.time_left).await {
            Some(Said::SecondFactor(_, factor)) => factor,
            _ => pending().await,
        }
    }

    /// It stands on the desk as long as its address is asked for.
    async fn show_link(&self, _link: &SignInLink) {}

    async fn ask_address(&self, link: &SignInLink, time_left: Duration) -> RedirectAddress {
        let question = Question::Link(Box::new(link.clone()));
        match self.ask_for(question, time_left).await {
            Some(Said::Address(address)) => address,
            _ => pending().await,
        }
    }

    async fn show(&self, task: &WindowTask) {
        let until = Instant::now() + task.time_left;
        let _on_desk = self.put(Question::Task(task.clone()), until, None);
        pending::<()>().await;
    }
}
