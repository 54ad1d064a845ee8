//! Ports: the human, who approves plans, answers prompts and is shown what happens. A terminal and the console each
//! implement all three.

use std::time::Duration;

use async_trait::async_trait;

use crate::plan::Plan;
use crate::run::Wait;
use crate::secret::{RedirectAddress, SecondFactor};
use crate::sign_in::{Prompt, SignInLink, WindowTask};

/// What the operator said to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on; an account that is stopped is opened again.
    Yes,
    /// Go on with what needs no yes of its own: this one was given before anybody saw the plan.
    StandingYes,
    /// Do not.
    No,
    /// Nobody could be asked: no terminal and no standing yes.
    NobodyToAsk,
}

/// Says yes or no to what a run is about to do.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Approver: Send + Sync {
    /// Shows the plan, with the accounts in it that are stopped and why, and asks whether to sign in. MUST NOT answer
    /// `Yes` by itself (`a_terminal_says_yes_for_nobody`, `a_plan_that_nobody_answers_is_no_yes`).
    async fn confirm(&self, plan: &Plan) -> Answer;

    /// Asks whether to sign in for the rest of a run, whose human step timed out before. MUST NOT be answered by a yes
    /// that was given earlier: that one was for somebody who was then not at the desk
    /// (`a_terminal_says_yes_for_nobody`, `an_earlier_yes_answers_no_later_question`).
    async fn confirm_again(&self, rest: &Plan) -> Answer;

    /// Who says yes here, in a few words for the log.
    fn who(&self) -> String {
        "the operator".into()
    }
}

/// Asks for what one sign-in needs of the human.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Prompter: Send + Sync {
    /// Whether somebody could be asked now.
    fn is_there(&self) -> bool;

    /// Asks for one second factor, as an alternative to typing it in the window. Never returns when nobody can be
    /// asked; the caller drops the future when the window was used instead. Keeps no copy of the answer.
    async fn ask(&self, prompt: &Prompt) -> SecondFactor;

    /// Asks for the address at which the sign-in ended, as an alternative to the callback. Never returns when nobody
    /// can be asked; the caller drops the future when the code came another way. MUST NOT echo the answer
    /// (`a_pasted_address_leaves_no_secret_but_the_link_on_the_terminal`, `an_address_can_be_pasted_over_http`).
    async fn ask_address(&self, link: &SignInLink, time_left: Duration) -> RedirectAddress;
}

/// Shows what the human has to see or to do.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Presenter: Send + Sync {
    /// Shows that the run waits. MUST NOT return: the caller drops the future when the wait is over, and then it MUST
    /// be shown no more (`a_wait_is_shown_until_it_is_dropped`, `what_is_shown_goes_when_it_is_dropped`).
    async fn show_wait(&self, wait: &Wait);

    /// Whether somebody can read a link that is shown now, also where nobody can answer.
    fn can_see_links(&self) -> bool;

    /// Shows the link that the operator opens in a browser of their own. MUST show it to the operator alone: it goes
    /// into no log and no event (`a_pasted_address_leaves_no_secret_but_the_link_on_the_terminal`,
    /// `a_link_is_for_the_console_that_asks_for_it`).
    async fn show_link(&self, link: &SignInLink);

    /// Shows what the human has to do in the window, and how long Vega waits for it. MUST NOT return: the caller drops
    /// the future when it is done or too late, and then it MUST be shown no more
    /// (`a_task_stands_with_its_time_left_until_it_is_dropped`, `what_is_shown_goes_when_it_is_dropped`). It may stand
    /// beside an open prompt.
    async fn show(&self, task: &WindowTask);
}

/// All three, as a run needs them.
pub trait Operator: Approver + Prompter + Presenter {}

impl<O: Approver + Prompter + Presenter> Operator for O {}
