//! The operator at the terminal of one process: says yes, says no, is away, or was never there.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Approver, Presenter, Prompter};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink, WindowTask};

use crate::here::Here;
use crate::locked::locked;
use crate::process::Manner;

pub(crate) struct Human {
    here: Here,
}

impl Human {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    /// A question at the terminal waits until somebody comes.
    async fn says(&self) -> Answer {
        let rng = &self.here.world.rng;
        self.here.rest(rng.seconds(2..=60)).await;
        while !self.here.world.faults().human_is_there {
            self.here.rest(Duration::from_mins(1)).await;
        }
        if rng.permille(self.here.world.faults().slips) {
            Answer::No
        } else {
            Answer::Yes
        }
    }

    /// What of the plan the answer covers.
    fn answered(&self, plan: &Plan, answer: Answer, shown: DateTime<Utc>) -> Option<Plan> {
        self.here
            .tell(&format!("is answered {answer:?} to {}", plan.names()));
        self.here.answered(plan, answer, shown)
    }
}

#[async_trait]
impl Approver for Human {
    async fn confirm(&self, plan: &Plan) -> Answer {
        self.here.point().await;
        let shown = self.here.world.time.truth();
        let answer = match self.here.process.manner {
            Manner::Terminal => self.says().await,
            Manner::StandingYes | Manner::Timer => Answer::StandingYes,
            Manner::TimerWithoutYes => Answer::NobodyToAsk,
        };
        *locked(&self.here.process.confirmed) = self.answered(plan, answer, shown);
        answer
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        self.here.point().await;
        let shown = self.here.world.time.truth();
        let answer = if self.is_there() {
            self.says().await
        } else {
            Answer::NobodyToAsk
        };
        // The run's plan stays what was confirmed before: this is about a part of it.
        self.answered(rest, answer, shown);
        answer
    }
}

#[async_trait]
impl Prompter for Human {
    fn is_there(&self) -> bool {
        matches!(self.here.process.manner, Manner::Terminal | Manner::StandingYes)
    }

    async fn ask(&self, _prompt: &Prompt) -> SecondFactor {
        pending().await
    }

    async fn ask_address(&self, _link: &SignInLink, _time_left: Duration) -> RedirectAddress {
        pending().await
    }
}

#[async_trait]
impl Presenter for Human {
    async fn show_wait(&self, _wait: &Wait) {
        pending::<()>().await;
    }

    fn can_see_links(&self) -> bool {
        self.is_there()
    }

    async fn show_link(&self, _link: &SignInLink) {}

    async fn show(&self, _task: &WindowTask) {
        pending::<()>().await;
    }
}
