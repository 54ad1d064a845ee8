//! Signals that come to `vega exec` while a command runs: which of them the command has to get from Vega. A terminal sends its own to a
//! whole process group: a command that stayed in Vega's group has them already. What a process sends to Vega is for the command.

use std::future::pending;
use std::{io, thread};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Those that Vega hands on. `SIGKILL` and `SIGSTOP` nobody can; the ones of a process's own mistakes it would be wrong to.
/// Of real-time signals the system has no names, and so this has none.
const HANDED_ON: [Signal; 15] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGIO,
    Signal::SIGPROF,
    Signal::SIGPWR,
    Signal::SIGURG,
];

/// Signals kept back from this process, to be handed on.
pub(crate) struct Signals(Mutex<UnboundedReceiver<Came>>);

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) signal: Signal,
    /// The kernel sent it, as it does for a terminal; else a process did.
    is_of_the_kernel: bool,
}

impl Came {
    fn of(came: &siginfo) -> Option<Self> {
        let signal = Signal::try_from(i32::try_from(came.ssi_signo).ok()?).ok()?;
        Some(Self {
            signal,
            is_of_the_kernel: came.ssi_code > 0,
        })
    }

    /// Whether a command has it only if Vega hands it on.
    pub(crate) fn is_to_be_handed_on(self, command_is_in_our_group: bool) -> bool {
        !(self.is_of_the_kernel && command_is_in_our_group)
    }

    /// Whether whoever sent it wants a command to end. `SIGHUP` tells many to read their settings anew.
    pub(crate) fn ends_a_command(self) -> bool {
        matches!(self.signal, Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
    }

    /// The same where there is no command.
    fn ends(self) -> bool {
        self.ends_a_command() || self.signal == Signal::SIGHUP
    }
}

/// The signals that a process ignores, by what `/proc` says of it.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

fn is_among(signal: Signal, mask: u64) -> bool {
    mask >> (signal as i32 - 1) & 1 == 1
}

impl Signals {
    /// From now on. To be called before there is a second thread, which would get them instead.
    pub(crate) fn keep_back() -> io::Result<Self> {
        // What whoever started Vega has it ignore, as `nohup` does, the command ignores by itself.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        let mut set = SigSet::empty();
        set.extend(HANDED_ON.into_iter().filter(|signal| !is_among(*signal, ignored)));
        set.thread_block()?;
        let kept = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
        let (tell, told) = unbounded_channel();
        // It waits in the kernel until the program ends.
        thread::Builder::new().name("signals".into()).spawn(move || {
            while let Ok(came) = kept.read_signal() {
                if let Some(came) = came.as_ref().and_then(Came::of)
                    && tell.send(came).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(Self(Mutex::new(told)))
    }

    /// The next one. Dropping this loses none.
    pub(crate) async fn next(&self) -> Came {
        let came = self.0.lock().await.recv().await;
        match came {
            Some(came) => came,
            // The thread that tells of them is gone: nobody can ask.
            None => pending().await,
        }
    }

    /// The next one that asks to end; others are of no use where there is no command.
    pub(crate) async fn next_that_ends(&self) -> Signal {
        loop {
            let came = self.next().await;
            if came.ends() {
                return came.signal;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_nohup_ignores_is_told() {
        let mask =
            ignored("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000440\n");
        assert!(is_among(Signal::SIGHUP, mask) && is_among(Signal::SIGPIPE, mask));
        assert!(!is_among(Signal::SIGTERM, mask));
        assert_eq!(ignored("nothing"), 0);
    }

    #[rstest]
    #[case::a_terminals_for_the_group(true, true, false)]
    #[case::a_terminals_for_us_alone(true, false, true)]
    #[case::a_processes_own(false, true, true)]
    #[case::a_processes_own_elsewhere(false, false, true)]
    fn a_command_gets_each_signal_once(
        #[case] is_of_the_kernel: bool,
        #[case] is_in_our_group: bool,
        #[case] expected: bool,
    ) {
        let came = Came {
            signal: Signal::SIGINT,
            is_of_the_kernel,
        };
        assert_eq!(came.is_to_be_handed_on(is_in_our_group), expected);
    }
}
