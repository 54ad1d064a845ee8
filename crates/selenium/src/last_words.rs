//! The last lines that a program printed before it failed to start. Kept in memory only while the program starts: later
//! its output may hold text of a page, so it is read and dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::watch;

/// How many lines are kept: often the last line says only that the program ends, and an earlier one says why.
const LINES: usize = 12;
/// The length at which a line is cut.
const LONGEST: usize = 200;
/// How long to read on after a program has died: its last output is already in the pipe.
const REST_WITHIN: Duration = Duration::from_millis(300);

/// Reads a program's error output.
#[derive(Debug, Clone)]
pub(crate) struct LastWords {
    heard: Arc<Mutex<Heard>>,
    changes: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct Heard {
    lines: VecDeque<String>,
    /// Nothing is kept any more.
    is_over: bool,
}

impl LastWords {
    /// Reads `output` until its end. Lines that `is_news` accepts are not kept.
    pub(crate) fn of(
        output: impl AsyncRead + Unpin + Send + 'static,
        mut is_news: impl FnMut(&str) -> bool + Send + 'static,
    ) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (tell, changes) = watch::channel(());
        let words = Self {
            heard: Arc::clone(&heard),
            changes,
        };
        tokio::spawn(async move {
            let mut output = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                // A line without an end must not fill the memory.
                let mut part = (&mut output).take(64 * 1024);
                match part.read_until(b'\n', &mut line).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                let line = readable(&line);
                if !line.is_empty() && !is_news(&line) {
                    keep(&mut lock(&heard), line);
                }
                tell.send_replace(());
            }
        });
        words
    }

    /// The last lines, the oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.heard).lines.iter().cloned().collect()
    }

    /// The last lines of a program that has ended.
    pub(crate) async fn to_the_end(&self) -> Vec<String> {
        let mut changes = self.changes.clone();
        let end = async { while changes.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(REST_WITHIN, end).await;
        self.lines()
    }

    /// Waits until the output contains one of these texts.
    pub(crate) async fn until_said(&self, signs: &[&str]) {
        let mut changes = self.changes.clone();
        loop {
            let is_said = |line: &String| signs.iter().any(|sign| line.to_lowercase().contains(sign));
            if self.lines().iter().any(is_said) {
                return;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// From now on nothing is kept.
    pub(crate) fn forget(&self) {
        let mut heard = lock(&self.heard);
        heard.lines.clear();
        heard.is_over = true;
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(heard: &mut Heard, line: String) {
    if heard.is_over || heard.lines.back() == Some(&line) {
        return;
    }
    heard.lines.push_back(line);
    if heard.lines.len() > LINES {
        heard.lines.pop_front();
    }
}

/// The line without anything that could move a terminal's cursor, and without its position in Chromium's source.
fn readable(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line: String = line
        .trim()
        .chars()
        .filter(|letter| !letter.is_control() && !is_direction(*letter))
        .take(LONGEST)
        .collect();
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((place, words))
            if [":ERROR:", ":FATAL:", ":WARNING:"]
                .iter()
                .any(|sign| place.contains(sign)) =>
        {
            words.trim().to_owned()
        }
        _ => line,
    }
}

/// Characters that reverse the direction of text.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_without_what_a_terminal_obeys() {
        let mut said = b"first\n".to_vec();
        for line in 1..LINES - 1 {
            said.extend(format!("{line}\n").bytes());
        }
        said.extend(
            b"\n[1:2:1128/1.2:ERROR:ui/ozone/x11.cc:250] Missing X server or $DISPLAY\n\
            \x1b[31mExiting\x07.\xe2\x80\xae\nExiting\n",
        );
        let words = LastWords::of(std::io::Cursor::new(said), |line| line == "Exiting");
        let lines = words.to_the_end().await;
        assert_eq!(lines.len(), LINES);
        assert_eq!(
            lines[LINES - 2..],
            ["Missing X server or $DISPLAY", "[31mExiting."]
        );
        words.forget();
        assert!(words.lines().is_empty());
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_cut() {
        let endless = vec![b'x'; 200 * 1024];
        let words = LastWords::of(std::io::Cursor::new(endless), |_| false);
        let lines = words.to_the_end().await;
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LONGEST]);
    }
}
