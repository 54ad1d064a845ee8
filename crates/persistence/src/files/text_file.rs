//! Reads small text files that humans and other programs wrote, and tells what is wrong with one that gives no text: a
//! folder, a link, a pipe that nobody writes to, somebody else's file, bytes that are no text, and where. Marks and
//! encodings of editors are understood; the content itself is never told.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use nix::unistd::geteuid;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// A pipe is read while its writer writes; one that nobody writes to would be waited for without end.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// Why a file gives no text, to follow "it" or its name: what is wrong, and what to do.
#[derive(Debug, Error)]
pub enum NoText {
    /// Nothing is there.
    #[error("is not there. Put it there, or correct its name")]
    Missing,
    /// Not even its folder is there.
    #[error("is not there, nor is {}. Correct the path", .0.display())]
    MissingFolder(PathBuf),
    /// A link whose goal is gone.
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
    /// What has no content of its own.
    #[error("is {0} and no plain file. Move it away, or name a file")]
    NoFile(&'static str),
    /// A pipe into which nobody wrote.
    #[error("is a pipe into which nobody wrote for {} s. Name a plain file", PIPE_PATIENCE.as_secs())]
    SilentPipe,
    /// The system lets this user not read it.
    #[error(
        "may not be read by this user (id {user}): it belongs to user {owner} and has mode {mode:o}. \
         Give it to this user with chown, or let them read it with chmod"
    )]
    Denied {
        /// Who asked.
        user: u32,
        /// Whose it is.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
    /// It lies behind a folder that this user may not enter.
    #[error("lies in {}, which this user may not enter. Let them with chmod or chown (ls -ld shows its owner)", .0.display())]
    Behind(PathBuf),
    /// Longer than anything of its kind.
    #[error("is larger than {} KiB, which is too much for it: it must be another file. Name the right one", .0 / 1024)]
    TooLarge(usize),
    /// Bytes that are no text.
    #[error(
        "is no UTF-8 text: line {line} has a wrong byte ({byte:#04x}) at byte {column}. Save it as UTF-8"
    )]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// Within the line, from 1.
        column: usize,
        /// The first wrong one.
        byte: u8,
    },
    /// UTF-16 with a torn end or half a character.
    #[error("begins as UTF-16 text and does not go on so. Save it as UTF-8")]
    NotUtf16,
    /// UTF-16 without its mark, or no text at all.
    #[error("is no text: line {line} holds a NUL at byte {column}. Save it as UTF-8")]
    Nul {
        /// From 1.
        line: usize,
        /// Within the line, from 1.
        column: usize,
    },
    /// Anything else that the system says.
    #[error("cannot be read ({0}). Check the path and the disk")]
    Io(io::Error),
}

impl NoText {
    /// What a path is that the system refused so.
    pub fn of(path: &Path, error: io::Error) -> Self {
        why(path, error)
    }

    /// Whether nothing is there, and nothing is in the way either.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::MissingFolder(_))
    }
}

/// The text of a file of at most `limit` bytes, without the marks that editors put before it.
pub fn read_text(path: &Path, limit: usize) -> Result<Zeroizing<String>, NoText> {
    text_of(open(path)?, limit)
}

/// The same where the caller looks at the open file first.
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
    /// Opened only when it is read, for that waits until somebody writes.
    Pipe(PathBuf),
}

/// Opens what is there, and waits for nobody.
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

/// As from `<(pass show …)` in a shell.
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

/// Line and byte within it, both from 1.
fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.split(|byte| *byte == b'\n').count();
    (line, at - line_start + 1)
}

/// What a path that does not open is.
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

/// The nearest folder to the root that is not there.
fn first_missing(path: &Path) -> Option<PathBuf> {
    let folders = path
        .ancestors()
        .skip(1)
        .filter(|part| !part.as_os_str().is_empty());
    let missing = folders.take_while(|part| part.symlink_metadata().is_err());
    missing.last().map(Path::to_owned)
}

/// The folder that keeps this user from what lies below.
fn closed_folder(path: &Path) -> PathBuf {
    let visible = |part: &&Path| part.metadata().is_ok();
    let folder = path.ancestors().skip(1).find(visible);
    folder.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests;
