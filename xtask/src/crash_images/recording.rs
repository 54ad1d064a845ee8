//! What a program did to the files of a folder, read from what strace wrote. Calls that change a file in a way that the
//! disk of this harness does not know are an error: a recording that leaves something out proves nothing.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

/// What strace is told to record.
pub(crate) const CALLS: &str = "openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,\
     msync,ftruncate,truncate,fallocate,copy_file_range,sendfile,unlink,unlinkat,rename,renameat,renameat2,link,linkat,\
     close,lseek";

/// The file of the recorded folder that holds what the program said to be durable.
const ACKNOWLEDGED: &str = "acknowledged";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Created { name: String },
    Written { name: String, at: Place, bytes: Vec<u8> },
    Truncated { name: String, length: u64 },
    SyncBegan { name: String },
    Synced { name: String },
    FolderSynced { folder: String },
    Linked { from: String, to: String },
    Unlinked { name: String },
    Acknowledged { text: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Offset(u64),
    End,
}

/// An open file that is written with `write`, which goes on where the last one ended.
#[derive(Clone, Copy)]
struct Opened {
    appends: bool,
    position: u64,
}

#[derive(Default)]
struct Reader<'a> {
    root: &'a str,
    events: Vec<Event>,
    opened: HashMap<u64, Opened>,
}

/// Reads strace's output, made with `-f -y -xx`. `root` is the full path of the folder.
pub(crate) fn read(log: &str, root: &str) -> Result<Vec<Event>> {
    let mut reader = Reader {
        root,
        ..Reader::default()
    };
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    for (number, line) in log.lines().enumerate() {
        let (thread, rest) = line.split_once(' ').context("a line without a process id")?;
        let rest = rest.trim_start();
        let whole = if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            reader.began(begun)?;
            unfinished.insert(thread, begun.to_owned());
            continue;
        } else if rest.starts_with("<... ") {
            let (_, end) = rest.split_once(" resumed>").context("a call that goes on")?;
            let begun = unfinished
                .remove(thread)
                .context("the end of a call that never began")?;
            format!("{begun}{end}")
        } else {
            reader.began(rest)?;
            rest.to_owned()
        };
        let read = reader.call(&whole);
        read.with_context(|| format!("line {} of the recording: {:.200}", number + 1, whole))?;
    }
    Ok(reader.events)
}

impl Reader<'_> {
    /// A sync covers what was written before it began.
    fn began(&mut self, call: &str) -> Result<()> {
        if (call.starts_with("fsync(") || call.starts_with("fdatasync("))
            && let Some(name) = self.name(&descriptor(call)?.1)
        {
            self.events.push(Event::SyncBegan { name });
        }
        Ok(())
    }

    fn call(&mut self, line: &str) -> Result<()> {
        let Some((call, rest)) = line.split_once('(') else {
            // A signal or an exit.
            return Ok(());
        };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            bail!("a call without a result")
        };
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        match call {
            "openat" | "open" | "creat" => self.opened(arguments, result),
            "close" => {
                let (number, _) = descriptor(line)?;
                self.opened.remove(&number);
                Ok(())
            }
            "fsync" | "fdatasync" => {
                let (_, path) = descriptor(line)?;
                if let Some(name) = self.name(&path) {
                    let synced = match name.rsplit_once('/') {
                        None => Event::FolderSynced { folder: name },
                        Some(_) => Event::Synced { name },
                    };
                    self.events.push(synced);
                }
                Ok(())
            }
            "pwrite64" | "write" => self.written(call, line, arguments, result),
            "ftruncate" => {
                let (_, path) = descriptor(line)?;
                if let Some(name) = self.name(&path) {
                    let length = last_number(arguments)?;
                    self.events.push(Event::Truncated { name, length });
                }
                Ok(())
            }
            "unlink" | "unlinkat" => {
                let name = self.name(&paths(arguments)?.pop().context("no path")?);
                self.events.extend(name.map(|name| Event::Unlinked { name }));
                Ok(())
            }
            "link" | "linkat" => {
                let paths = paths(arguments)?;
                let [from, to] = &paths[..] else {
                    bail!("a link has two names")
                };
                if let (Some(from), Some(to)) = (self.name(from), self.name(to)) {
                    self.events.push(Event::Linked { from, to });
                }
                Ok(())
            }
            "lseek" => self.moved(line, result),
            _ => self.refuse(line),
        }
    }

    fn opened(&mut self, arguments: &str, result: &str) -> Result<()> {
        let (number, path) = descriptor(result)?;
        let Some(name) = self.name(&path) else {
            return Ok(());
        };
        let appends = arguments.contains("O_APPEND");
        self.opened.insert(number, Opened { appends, position: 0 });
        // A file that is there already is not made anew; the disk knows which.
        if arguments.contains("O_CREAT") {
            self.events.push(Event::Created { name: name.clone() });
        }
        if arguments.contains("O_TRUNC") {
            self.events.push(Event::Truncated { name, length: 0 });
        }
        Ok(())
    }

    fn written(&mut self, call: &str, line: &str, arguments: &str, result: &str) -> Result<()> {
        let (number, path) = descriptor(line)?;
        let Some(name) = self.name(&path) else {
            return Ok(());
        };
        ensure!(!arguments.contains("\"..."), "strace shortened what was written");
        let (_, text) = arguments.split_once(", \"").context("nothing written")?;
        let (hex, _) = text.split_once('"').context("nothing written")?;
        let mut bytes = unhex(hex)?;
        bytes.truncate(result.trim().parse().context("how much was written")?);
        if name == ACKNOWLEDGED {
            let text = String::from_utf8(bytes)?;
            self.events.push(Event::Acknowledged { text });
            return Ok(());
        }
        let at = if call == "pwrite64" {
            Place::Offset(last_number(arguments)?)
        } else {
            let opened = self
                .opened
                .get_mut(&number)
                .context("written, but never opened")?;
            let position = opened.position;
            opened.position += bytes.len() as u64;
            if opened.appends {
                Place::End
            } else {
                Place::Offset(position)
            }
        };
        self.events.push(Event::Written { name, at, bytes });
        Ok(())
    }

    fn moved(&mut self, line: &str, result: &str) -> Result<()> {
        let (number, _) = descriptor(line)?;
        if let Some(opened) = self.opened.get_mut(&number) {
            opened.position = result.trim().parse().context("where it moved to")?;
        }
        Ok(())
    }

    /// Elsewhere a program may do what it likes.
    fn refuse(&self, line: &str) -> Result<()> {
        let is_ours = quoted(line)?
            .iter()
            .chain(&descriptors(line)?)
            .any(|path| self.name(path).is_some());
        ensure!(
            !is_ours,
            "this harness does not know what the call does to a file"
        );
        Ok(())
    }

    /// The name in the recorded folder. SQLite's shared memory does not outlive a power cut, so it is left out.
    fn name(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(self.root)?.strip_prefix('/')?;
        (!name.ends_with("-shm")).then(|| name.to_owned())
    }
}

/// The first `12<path>` of a text.
fn descriptor(text: &str) -> Result<(u64, String)> {
    let (before, rest) = text.split_once('<').context("no file descriptor")?;
    let digits = before.rsplit(|letter: char| !letter.is_ascii_digit()).next();
    let number = digits.unwrap_or_default().parse().context("no file descriptor")?;
    let (hex, _) = rest.split_once('>').context("no path")?;
    Ok((number, String::from_utf8(unhex(hex)?)?))
}

fn descriptors(text: &str) -> Result<Vec<String>> {
    let paths = text.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    paths
        .map(|(hex, _)| Ok(String::from_utf8(unhex(hex)?)?))
        .collect()
}

/// Full paths among the arguments: a name is relative to the folder before it.
fn paths(arguments: &str) -> Result<Vec<String>> {
    let folder = descriptors(arguments)?.into_iter().next().unwrap_or_default();
    let names = quoted(arguments)?.into_iter();
    let full = names.map(|name| {
        if name.starts_with('/') {
            name
        } else {
            format!("{folder}/{name}")
        }
    });
    Ok(full.collect())
}

/// Every string among the arguments that is text.
fn quoted(text: &str) -> Result<Vec<String>> {
    let strings = text.split('"').skip(1).step_by(2);
    strings
        .map(|hex| Ok(String::from_utf8_lossy(&unhex(hex)?).into_owned()))
        .collect()
}

fn last_number(arguments: &str) -> Result<u64> {
    let last = arguments.trim_end_matches(')').rsplit(", ").next();
    last.and_then(|number| number.parse().ok())
        .context("no number at the end")
}

/// `\x2f\x74` to bytes.
fn unhex(text: &str) -> Result<Vec<u8>> {
    let mut pairs = text.split("\\x");
    ensure!(pairs.next() == Some(""), "`{text:.40}` is not in hexadecimal");
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).with_context(|| format!("`{pair:.40}` is no byte")))
        .collect()
}

#[cfg(test)]
mod tests;
