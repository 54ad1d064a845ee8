//! The `Operator` behind the API: open prompts and their replies. A prompt ends with its first fitting reply, at its
//! deadline, or when the sign-in goes on without it. Replies are passed on, never stored or logged.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Approver, Presenter, Prompter};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, PromptKind, SignInLink, WindowTask};

/// What the operator is asked or shown.
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

/// A prompt that waits for its reply.
#[derive(Debug, Clone)]
pub(crate) struct OpenPrompt {
    pub(crate) id: Uuid,
    pub(crate) question: Question,
    /// When it ends.
    pub(crate) until: Instant,
    /// The same by the wall clock, fixed when it is first shown.
    pub(crate) deadline: Arc<OnceLock<DateTime<Utc>>>,
}

/// What the operator replied.
pub(crate) enum PromptReply {
    Yes,
    No,
    SecondFactor(PromptKind, SecondFactor),
    Address(RedirectAddress),
}

/// Why a reply was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectedReply {
    /// No such prompt is open: it was answered, ran out, or never existed.
    Gone,
    /// It does not answer this kind of prompt.
    WrongKind,
}

struct PendingPrompt {
    open: OpenPrompt,
    /// `None` where the answer is given elsewhere.
    answer: Option<oneshot::Sender<PromptReply>>,
}

#[derive(Default)]
struct Prompts {
    /// In the order in which they were asked.
    pending: Vec<PendingPrompt>,
    wait: Option<Wait>,
    /// Who gave the last yes.
    decided_by: Option<String>,
}

/// The open prompts of this process.
pub(crate) struct PromptQueue {
    prompts: Mutex<Prompts>,
    changes: watch::Sender<u64>,
    /// How long a plan waits for its yes.
    confirm_timeout: Duration,
}

impl PromptQueue {
    pub(crate) fn new(confirm_timeout: Duration) -> Self {
        Self {
            prompts: Mutex::default(),
            changes: watch::Sender::new(0),
            confirm_timeout,
        }
    }

    /// A counter that moves with every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The open prompts, oldest first.
    pub(crate) fn open(&self) -> Vec<OpenPrompt> {
        let prompts = self.prompts();
        prompts
            .pending
            .iter()
            .map(|pending| pending.open.clone())
            .collect()
    }

    /// What the run waits for now.
    pub(crate) fn wait(&self) -> Option<Wait> {
        self.prompts().wait.clone()
    }

    /// Passes the first fitting reply on; `by` names who gives it.
    pub(crate) fn answer(&self, id: Uuid, reply: PromptReply, by: String) -> Result<(), RejectedReply> {
        let mut prompts = self.prompts();
        let mut pending = prompts.pending.iter();
        let place = pending
            .position(|pending| pending.open.id == id)
            .ok_or(RejectedReply::Gone)?;
        let pending = &prompts.pending[place];
        if pending.answer.is_none() || !reply.fits(&pending.open.question) {
            return Err(RejectedReply::WrongKind);
        }
        let sender = prompts.pending.remove(place).answer;
        if matches!(reply, PromptReply::Yes) {
            prompts.decided_by = Some(by);
        }
        drop(prompts);
        self.notify();
        match sender.map(|sender| sender.send(reply)) {
            Some(Ok(())) => Ok(()),
            _ => Err(RejectedReply::Gone),
        }
    }

    fn prompts(&self) -> MutexGuard<'_, Prompts> {
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Adds a prompt, until the guard is dropped.
    fn push(
        &self,
        question: Question,
        until: Instant,
        answer: Option<oneshot::Sender<PromptReply>>,
    ) -> PromptGuard<'_> {
        let id = Uuid::new_v4();
        let deadline = Arc::default();
        let open = OpenPrompt {
            id,
            question,
            until,
            deadline,
        };
        self.prompts().pending.push(PendingPrompt { open, answer });
        self.notify();
        PromptGuard { queue: self, id }
    }

    /// Waits for the reply; `None` when the time is over.
    async fn ask_for(&self, question: Question, time_left: Duration) -> Option<PromptReply> {
        let until = Instant::now() + time_left;
        let (sender, answer) = oneshot::channel();
        let _guard = self.push(question, until, Some(sender));
        timeout_at(until, answer).await.ok()?.ok()
    }

    async fn yes_or_no(&self, question: Question) -> Answer {
        match self.ask_for(question, self.confirm_timeout).await {
            Some(PromptReply::Yes) => Answer::Yes,
            Some(_) => Answer::No,
            None => Answer::NobodyToAsk,
        }
    }
}

impl PromptReply {
    fn fits(&self, question: &Question) -> bool {
        match (self, question) {
            (Self::Yes | Self::No, Question::Confirm(_) | Question::ConfirmAgain(_))
            | (Self::Address(_), Question::Link(_)) => true,
            (Self::SecondFactor(kind, _), Question::SecondFactor(prompt)) => *kind == prompt.kind,
            _ => false,
        }
    }
}

/// Removes its prompt when it is dropped.
struct PromptGuard<'q> {
    queue: &'q PromptQueue,
    id: Uuid,
}

impl Drop for PromptGuard<'_> {
    fn drop(&mut self) {
        self.queue
            .prompts()
            .pending
            .retain(|pending| pending.open.id != self.id);
        self.queue.notify();
    }
}

/// Removes the shown wait when it is dropped.
struct WaitGuard<'q>(&'q PromptQueue);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.prompts().wait = None;
        self.0.notify();
    }
}

#[async_trait]
impl Approver for PromptQueue {
    async fn confirm(&self, plan: &Plan) -> Answer {
        self.yes_or_no(Question::Confirm(Box::new(plan.clone()))).await
    }

    fn who(&self) -> String {
        let decided_by = self.prompts().decided_by.clone();
        decided_by.unwrap_or_else(|| "the operator".into())
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        self.yes_or_no(Question::ConfirmAgain(Box::new(rest.clone())))
            .await
    }
}

#[async_trait]
impl Prompter for PromptQueue {
    /// An operator may come to the console at any time; a prompt that nobody answers ends at its deadline.
    fn is_there(&self) -> bool {
        true
    }

    async fn ask(&self, prompt: &Prompt) -> SecondFactor {
        let question = Question::SecondFactor(prompt.clone());
        match self.ask_for(question, prompt.time_left).await {
            Some(PromptReply::SecondFactor(_, factor)) => factor,
            _ => pending().await,
        }
    }

    async fn ask_address(&self, link: &SignInLink, time_left: Duration) -> RedirectAddress {
        let question = Question::Link(Box::new(link.clone()));
        match self.ask_for(question, time_left).await {
            Some(PromptReply::Address(address)) => address,
            _ => pending().await,
        }
    }
}

#[async_trait]
impl Presenter for PromptQueue {
    async fn show_wait(&self, wait: &Wait) {
        self.prompts().wait = Some(wait.clone());
        let _waiting = WaitGuard(self);
        self.notify();
        pending::<()>().await;
    }

    fn can_see_links(&self) -> bool {
        true
    }

    /// The link is part of the prompt that asks for the address.
    async fn show_link(&self, _link: &SignInLink) {}

    async fn show(&self, task: &WindowTask) {
        let until = Instant::now() + task.time_left;
        let _guard = self.push(Question::Task(task.clone()), until, None);
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use vega_testing::builders::{plan, wait, window_task};

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(5);

    /// Lets the other side of the queue come as far as it can.
    async fn settle() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn yes(queue: &PromptQueue, id: Uuid) -> Result<(), RejectedReply> {
        queue.answer(id, PromptReply::Yes, "the console".into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_that_nobody_answers_is_no_yes() {
        let queue = PromptQueue::new(PATIENCE);
        assert_eq!(queue.confirm(&plan(&["PRIMARY"])).await, Answer::NobodyToAsk);
        assert!(queue.open().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_yes_answers_no_later_question() {
        let (queue, plan) = (PromptQueue::new(PATIENCE), plan(&["PRIMARY"]));
        let console = async {
            settle().await;
            let id = queue.open()[0].id;
            assert_eq!(yes(&queue, id), Ok(()));
            id
        };
        let (answer, id) = tokio::join!(queue.confirm(&plan), console);
        assert_eq!(answer, Answer::Yes);

        let console_again = async {
            settle().await;
            assert_eq!(yes(&queue, id), Err(RejectedReply::Gone));
        };
        let (answer, ()) = tokio::join!(queue.confirm_again(&plan), console_again);
        assert_eq!(answer, Answer::NobodyToAsk);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_shown_goes_when_it_is_dropped() {
        let (queue, wait, task) = (PromptQueue::new(PATIENCE), wait(), window_task());
        let much_later = Instant::now() + Duration::from_hours(1);
        let mut shown = queue.show_wait(&wait);
        assert!(
            timeout_at(much_later, &mut shown).await.is_err(),
            "it ended by itself"
        );
        assert_eq!(queue.wait(), Some(wait.clone()));
        drop(shown);
        assert_eq!(queue.wait(), None);

        let much_later = Instant::now() + Duration::from_hours(1);
        let mut shown = queue.show(&task);
        assert!(
            timeout_at(much_later, &mut shown).await.is_err(),
            "it ended by itself"
        );
        assert!(matches!(queue.open()[0].question, Question::Task(_)));
        drop(shown);
        assert!(queue.open().is_empty());
    }
}
