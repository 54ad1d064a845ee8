//! Reads small text files that humans and other programs wrote. Where a file gives no text, reports what is wrong and
//! where: a folder, a link, a pipe that nobody writes to, another user's file, bytes that are not text. Understands the
//! byte order marks and encodings of editors; never reports the content itself.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use nix::unistd::geteuid;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// How long to wait for the writer of a pipe; without a limit, a pipe that nobody writes to would block for ever.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a file gives no text: what is wrong, and what to do. The message follows "it" or the file's name.
#[derive(Debug, Error)]
pub enum NoText {
    /// Nothing is there.
    #[error("is not there. Put it there, or correct its name")]
    Missing,
    /// Its folder is missing too.
    #[error("is not there, nor is {}. Correct the path", .0.display())]
    MissingFolder(PathBuf),
    /// A link whose target is missing.
    #[error("is a link that leads nowhere (to {}). Mend it, or remove it", .0.display())]
    DeadLink(PathBuf),
    /// Links that lead to each other.
    #[error("is a link that leads back to itself. Mend it, or remove it")]
    Loop,
    /// A folder.
    #[error("is a folder. Move it away, or name a file")]
    Folder,
    /// A part of its path is a file.
    #[error("cannot be there: {} is no folder. Correct the path", .0.display())]
    BelowAFile(PathBuf),
    /// Something that has no content of its own, such as a device.
    #[error("is {0} and no plain file. Move it away, or name a file")]
    NoFile(&'static str),
    /// A pipe into which nobody wrote.
    #[error("is a pipe into which nobody wrote for {} s. Name a plain file", PIPE_PATIENCE.as_secs())]
    SilentPipe,
    /// This user has no permission to read it.
    #[error(
        "may not be read by this user (id {user}): it belongs to user {owner} and has mode {mode:o}. \
         Give it to this user with chown, or let them read it with chmod"
    )]
    Denied {
        /// The user that tried to read it.
        user: u32,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// It is in a folder that this user may not enter.
    #[error("lies in {}, which this user may not enter. Let them with chmod or chown (ls -ld shows its owner)", .0.display())]
    Behind(PathBuf),
    /// It is longer than any file of its kind.
    #[error("is larger than {} KiB, which is too much for it: it must be another file. Name the right one", .0 / 1024)]
    TooLarge(usize),
    /// Its bytes are not text.
    #[error(
        "is no UTF-8 text: line {line} has a wrong byte ({byte:#04x}) at byte {column}. Save it as UTF-8"
    )]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The byte within the line, from 1.
        column: usize,
        /// The first invalid byte.
        byte: u8,
    },
    /// UTF-16 with a torn end or half a character.
    #[error("begins as UTF-16 text and does not go on so. Save it as UTF-8")]
    NotUtf16,
    /// UTF-16 without its byte order mark, or no text at all.
    #[error("is no text: line {line} holds a NUL at byte {column}. Save it as UTF-8")]
    Nul {
        /// The line, from 1.
        line: usize,
        /// The byte within the line, from 1.
        column: usize,
    },
    /// Any other error of the system.
    #[error("cannot be read ({0}). Check the path and the disk")]
    Io(io::Error),
}

impl NoText {
    /// Describes a path that the system refused with this error.
    pub fn of(path: &Path, error: io::Error) -> Self {
        why(path, error)
    }

    /// Whether nothing is there, and nothing prevents making it.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::MissingFolder(_))
    }
}

/// Reads the text of a file of at most `limit` bytes, without a byte order mark.
pub fn read_text(path: &Path, limit: usize) -> Result<Zeroizing<String>, NoText> {
    text_of(open(path)?, limit)
}

/// The same for a caller that first examines the open file.
pub(crate) fn text_of(file: Opened, limit: usize) -> Result<Zeroizing<String>, NoText> {
    let bytes = match file {
        Opened::Plain(file, _) => capped(file, limit)?,
        Opened::Pipe(path) => from_pipe(path, limit)?,
    };
    decoded(&bytes)
}

/// A file that can be read.
pub(crate) enum Opened {
    Plain(File, Metadata),
    /// A pipe. It is opened only when it is read, because opening waits for a writer.
    Pipe(PathBuf),
}

/// Opens what is there, without waiting for a writer.
pub(crate) fn open(path: &Path) -> Result<Opened, NoText> {
    let why = |error| why(path, error);
    let kind = path.metadata().map_err(why)?;
    let file_type = kind.file_type();
    if file_type.is_fifo() {
        return Ok(Opened::Pipe(path.to_owned()));
    }
    if let Some(no_file) = no_file(&kind) {
        return Err(no_file);
    }
    let mut options = std::fs::OpenOptions::new();
    // Should it be a pipe by now, nobody is waited for.
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    let file = options.read(true).open(path).map_err(why)?;
    let about = file.metadata().map_err(NoText::Io)?;
    match no_file(&about) {
        Some(no_file) => Err(no_file),
        None if about.file_type().is_fifo() => Err(NoText::NoFile("a pipe")),
        None => Ok(Opened::Plain(file, about)),
    }
}

fn no_file(about: &Metadata) -> Option<NoText> {
    let kind = about.file_type();
    if kind.is_dir() {
        Some(NoText::Folder)
    } else if kind.is_socket() {
        Some(NoText::NoFile("a socket"))
    } else if kind.is_char_device() || kind.is_block_device() {
        Some(NoText::NoFile("a device"))
    } else {
        None
    }
}

fn capped(file: impl Read, limit: usize) -> Result<Zeroizing<Vec<u8>>, NoText> {
    // Made once in its full length, so that no part of a secret is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(NoText::Io)?;
    if bytes.len() > limit {
        Err(NoText::TooLarge(limit))
    } else {
        Ok(bytes)
    }
}

/// Reads a pipe, as from `<(pass show …)` in a shell.
fn from_pipe(path: PathBuf, limit: usize) -> Result<Zeroizing<Vec<u8>>, NoText> {
    let (sender, answer) = mpsc::sync_channel(1);
    // Opening it may wait without end; then the thread is left behind, and ends with the program.
    std::thread::spawn(move || {
        let read = File::open(&path).map_err(|error| why(&path, error));
        let _ = sender.send(read.and_then(|file| capped(file, limit)));
    });
    answer
        .recv_timeout(PIPE_PATIENCE)
        .unwrap_or(Err(NoText::SilentPipe))
}

fn decoded(bytes: &[u8]) -> Result<Zeroizing<String>, NoText> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        _ => utf8(bytes)?,
    };
    match text.find('\0') {
        None => Ok(text),
        Some(at) => {
            let (line, column) = place(text.as_bytes(), at);
            Err(NoText::Nul { line, column })
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<Zeroizing<String>, NoText> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let at = error.valid_up_to();
            let (line, column) = place(bytes, at);
            let byte = bytes[at];
            Err(NoText::NotUtf8 { line, column, byte })
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NoText> {
    let (pairs, torn) = bytes.as_chunks();
    let mut units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    let text = String::from_utf16(&units);
    units.zeroize();
    match text {
        Ok(text) if torn.is_empty() => Ok(Zeroizing::new(text)),
        _ => Err(NoText::NotUtf16),
    }
}

/// Line and byte within the line, both from 1.
fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.split(|byte| *byte == b'\n').count();
    (line, at - line_start + 1)
}

/// Why a path does not open.
fn why(path: &Path, error: io::Error) -> NoText {
    match error.kind() {
        ErrorKind::NotFound => match std::fs::read_link(path) {
            Ok(goal) => NoText::DeadLink(goal),
            Err(_) => match first_missing(path) {
                Some(folder) => NoText::MissingFolder(folder),
                None => NoText::Missing,
            },
        },
        ErrorKind::NotADirectory => {
            let is_file = |part: &&Path| part.metadata().is_ok_and(|about| !about.is_dir());
            let file = path.ancestors().skip(1).find(is_file).unwrap_or(path);
            NoText::BelowAFile(file.to_owned())
        }
        ErrorKind::IsADirectory => NoText::Folder,
        ErrorKind::PermissionDenied => match path.metadata() {
            Ok(about) => NoText::Denied {
                user: geteuid().as_raw(),
                owner: about.uid(),
                mode: about.mode() & 0o7777,
            },
            Err(_) => NoText::Behind(closed_folder(path)),
        },
        _ if error.raw_os_error() == Some(nix::libc::ELOOP) => NoText::Loop,
        _ if error.raw_os_error() == Some(nix::libc::ENXIO) => NoText::NoFile("a socket"),
        _ => NoText::Io(error),
    }
}

/// The missing folder that is nearest to the root.
fn first_missing(path: &Path) -> Option<PathBuf> {
    let folders = path
        .ancestors()
        .skip(1)
        .filter(|part| !part.as_os_str().is_empty());
    let missing = folders.take_while(|part| part.symlink_metadata().is_err());
    missing.last().map(Path::to_owned)
}

/// The folder that this user may not enter, and so cannot reach the file.
fn closed_folder(path: &Path) -> PathBuf {
    let visible = |part: &&Path| part.metadata().is_ok();
    let folder = path.ancestors().skip(1).find(visible);
    folder.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests;
