//! The human at the terminal: shows the plan, asks for a yes, offers the OTP and PIN prompts, shows events.

use std::io::IsTerminal;

use async_trait::async_trait;
use vega_domain::event::Event;
use vega_domain::expiry::in_ist;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, EventSink, Operator};
use vega_domain::secret::{RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink};

use crate::link;
use crate::output;
use crate::progress::Progress;
use crate::report;
use crate::tty;

/// The operator's terminal, or the lack of one.
#[derive(Debug)]
pub(crate) struct Terminal {
    assume_yes: bool,
    can_ask: bool,
    can_show: bool,
    progress: Progress,
}

impl Terminal {
    pub(crate) fn new(assume_yes: bool) -> Self {
        let can_show = std::io::stderr().is_terminal();
        Self {
            assume_yes,
            can_ask: can_show && std::io::stdin().is_terminal(),
            can_show,
            progress: Progress::new(can_show),
        }
    }

    /// Whether somebody can read what is shown.
    pub(crate) fn can_show(&self) -> bool {
        self.can_show
    }

    pub(crate) fn verifying(&self) {
        self.progress.start("Asking Upstox about the stored tokens …");
    }

    pub(crate) fn verified(&self) {
        self.progress.pause();
    }

    pub(crate) fn finished(&self) {
        self.progress.pause();
    }
}

impl EventSink for Terminal {
    fn emit(&self, event: Event) {
        self.progress.show(&event);
    }
}

#[async_trait]
impl Operator for Terminal {
    async fn confirm(&self, plan: &Plan) -> Answer {
        output::say("These tokens are dead and need a sign-in:");
        for planned in plan.apis() {
            output::say(&format!(
                "  {:<14} {:<10} account {}",
                planned.api,
                planned.cause.as_str(),
                planned.account
            ));
        }
        for stop in plan.stopped() {
            output::say(&report::stopped(stop));
        }
        if self.assume_yes {
            return if plan.stopped().is_empty() {
                Answer::Yes
            } else {
                Answer::YesButNotStopped
            };
        }
        if !self.can_ask {
            return Answer::NobodyToAsk;
        }
        let count = plan.apis().len();
        let opening = if plan.stopped().is_empty() {
            ""
        } else {
            " and open what is stopped"
        };
        let question = format!(
            "Sign in for {count} {}{opening} now?",
            if count == 1 { "API" } else { "APIs" }
        );
        // Enter alone must not open a stop.
        let proposed = plan.stopped().is_empty();
        let ask = move || cliclack::confirm(question).initial_value(proposed).interact();
        let asked = tokio::task::spawn_blocking(ask).await;
        match asked {
            Ok(Ok(true)) => Answer::Yes,
            _ => Answer::No,
        }
    }

    async fn ask(&self, prompt: &Prompt) -> SecondFactor {
        if !self.can_ask {
            return std::future::pending().await;
        }
        self.progress.pause();
        let resume = ResumeSpinner(&self.progress);
        let question = format!(
            "{} for account {} ({}), here or in the window, until {} IST: ",
            prompt.kind.as_str(),
            prompt.account,
            prompt.api,
            in_ist(prompt.deadline).format("%H:%M:%S")
        );
        let answer = match tty::read_hidden(&question).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read; please type in the browser window");
                std::future::pending().await
            }
        };
        drop(resume);
        SecondFactor::new(answer.trim())
    }

    async fn show_link(&self, link: &SignInLink) {
        // It holds the attempt's state: on the operator's screen, but in no log file.
        if self.can_show {
            let width = console::Term::stderr().size().1;
            self.progress
                .line(&link::words(link, self.can_ask, usize::from(width)));
        }
    }

    async fn ask_address(&self, link: &SignInLink) -> RedirectAddress {
        if !self.can_ask {
            return std::future::pending().await;
        }
        self.progress.pause();
        let resume = ResumeSpinner(&self.progress);
        let answer = match tty::read_hidden(&link::question(link)).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read; only the callback can bring the code");
                std::future::pending().await
            }
        };
        drop(resume);
        RedirectAddress::new(answer.trim())
    }
}

/// Brings the spinner back when a prompt ends, also when the window was used instead.
struct ResumeSpinner<'a>(&'a Progress);

impl Drop for ResumeSpinner<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}
