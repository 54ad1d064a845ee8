//! A program's answer on stdout, checked to its last byte: whoever reads it must be able to trust exit code 0. A reader that
//! went away (`vega audit | head -1`) has what it wanted; anything else that fails is told at the end.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was written to stdout so far, and what became of it.
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

    /// Writes `text`. After the first failure nothing more is written: what follows a gap is no answer.
    pub fn write(&self, text: &str) {
        let mut progress = self.progress();
        progress.is_begun = true;
        if progress.problem.is_none() {
            progress.problem = write_whole(text.as_bytes()).err();
        }
    }

    /// Whether anything was to be written.
    pub fn is_begun(&self) -> bool {
        self.progress().is_begun
    }

    /// Whether somebody has what was written, as far as that is known now.
    pub fn is_delivered(&self) -> bool {
        self.progress().problem.is_none()
    }

    /// Why the answer is not whole, when it is not and its reader still wants it. To be asked once, at the end.
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

/// Past the standard library's own stdout, which takes a descriptor that cannot be written to for success.
#[cfg(unix)]
fn write_whole(mut bytes: &[u8]) -> io::Result<()> {
    use std::os::fd::AsFd;
    use std::time::Duration;

    /// A pipe that somebody made non-blocking is asked again.
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

/// A network file system may say only when a file is closed that it has no room.
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
