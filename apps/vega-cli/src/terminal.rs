//! The human at the terminal: shows the plan, asks for a yes, offers the OTP and PIN prompts, shows events and what has
//! to be done in the window.

pub(crate) mod countdown;
pub(crate) mod link;
pub(crate) mod output;
pub(crate) mod progress;
pub(crate) mod tty;

use std::future::pending;
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::zeroize::Zeroizing;
use tokio::time::timeout;
use vega_domain::event::Event;
use vega_domain::expiry::in_ist;
use vega_domain::plan::Plan;
use vega_domain::ports::{Answer, Approver, EventSink, Presenter, Prompter};
use vega_domain::run::Wait;
use vega_domain::secret::{AccessToken, RedirectAddress, SecondFactor};
use vega_domain::sign_in::{Prompt, SignInLink, WindowTask};

use crate::exit::Exit;
use crate::report;
use crate::terminal::countdown::Countdown;
use crate::terminal::progress::Progress;

/// How long somebody may take to find a token on Upstox's page.
const TOKEN_WAIT: Duration = Duration::from_mins(10);
/// In bytes; more is no token.
const LONGEST_INPUT: usize = 16 * 1024;

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
            can_ask: can_show && std::io::stdin().is_terminal() && is_in_foreground(),
            can_show,
            progress: Progress::new(can_show),
        }
    }

    /// Asks for a yes to what Enter alone must not begin. `--yes` is one.
    pub(crate) async fn is_meant(&self, question: &str) -> Answer {
        match (self.assume_yes, self.can_ask) {
            (true, _) => Answer::Yes,
            (false, false) => Answer::NobodyToAsk,
            (false, true) => ask_yes(question, false).await,
        }
    }

    /// Reads a token: hidden, where there is a human to type it, else from what is piped in. What is none is asked for again, or is the
    /// problem that is returned.
    pub(crate) async fn token(&self, question: &str) -> io::Result<Result<AccessToken, (Exit, String)>> {
        let read = |line: &str| AccessToken::read(line).map_err(|problem| problem.to_string());
        if self.can_ask {
            let countdown = Countdown::of(TOKEN_WAIT);
            let asked = tty::read_hidden(question, "token", countdown, tty::Answer::Line, read);
            return match timeout(TOKEN_WAIT, asked).await {
                Ok(token) => token.map(Ok),
                Err(_) => Ok(Err((
                    Exit::SecondFactorTimeout,
                    "nothing was typed in time, so nothing was stored".into(),
                ))),
            };
        }
        if std::io::stdin().is_terminal() {
            let words = "nobody can be asked here. Pipe the token in: `vega adopt … < FILE`";
            return Ok(Err((Exit::HumanNeeded, words.into())));
        }
        let piped = tokio::task::spawn_blocking(|| {
            let mut text = Zeroizing::new(String::with_capacity(LONGEST_INPUT));
            let read = std::io::stdin()
                .take(LONGEST_INPUT as u64)
                .read_to_string(&mut text);
            read.map(|_| text)
        });
        let text = piped.await.map_err(io::Error::other)??;
        Ok(read(&text).map_err(|problem| (Exit::Usage, problem)))
    }

    /// Says something while anything else may stand on the screen.
    pub(crate) fn say(&self, words: &str) {
        self.progress.line(words);
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
impl Approver for Terminal {
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
        if let Some(estimate) = plan.estimate() {
            output::say(&report::estimate(estimate, plan.apis().len()));
        }
        for stop in plan.stopped() {
            output::say(&report::stopped(stop));
        }
        for planned in plan.unresolved() {
            if let Some(failure) = &planned.unresolved {
                output::say(&format!("{}: {}", planned.api, report::with_advice(failure)));
            }
        }
        if self.assume_yes {
            return if plan.stopped().is_empty() && plan.unresolved().next().is_none() {
                Answer::Yes
            } else {
                Answer::StandingYes
            };
        }
        if !self.can_ask {
            return Answer::NobodyToAsk;
        }
        let opening = if plan.stopped().is_empty() {
            ""
        } else {
            " and open what is stopped"
        };
        // Enter alone must neither open a stop nor spend another OTP.
        let proposed = plan.stopped().is_empty() && plan.unresolved().next().is_none();
        let begin = if plan.taken_up().is_some() {
            "Go on with"
        } else {
            "Sign in for"
        };
        ask_yes(&format!("{begin} {}{opening} now?", count(plan)), proposed).await
    }

    fn who(&self) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid());
        let user = user.ok().flatten().map_or("a user".into(), |user| user.name);
        let how = if self.assume_yes {
            "with --yes"
        } else {
            "at a terminal"
        };
        format!("{user}, {how}")
    }

    async fn confirm_again(&self, rest: &Plan) -> Answer {
        if !self.can_ask {
            return Answer::NobodyToAsk;
        }
        self.progress.pause();
        let _resume = ResumeSpinner(&self.progress);
        output::say("Nobody was at the desk before, so your yes is needed once more.");
        ask_yes(&format!("Sign in for {} now?", count(rest)), true).await
    }
}

#[async_trait]
impl Prompter for Terminal {
    fn is_there(&self) -> bool {
        self.can_ask
    }

    async fn ask(&self, prompt: &Prompt) -> SecondFactor {
        if !self.can_ask {
            return pending().await;
        }
        let asking = self.progress.asking();
        let question = format!(
            "{} for account {} ({}), here or in the window, until {} IST",
            prompt.kind.as_str(),
            prompt.account,
            prompt.api,
            in_ist(prompt.deadline).format("%H:%M:%S")
        );
        let countdown = Countdown::of(prompt.time_left);
        let read = |line: &str| {
            SecondFactor::read(prompt.kind, line).map_err(|problem| {
                format!("{problem}. It was not sent to Upstox and is no try: type it again.")
            })
        };
        let what = prompt.kind.as_str();
        let answer = match tty::read_hidden(&question, what, countdown, tty::Answer::Line, read).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read; please type in the browser window");
                pending().await
            }
        };
        drop(asking);
        answer
    }

    async fn ask_address(&self, link: &SignInLink, time_left: Duration) -> RedirectAddress {
        if !self.can_ask {
            return std::future::pending().await;
        }
        let asking = self.progress.asking();
        let countdown = Countdown::of(time_left);
        let read = |lines: &str| Ok(RedirectAddress::new(lines.trim()));
        let (question, paste) = (link::question(link), tty::Answer::Paste);
        let answer = match tty::read_hidden(&question, "address", countdown, paste, read).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read; only the callback can bring the code");
                std::future::pending().await
            }
        };
        drop(asking);
        answer
    }
}

#[async_trait]
impl Presenter for Terminal {
    async fn show_wait(&self, wait: &Wait) {
        let shown = self.progress.task();
        let countdown = Countdown::of(wait.left);
        loop {
            shown.say(format!(
                "account {} is {}; goes on in {countdown}",
                wait.account,
                wait.cause.summary()
            ));
            countdown.tick().await;
        }
    }

    fn can_see_links(&self) -> bool {
        self.can_show
    }

    async fn show_link(&self, link: &SignInLink) {
        // It holds the attempt's state: on the operator's screen, but in no log file.
        if self.can_show {
            let width = console::Term::stderr().size().1;
            self.progress
                .line(&link::words(link, self.can_ask, usize::from(width)));
        }
    }

    async fn show(&self, task: &WindowTask) {
        let Some(words) = task.notice.task() else {
            return pending().await;
        };
        let shown = self.progress.task();
        let countdown = Countdown::of(task.time_left);
        loop {
            shown.say(format!("{}: {words}, {countdown} left", task.api));
            countdown.tick().await;
        }
    }
}

/// Whether the terminal is this program's now: one in the background (`vega --yes &`) would be halted by its first prompt.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    nix::unistd::tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == nix::unistd::getpgrp())
}

#[cfg(not(unix))]
fn is_in_foreground() -> bool {
    true
}

fn count(plan: &Plan) -> String {
    match plan.apis().len() {
        1 => "1 API".into(),
        several => format!("{several} APIs"),
    }
}

async fn ask_yes(question: &str, proposed: bool) -> Answer {
    match tty::read_yes(question, proposed).await {
        Ok(true) => Answer::Yes,
        Ok(false) => Answer::No,
        Err(error) => {
            tracing::warn!(%error, "the terminal cannot be read");
            Answer::No
        }
    }
}

/// Brings the spinner back when a prompt ends, also when the window was used instead.
struct ResumeSpinner<'a>(&'a Progress);

impl Drop for ResumeSpinner<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::timeout;
    use vega_domain::failure::{Failure, FailureReason};
    use vega_testing::builders::{plan, wait, window_task};

    use super::*;

    fn terminal(assume_yes: bool) -> Terminal {
        let terminal = Terminal {
            assume_yes,
            can_ask: false,
            can_show: true,
            progress: Progress::new(true),
        };
        terminal.progress.start("PRIMARY: signing in");
        terminal
    }

    fn unresolved() -> Plan {
        let mut planned = plan(&["PRIMARY"]).apis().to_vec();
        planned[0].unresolved = Some(Failure::new(FailureReason::NeedsReview, "words"));
        Plan::of(planned).unwrap()
    }

    /// `--yes` is the operator's own, and says no more than they could know when they typed it.
    #[rstest]
    #[case::nobody(false, plan(&["PRIMARY"]), Answer::NobodyToAsk)]
    #[case::yes(true, plan(&["PRIMARY"]), Answer::Yes)]
    #[case::unforeseen(true, unresolved(), Answer::StandingYes)]
    #[tokio::test]
    async fn a_terminal_says_yes_for_nobody(
        #[case] assume_yes: bool,
        #[case] plan: Plan,
        #[case] expected: Answer,
    ) {
        let terminal = terminal(assume_yes);
        assert_eq!(terminal.confirm(&plan).await, expected);
        assert_eq!(terminal.confirm_again(&plan).await, Answer::NobodyToAsk);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_stands_with_its_time_left_until_it_is_dropped() {
        let (terminal, task) = (terminal(false), window_task());
        let mut shown = terminal.show(&task);
        let half_a_minute = timeout(Duration::from_millis(30_500), &mut shown).await;
        assert!(half_a_minute.is_err());
        assert_eq!(
            terminal.progress.says().unwrap(),
            "PRIMARY: solve the challenge in the browser window, 4:30 left"
        );
        let much_later = timeout(Duration::from_hours(1), &mut shown).await;
        assert!(
            much_later.is_err(),
            "it does not end by itself, also after the deadline"
        );
        drop(shown);
        assert_eq!(terminal.progress.says().unwrap(), "PRIMARY: signing in");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_shown_until_it_is_dropped() {
        let (terminal, wait) = (terminal(false), wait());
        let mut shown = terminal.show_wait(&wait);
        let a_minute = timeout(Duration::from_millis(60_500), &mut shown).await;
        assert!(a_minute.is_err());
        assert_eq!(
            terminal.progress.says().unwrap(),
            "account default is waiting for its OTP budget; goes on in 10:00"
        );
        let much_later = timeout(Duration::from_hours(1), &mut shown).await;
        assert!(much_later.is_err(), "it does not end by itself");
        drop(shown);
        assert_eq!(terminal.progress.says().unwrap(), "PRIMARY: signing in");
    }
}
