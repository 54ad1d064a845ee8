//! A real terminal, as the operator sits at it: what it shows, and a keyboard.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// What the terminal shows, as far as it was read.
pub struct Terminal {
    keyboard: ChildStdin,
    screen: ChildStdout,
    shown: String,
    read_to: usize,
}

impl Terminal {
    /// The terminal that this `vega` was started in.
    pub fn of(vega: &mut Child) -> Result<Self> {
        let keyboard = vega.stdin.take().context("a keyboard")?;
        let screen = vega.stdout.take().context("a screen")?;
        Ok(Self {
            keyboard,
            screen,
            shown: String::new(),
            read_to: 0,
        })
    }

    /// Reads on until the terminal shows `words`, after what was waited for before.
    pub async fn wait_for(&mut self, words: &str) -> Result<()> {
        let reading = async {
            loop {
                if let Some(found) = self.shown[self.read_to..].find(words) {
                    self.read_to += found + words.len();
                    return Ok(());
                }
                let mut part = [0; 4096];
                let read = self.screen.read(&mut part).await?;
                anyhow::ensure!(
                    read > 0,
                    "the terminal closed before it showed {words:?}:\n{}",
                    self.shown
                );
                self.shown.push_str(&String::from_utf8_lossy(&part[..read]));
            }
        };
        let limit = std::time::Duration::from_mins(1);
        tokio::time::timeout(limit, reading)
            .await
            .with_context(|| format!("{words:?} was never shown"))?
    }

    /// Types.
    pub async fn type_keys(&mut self, keys: &str) -> Result<()> {
        self.keyboard.write_all(keys.as_bytes()).await?;
        Ok(self.keyboard.flush().await?)
    }

    /// Everything that it showed so far.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}
