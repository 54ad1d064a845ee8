//! A terminal of its own for one program, without another program between: what is started there has the process id that
//! is killed, and what it shows can be read to the last byte that it wrote.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::desk::Desk;

/// What the terminal shows, as far as it was written.
pub struct Screen {
    shown: watch::Receiver<String>,
    read_to: usize,
}

impl Desk {
    /// Starts `vega` in a terminal of its own; the child is `vega` itself, or the program `under` with its arguments,
    /// which then starts `vega`.
    pub fn start_at_screen(&self, under: &[String], arguments: &[&str]) -> Result<(Child, Screen)> {
        let pty = nix::pty::openpty(None, None)?;
        let terminal = File::from(pty.slave);
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .args(under)
            .arg(self.program("vega")?)
            .args(arguments)
            .stdin(Stdio::from(terminal.try_clone()?));
        self.dress(&mut command)
            .stdout(Stdio::from(terminal.try_clone()?))
            .stderr(Stdio::from(terminal));
        let child = command.spawn().context("vega cannot be started")?;
        // With it goes our side of the terminal: when its last program has ended, the screen ends.
        drop(command);
        Ok((child, Screen::of(File::from(pty.master))))
    }
}

impl Screen {
    fn of(mut terminal: File) -> Self {
        let (writer, shown) = watch::channel(String::new());
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = terminal.read(&mut part) {
                writer.send_modify(|shown| shown.push_str(&String::from_utf8_lossy(&part[..read])));
            }
        });
        Self { shown, read_to: 0 }
    }

    /// Another reader of the same screen, from its beginning.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            shown: self.shown.clone(),
            read_to: 0,
        }
    }

    /// Waits for the next link of a sign-in that begins with `base`; `None` when the terminal closed without one.
    pub async fn next_link(&mut self, base: &str) -> Option<String> {
        let from = self.read_to;
        let shown = self
            .shown
            .wait_for(|shown| link_from(shown, from, base).is_some());
        let (link, ends) = link_from(&shown.await.ok()?, from, base)?;
        self.read_to = ends;
        Some(link)
    }

    /// Waits until it shows `words`; `false` when the terminal closed without them.
    pub async fn shows(&mut self, words: &str) -> bool {
        self.shown.wait_for(|shown| shown.contains(words)).await.is_ok()
    }

    /// Reads on until the terminal closes; returns everything that it showed.
    pub async fn to_its_end(mut self) -> String {
        while self.shown.changed().await.is_ok() {}
        self.shown.borrow().clone()
    }
}

/// The first link behind `from` that stands there whole, and where it ends.
fn link_from(shown: &str, from: usize, base: &str) -> Option<(String, usize)> {
    let begins = from + shown.get(from..)?.find(base)?;
    let length = shown[begins..].find(char::is_whitespace)?;
    Some((shown[begins..][..length].to_owned(), begins + length))
}
