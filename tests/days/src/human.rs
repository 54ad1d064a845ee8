//! The operator at the terminal of one process: says yes, says no, is away, or was never there.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Operator};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink, WindowTask};

use crate::process::{Here, Manner};

pub(crate) struct Human {
    here: Here,
}

impl Human {
    pub(crate) fn new(here: Here) -> Self {
        Self { here }
    }

    /// A question at the terminal waits until somebody comes.
    async fn says(&self, plan: &Plan) -> Answer {
        let shown = self.here.world.time.truth();
        let chance = &self.here.world.chance;
        self.here.rest(chance.seconds(2..=60)).await;
        while !self.here.world.weather().human_is_there {
            self.here.rest(Duration::from_mins(1)).await;
        }
        let answer = if chance.permille(self.here.world.weather().slips) {
            Answer::No
        } else {
            Answer::Yes
        };
        self.answer(plan, answer, shown)
    }

    fn answer(&self, plan: &Plan, answer: Answer, shown: chrono::DateTime<chrono::Utc>) -> Answer {
        self.here
            .tell(&format!("is answered {answer:?} to {}", plan.names()));
        self.here.answered(plan, answer, shown);
        answer
    }
}

#[async_trait]
impl Operator for Human {
    async fn confirm(&self, plan: &Plan) -> Answer {
        self.here.point().await;
        let shown = self.here.world.time.truth();
        match self.here.process.manner {
            Manner::Terminal => self.says(plan).await,
            Manner::StandingYes | Manner::Timer => self.answer(plan, Answer::StandingYes, shown),
            Manner::TimerWithoutYes => self.answer(plan, Answer::NobodyToAsk, shown),
        }
    }

    fn is_there(&self) -> bool {
        matches!(self.here.process.manner, Manner::Terminal | Manner::StandingYes)
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        self.here.point().await;
        if self.is_there() {
            self.says(rest).await
        } else {
            Answer::NobodyToAsk
        }
    }

    async fn show_wait(&self, _wait: &Wait) {
        pending::<()>().await;
    }

    async fn ask(&self, _prompt: &Prompt) -> SecondFactor {
        pending().await
    }

    async fn show_link(&self, _link: &SignInLink) {}

    async fn ask_address(&self, _link: &SignInLink, _time_left: Duration) -> RedirectAddress {
        pending().await
    }

    async fn show(&self, _task: &WindowTask) {
        pending::<()>().await;
    }
}
