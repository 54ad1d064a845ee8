//! The human at the desk, or nobody: answers a second question about the rest of a run, and sees what the run waits for.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Approver, Presenter, Prompter};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink, WindowTask};

/// Nobody, unless answers are given.
#[derive(Default)]
pub(crate) struct Human {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
    waits: Mutex<Vec<Wait>>,
}

impl Human {
    /// Is there, and says so when asked again.
    pub(crate) fn will_say(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// About which APIs it was asked again.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What it saw the run wait for.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        self.waits.lock().unwrap().clone()
    }
}

#[async_trait]
impl Approver for Human {
    async fn confirm(&self, _plan: &Plan) -> Answer {
        unreachable!("the tests confirm by an operator of their own")
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        self.asked.lock().unwrap().push(rest.names());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Answer::NobodyToAsk)
    }
}

#[async_trait]
impl Prompter for Human {
    fn is_there(&self) -> bool {
        !self.answers.lock().unwrap().is_empty()
    }

    async fn ask(&self, _prompt: &Prompt) -> SecondFactor {
        unreachable!("the sign-ins here are scripted")
    }

    async fn ask_address(&self, _link: &SignInLink, _time_left: std::time::Duration) -> RedirectAddress {
        unreachable!("the sign-ins here are scripted")
    }
}

#[async_trait]
impl Presenter for Human {
    async fn show_wait(&self, wait: &Wait) {
        self.waits.lock().unwrap().push(wait.clone());
        std::future::pending::<()>().await;
    }

    fn can_see_links(&self) -> bool {
        self.is_there()
    }

    async fn show_link(&self, _link: &SignInLink) {
        unreachable!("the sign-ins here are scripted")
    }

    async fn show(&self, _task: &WindowTask) {
        unreachable!("the sign-ins here are scripted")
    }
}
