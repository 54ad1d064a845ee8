//! Writes a program's answer to stdout and checks it to the last byte: a program that reads it must be able to trust
//! exit code 0. A reader that closed the pipe (`vega audit | head -1`) has what it wanted; any other failure is
//! reported at the end.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was written to stdout so far, and whether that succeeded.
#[derive(Debug, Default)]
pub struct Answer(Mutex<Progress>);

#[derive(Debug, Default)]
struct Progress {
    is_begun: bool,
    problem: Option<io::Error>,
}

impl Answer {
    /// Nothing is written yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Progress {
            is_begun: false,
            problem: None,
        }))
    }

    /// Writes `text`. After the first failure nothing more is written: an answer with a gap is no answer.
    pub fn write(&self, text: &str) {
        let mut progress = self.progress();
        progress.is_begun = true;
        if progress.problem.is_none() {
            progress.problem = write_whole(text.as_bytes()).err();
        }
    }

    /// Whether there was anything to write.
    pub fn is_begun(&self) -> bool {
        self.progress().is_begun
    }

    /// Whether a reader has received what was written, as far as that is known now.
    pub fn is_delivered(&self) -> bool {
        self.progress().problem.is_none()
    }

    /// Returns the error if the answer is incomplete and its reader still wants it. Must be called once, at the end.
    pub fn finish(&self) -> io::Result<()> {
        let problem = self.progress().problem.take();
        match problem.map_or_else(close_checked, Err) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            ended => ended,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes directly and not through the standard library's stdout, which treats a descriptor that cannot be written to
/// as success.
#[cfg(unix)]
fn write_whole(mut bytes: &[u8]) -> io::Result<()> {
    use std::os::fd::AsFd;
    use std::time::Duration;

    /// The pause before another attempt on a pipe that somebody made non-blocking.
    const PAUSE: Duration = Duration::from_millis(2);

    let mut stdout = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    while !bytes.is_empty() {
        match stdout.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_whole(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Closes the output: a network file system may report a full disk only when a file is closed.
#[cfg(unix)]
fn close_checked() -> io::Result<()> {
    use std::os::fd::AsFd;
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(stdout) => Ok(nix::unistd::close(stdout)?),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn close_checked() -> io::Result<()> {
    io::stdout().flush()
}
