//! Shows events: as lines for a log, and with a spinner on a terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use vega_domain::event::Event;
use vega_domain::expiry::in_ist;
use vega_domain::ids::ApiName;
use vega_domain::run::StepState;
use vega_domain::sign_in::Screen;
use vega_domain::visible::on_one_line;

use crate::terminal::output;

/// Shows events as they come.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
    /// On the screen while something goes on; none otherwise, and never without a terminal.
    spinner: Mutex<Option<ProgressBar>>,
    message: Mutex<Message>,
    /// A prompt of `tty` stands on the last line.
    is_asking: AtomicBool,
}

/// What the spinner says.
#[derive(Debug, Default)]
struct Message {
    doing: String,
    /// What the human has to do; it hides what goes on.
    task: Option<String>,
}

impl Message {
    fn words(&self) -> String {
        on_one_line(self.task.as_ref().unwrap_or(&self.doing)).into_owned()
    }
}

impl Progress {
    pub(crate) fn new(is_terminal: bool) -> Self {
        Self {
            is_terminal,
            spinner: Mutex::default(),
            message: Mutex::default(),
            is_asking: AtomicBool::new(false),
        }
    }

    /// Says what goes on.
    pub(crate) fn start(&self, what: &str) {
        what.clone_into(&mut locked(&self.message).doing);
        self.resume();
    }

    /// Brings the spinner back.
    pub(crate) fn resume(&self) {
        if !self.is_terminal {
            return;
        }
        let words = locked(&self.message).words();
        let mut spinner = locked(&self.spinner);
        let bar = spinner.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(words);
    }

    /// Takes the spinner off the screen, so that something else can be written there.
    pub(crate) fn pause(&self) {
        if let Some(bar) = locked(&self.spinner).take() {
            bar.finish_and_clear();
        }
    }

    /// Makes room for a hidden prompt, until that is dropped; then the spinner is back, also when the human did it elsewhere.
    pub(crate) fn asking(&self) -> Asking<'_> {
        self.pause();
        self.is_asking.store(true, Ordering::Relaxed);
        Asking(self)
    }

    /// Says what the human has to do, until that is dropped.
    pub(crate) fn task(&self) -> Task<'_> {
        Task(self)
    }

    /// Changes what goes on, without bringing back a spinner that is off.
    fn now(&self, doing: String) {
        self.say(|message| message.doing = doing);
    }

    fn say(&self, change: impl FnOnce(&mut Message)) {
        let words = {
            let mut message = locked(&self.message);
            change(&mut message);
            message.words()
        };
        if let Some(bar) = &*locked(&self.spinner) {
            bar.set_message(words);
        }
    }

    /// What stands on the screen.
    #[cfg(test)]
    pub(crate) fn says(&self) -> Option<String> {
        locked(&self.spinner).as_ref().map(ProgressBar::message)
    }

    /// Writes `text` above the spinner, or above the prompt, which comes back with its next second.
    pub(crate) fn line(&self, text: &str) {
        match &*locked(&self.spinner) {
            Some(bar) => bar.suspend(|| output::say(text)),
            None if self.is_behind_a_prompt() => output::say_instead(text),
            None => output::say(text),
        }
    }

    fn is_behind_a_prompt(&self) -> bool {
        self.is_asking.load(Ordering::Relaxed)
    }

    pub(crate) fn show(&self, event: &Event) {
        match event {
            Event::TokenChecked { api, status } => self.line(&format!("  {api:<14} {status}")),
            // A run that only had to be called complete.
            Event::RunStarted { open: 0, .. } => {}
            Event::RunStarted { open, .. } => {
                self.start("Starting …");
                self.line(&match open {
                    1 => "Signing in for 1 API.".to_owned(),
                    open => format!("Signing in for {open} APIs, one after the other."),
                });
            }
            Event::StepChanged { api, state, .. } => self.step(api, state),
            Event::ScreenSeen { api, screen } => {
                if let Some(doing) = on_screen(*screen) {
                    self.now(format!("{api}: {doing}"));
                }
            }
            Event::OtpRequested { account, .. } => {
                self.line(&format!(
                    "  Get OTP pressed for account {account}: look at the phone."
                ));
            }
            Event::Noticed { api, notice } => self.line(&format!("  {api}: {notice}")),
            Event::TokenPublished { api, generation } => {
                self.line(&format!(
                    "  {api:<14} token stored and verified (generation {generation})"
                ));
            }
            Event::KeptInSpool { api, why } => self.line(&format!(
                "  {api}: {why}. Nothing is lost: what came is sealed in the spool beside the database, programs can use \
                 the token, and Vega stores it as soon as the database accepts it."
            )),
            Event::KeptInMemoryOnly { api, why } => self.line(&format!(
                "  ALARM {api}: {why}, and the spool did not take the token either. It is lost when this program ends: \
                 make room on the disk now."
            )),
            Event::RunWaits { wait, .. } => self.line(&format!(
                "Account {} is {}. The run goes on at {} IST by itself; what is stored can be used now.",
                wait.account,
                wait.cause,
                in_ist(wait.until).format("%H:%M:%S")
            )),
            Event::RunGoesOn { .. } => self.line("The run goes on."),
            Event::RunEnded { .. } => self.pause(),
        }
    }

    fn step(&self, api: &ApiName, state: &StepState) {
        match state {
            StepState::SigningIn => self.now(format!("{api}: signing in")),
            StepState::Exchanging => self.now(format!("{api}: exchanging the code")),
            StepState::Verifying => self.now(format!("{api}: verifying the token")),
            StepState::Failed(failure) => self.line(&format!("  {api:<14} failed: {failure}")),
            StepState::Skipped(reason) => self.line(&format!("  {api:<14} skipped: {}", reason.as_str())),
            StepState::Pending | StepState::Done => {}
        }
    }
}

/// A hidden prompt on the last line.
#[derive(Debug)]
pub(crate) struct Asking<'a>(&'a Progress);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.is_asking.store(false, Ordering::Relaxed);
        self.0.resume();
    }
}

/// What the human has to do, in place of what goes on.
#[derive(Debug)]
pub(crate) struct Task<'a>(&'a Progress);

impl Task<'_> {
    pub(crate) fn say(&self, words: String) {
        self.0.say(|message| message.task = Some(words));
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.0.say(|message| message.task = None);
    }
}

/// A panic elsewhere must not silence the progress.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_screen(screen: Screen) -> Option<&'static str> {
    match screen {
        Screen::Mobile => Some("mobile number"),
        Screen::Otp => Some("waiting for the OTP, in the browser window or here"),
        Screen::Pin => Some("waiting for the PIN, in the browser window or here"),
        Screen::Consent => Some("waiting for consent in the browser window"),
        Screen::Challenge => Some("waiting for the challenge to be solved in the browser window"),
        Screen::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use vega_testing::builders::one_event_of_each_kind;

    use super::*;

    #[test]
    fn what_is_told_does_not_land_behind_a_prompt() {
        let progress = Progress::new(false);
        assert!(!progress.is_behind_a_prompt());
        let asking = progress.asking();
        assert!(progress.is_behind_a_prompt());
        drop(asking);
        assert!(!progress.is_behind_a_prompt());
    }

    #[test]
    fn every_event_is_taken_with_and_without_a_terminal() {
        for is_terminal in [true, false] {
            let progress = Progress::new(is_terminal);
            for event in one_event_of_each_kind() {
                progress.show(&event);
            }
            let doing = &locked(&progress.message).doing;
            assert_eq!(
                doing,
                "PRIMARY: waiting for the OTP, in the browser window or here"
            );
        }
    }

    /// A spinner is one line.
    #[test]
    fn what_goes_on_is_one_line_that_steers_no_terminal() {
        let message = Message {
            doing: "PRIMARY: \u{1b}[2J\nwords".into(),
            task: None,
        };
        assert_eq!(message.words(), "PRIMARY: \\u{1b}[2J\\nwords");
    }
}
