//! Reads one secret line from the terminal without showing it, or a yes or no, in a way that can be taken back: dropping
//! the future restores the terminal. (Prompt libraries block a thread until the answer is there.)

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use secrecy::zeroize::{Zeroize, Zeroizing};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::sleep;
use vega_domain::visible::visible;

use crate::terminal::countdown::Countdown;
use crate::terminal::output::REWRITE;

/// Longer than any OTP, PIN or redirect address; a line longer than this is no answer.
const LONGEST: usize = 4096;

/// What comes after the end of a line within this time was pasted with it.
const ONE_PASTE: Duration = Duration::from_millis(100);

/// How much of the input is one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Line,
    /// A mail may have broken what is pasted into several lines.
    Paste,
}

/// Asks `question` on the terminal and reads the answer to it. Under it stands what to type and the time left, rewritten
/// each second: nothing that is typed shows, so nothing is disturbed. What `read` refuses is told and asked for again, as
/// empty lines are; the time goes on.
pub(crate) async fn read_hidden<T>(
    question: &str,
    what: &str,
    countdown: Countdown,
    answer: Answer,
    read: impl Fn(&str) -> Result<T, String>,
) -> io::Result<T> {
    let mut terminal = QuietTerminal::open()?;
    terminal.write(&format!("{}\n", visible(question)))?;
    loop {
        let line = terminal.line(what, &countdown, answer).await?;
        if line.trim().is_empty() {
            continue;
        }
        match read(&line) {
            Ok(value) => return Ok(value),
            // As in `line`: a terminal that takes nothing may still be read.
            Err(problem) => drop(terminal.write(&format!("{REWRITE}{problem}\n"))),
        }
    }
}

/// Asks `question` on the terminal and reads one key: y or n, or Enter for what is proposed. Other keys are no answer.
pub(crate) async fn read_yes(question: &str, proposed: bool) -> io::Result<bool> {
    let mut terminal = QuietTerminal::open_for_keys()?;
    terminal.write(&format!(
        "{} {} ",
        visible(question),
        if proposed { "(Y/n)" } else { "(y/N)" }
    ))?;
    loop {
        let mut keys = [0; 16];
        let read = terminal.input.read(&mut keys).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(answer) = answer(keys[0], proposed) else {
            continue;
        };
        terminal.write(if answer { "yes\n" } else { "no\n" })?;
        return Ok(answer);
    }
}

fn answer(key: u8, proposed: bool) -> Option<bool> {
    match key {
        b'y' | b'Y' => Some(true),
        b'n' | b'N' => Some(false),
        b'\r' | b'\n' => Some(proposed),
        _ => None,
    }
}

/// The controlling terminal with echo off. Dropping it brings echo back.
struct QuietTerminal {
    terminal: File,
    /// The same terminal, for the runtime to wait on. It is no pipe, but read the same way.
    input: pipe::Receiver,
    before: Termios,
}

impl QuietTerminal {
    fn open() -> io::Result<Self> {
        Self::open_without(LocalFlags::ECHO)
    }

    /// Each key comes at once, and not with its line.
    fn open_for_keys() -> io::Result<Self> {
        Self::open_without(LocalFlags::ECHO | LocalFlags::ICANON)
    }

    fn open_without(flags: LocalFlags) -> io::Result<Self> {
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open("/dev/tty")?;
        let input = pipe::Receiver::from_file_unchecked(terminal.try_clone()?)?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(flags);
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self {
            terminal,
            input,
            before,
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.terminal.write_all(text.as_bytes())
    }

    async fn line(
        &mut self,
        what: &str,
        countdown: &Countdown,
        answer: Answer,
    ) -> io::Result<Zeroizing<String>> {
        let mut line = Zeroizing::new(String::with_capacity(LONGEST));
        let mut part = Zeroizing::new([0; LONGEST]);
        loop {
            // A terminal that is stopped takes nothing: no reason to read no more.
            let _ = self.write(&format!("{REWRITE}{what}, {countdown} left: "));
            let is_whole = line.ends_with('\n');
            let read = tokio::select! {
                read = self.input.read(&mut *part) => read?,
                () = sleep(ONE_PASTE), if is_whole => return Ok(line),
                () = countdown.tick(), if !is_whole => continue,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = Zeroizing::new(String::from_utf8_lossy(&part[..read]).into_owned());
            if line.len() + text.len() > LONGEST {
                line.zeroize();
            } else {
                line.push_str(&text);
            }
            if line.ends_with('\n') && answer == Answer::Line {
                return Ok(line);
            }
        }
    }
}

impl Drop for QuietTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
        let _ = self.write(REWRITE);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case::yes(b"yY", Some(true), Some(true))]
    #[case::no(b"nN", Some(false), Some(false))]
    #[case::enter_takes_what_is_proposed(b"\r\n", Some(true), Some(false))]
    #[case::others_are_no_answer(b" q1\x04\x1b\x7f", None, None)]
    fn a_key_answers(
        #[case] keys: &[u8],
        #[case] proposed: Option<bool>,
        #[case] not_proposed: Option<bool>,
    ) {
        for key in keys {
            assert_eq!(super::answer(*key, true), proposed, "{key}");
            assert_eq!(super::answer(*key, false), not_proposed, "{key}");
        }
    }
}
