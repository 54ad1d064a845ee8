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
        self.read_to(words).await.map(drop)
    }

    /// Reads on until the time left after `words` has fallen, as it does while a countdown stands there.
    pub async fn wait_for_falling_time(&mut self, words: &str) -> Result<()> {
        let falling = async {
            let first = self.time_left(words).await?;
            while self.time_left(words).await? >= first {}
            Ok(())
        };
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, falling)
            .await
            .with_context(|| format!("the time left after {words:?} does not fall"))?
    }

    /// The seconds of the next `4:30 left` after `words`.
    async fn time_left(&mut self, words: &str) -> Result<u32> {
        self.wait_for(words).await?;
        let time = self.read_to(" left").await?;
        let (minutes, seconds) = time
            .split_once(':')
            .with_context(|| format!("no time: {time:?}"))?;
        Ok(minutes.parse::<u32>()? * 60 + seconds.parse::<u32>()?)
    }

    /// What the terminal shows before the next `words`.
    async fn read_to(&mut self, words: &str) -> Result<String> {
        let reading = async {
            loop {
                if let Some(found) = self.shown[self.read_to..].find(words) {
                    let before = self.shown[self.read_to..][..found].to_owned();
                    self.read_to += found + words.len();
                    return Ok(before);
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

    /// Reads on until the terminal closes; returns everything that it showed.
    pub async fn to_its_end(mut self) -> Result<String> {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).await?;
        self.shown.push_str(&String::from_utf8_lossy(&rest));
        Ok(self.shown)
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
