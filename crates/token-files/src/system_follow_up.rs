//! `FollowUpRunner` on this machine: runs the command, or sends the signal to the process whose number stands in a file.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vega_domain::file_delivery::{DeliveryFailure, DeliveryProblem};
use vega_domain::ports::FollowUpRunner;
use vega_domain::token::StoredToken;
use vega_domain::token_file::{FollowUp, FollowUpSignal, TokenFile};

use crate::blocking::blocking;
use crate::command::{CommandFailure, run};
use crate::others_may_change::OthersMayChange;

/// A service manager may take 90 s to restart a program.
const AT_MOST: Duration = Duration::from_mins(2);
/// Longer than any number of a process.
const LONGEST_PID: u64 = 64;

/// Tells programs of this machine.
#[derive(Debug)]
pub struct SystemFollowUpRunner {
    others_may_change: OthersMayChange,
    environment: Vec<(OsString, OsString)>,
}

impl SystemFollowUpRunner {
    /// Commands get this environment, which holds no secret.
    pub fn new(others_may_change: OthersMayChange, environment: Vec<(OsString, OsString)>) -> Self {
        Self {
            others_may_change,
            environment,
        }
    }
}

#[async_trait]
impl FollowUpRunner for SystemFollowUpRunner {
    async fn follow_up(&self, file: &TokenFile, token: &StoredToken) -> Result<(), DeliveryFailure> {
        match &file.then {
            None => Ok(()),
            Some(FollowUp::Command(words)) => {
                let path = file.path.to_string_lossy();
                let secret = token.access_token.expose();
                let ran = run(words, &path, &self.environment, AT_MOST, secret).await;
                ran.map_err(|failed| match failed {
                    CommandFailure::Failed(said) => DeliveryFailure::new(DeliveryProblem::ThenFailed, said),
                    CommandFailure::TooSlow(said) => DeliveryFailure::new(DeliveryProblem::ThenTooSlow, said),
                })
            }
            Some(FollowUp::Signal { signal, pid_file }) => {
                let (signal, pid_file, guard) = (*signal, pid_file.clone(), self.others_may_change);
                blocking(move || send(signal, &pid_file, guard))
                    .await
                    .map_err(|words| DeliveryFailure::new(DeliveryProblem::ThenFailed, words))
            }
        }
    }
}

/// Sends a signal to the process whose number is in a file. Nobody else may choose that process.
fn send(signal: FollowUpSignal, pid_file: &Path, others_may_change: OthersMayChange) -> Result<(), String> {
    (others_may_change.file)(pid_file)?;
    let mut text = String::new();
    let read = File::open(pid_file).and_then(|file| file.take(LONGEST_PID).read_to_string(&mut text));
    read.map_err(|error| format!("{} cannot be read: {error}", pid_file.display()))?;
    // 0, 1 and negative numbers are all processes of a kind, or the first of all.
    let Some(process) = text.trim().parse::<i32>().ok().filter(|process| *process > 1) else {
        return Err(format!("{} holds no number of a process", pid_file.display()));
    };
    let signal = match signal {
        FollowUpSignal::Hup => Signal::SIGHUP,
        FollowUpSignal::Int => Signal::SIGINT,
        FollowUpSignal::Quit => Signal::SIGQUIT,
        FollowUpSignal::Term => Signal::SIGTERM,
        FollowUpSignal::Usr1 => Signal::SIGUSR1,
        FollowUpSignal::Usr2 => Signal::SIGUSR2,
        FollowUpSignal::Winch => Signal::SIGWINCH,
    };
    kill(Pid::from_raw(process), signal).map_err(|error| {
        format!(
            "{signal} cannot be sent to process {process} of {}: {}",
            pid_file.display(),
            error.desc()
        )
    })
}
