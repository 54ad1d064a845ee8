//! What happens, as lines for a log and as a spinner for a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vega_domain::event::Event;
use vega_domain::ids::ApiName;
use vega_domain::run::StepState;
use vega_domain::sign_in::Screen;

use crate::output;

/// Shows events as they come.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Hidden where there is no terminal.
    spinner: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(is_terminal: bool) -> Self {
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            spinner.set_style(style);
        }
        Self { spinner, is_terminal }
    }

    pub(crate) fn start(&self, what: &str) {
        if self.is_terminal {
            self.spinner.set_draw_target(ProgressDrawTarget::stderr());
            self.spinner.enable_steady_tick(Duration::from_millis(120));
            self.spinner.set_message(what.to_owned());
        }
    }

    /// Takes the spinner off the screen, so that something else can be written there.
    pub(crate) fn pause(&self) {
        self.spinner.disable_steady_tick();
        self.spinner.suspend(|| ());
        self.spinner.set_draw_target(ProgressDrawTarget::hidden());
    }

    pub(crate) fn line(&self, text: &str) {
        self.spinner.suspend(|| output::say(text));
    }

    pub(crate) fn show(&self, event: &Event) {
        match event {
            Event::TokenChecked { api, status } => self.line(&format!("  {api:<14} {status}")),
            Event::RunStarted { steps, .. } => {
                self.start("Opening the browser …");
                self.line(&format!("Signing in for {steps} APIs, one after the other."));
            }
            Event::StepChanged { api, state, .. } => self.step(api, state),
            Event::ScreenSeen { api, screen } => {
                if let Some(doing) = on_screen(*screen) {
                    self.spinner.set_message(format!("{api}: {doing}"));
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
            Event::RunEnded { .. } => self.pause(),
        }
    }

    fn step(&self, api: &ApiName, state: &StepState) {
        match state {
            StepState::SigningIn => self.spinner.set_message(format!("{api}: signing in")),
            StepState::Exchanging => self.spinner.set_message(format!("{api}: exchanging the code")),
            StepState::Verifying => self.spinner.set_message(format!("{api}: verifying the token")),
            StepState::Failed(failure) => self.line(&format!("  {api:<14} failed: {failure}")),
            StepState::Skipped(reason) => self.line(&format!("  {api:<14} skipped: {}", reason.as_str())),
            StepState::Pending | StepState::Done => {}
        }
    }
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
