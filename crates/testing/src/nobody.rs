//! `Nobody`: an operator that panics when it is asked or shown anything.

use std::time::Duration;

use async_trait::async_trait;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Approver, Presenter, Prompter};
use vega_domain::run::Wait;
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink, WindowTask};

/// Nobody is at the desk, and nobody may be asked or shown anything.
pub struct Nobody;

#[async_trait]
impl Approver for Nobody {
    async fn confirm(&self, _: &Plan) -> Answer {
        unreachable!("nobody is to be asked")
    }

    async fn confirm_again(&self, _: &Plan) -> Answer {
        unreachable!("nobody is to be asked")
    }
}

#[async_trait]
impl Prompter for Nobody {
    fn is_there(&self) -> bool {
        false
    }

    async fn ask(&self, _: &Prompt) -> SecondFactor {
        unreachable!("nobody is to be asked")
    }

    async fn ask_address(&self, _: &SignInLink, _: Duration) -> RedirectAddress {
        unreachable!("nobody is to be asked")
    }
}

#[async_trait]
impl Presenter for Nobody {
    fn can_see_links(&self) -> bool {
        false
    }

    async fn show_wait(&self, _: &Wait) {
        unreachable!("nobody is to be shown anything")
    }

    async fn show_link(&self, _: &SignInLink) {
        unreachable!("nobody is to be shown anything")
    }

    async fn show(&self, _: &WindowTask) {
        unreachable!("nobody is to be shown anything")
    }
}
