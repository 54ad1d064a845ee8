//! Starts the browser so that its output and its exit code are available while it starts: ChromeDriver discards both. A
//! script between them gives the browser a pipe to Vega for its error output, and reports its exit code at the end.
//! Only on Linux; where no script may be run, the browser is started without one.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use crate::last_words::LastWords;
use crate::start_failure::{Ended, FORBIDDEN};

/// How long the driver may take to report on a browser that has ended.
const VERDICT_WITHIN: Duration = Duration::from_secs(2);

/// A browser that is about to start.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The program that the driver starts.
    pub(crate) program: PathBuf,
    words: LastWords,
    code: watch::Receiver<Option<i32>>,
}

impl Launch {
    /// Puts script and pipe into `folder`. `None`: the output cannot be read here.
    #[cfg(target_os = "linux")]
    pub(crate) fn prepare(folder: &Path, browser: &Path) -> Result<Option<Self>> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;

        use nix::sys::stat::Mode;
        use nix::sys::statvfs::{FsFlags, statvfs};
        use tokio::net::unix::pipe;

        if statvfs(folder)?.flags().contains(FsFlags::ST_NOEXEC) {
            return Ok(None);
        }
        let (program, pipe) = (folder.join("browser"), folder.join("words"));
        let (Some(quoted_pipe), Some(quoted_browser)) = (quoted(&pipe), quoted(browser)) else {
            return Ok(None);
        };
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // Open for both, so that it does not end before the browser begins.
        let output = pipe::OpenOptions::new().read_write(true).open_receiver(&pipe)?;
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&program)?
            .write_all(
                format!(
                    "#!/bin/sh\n{quoted_browser} \"$@\" 2>{quoted_pipe}\necho \"{EXIT}$?\" >{quoted_pipe}\n"
                )
                .as_bytes(),
            )?;
        let (ended, code) = watch::channel(None);
        let words = LastWords::of(output, move |line| {
            let code = line.strip_prefix(EXIT).and_then(|code| code.parse().ok());
            if code.is_some() {
                ended.send_replace(code);
            }
            code.is_some()
        });
        Ok(Some(Self { program, words, code }))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn prepare(_folder: &Path, _browser: &Path) -> Result<Option<Self>> {
        Ok(None)
    }

    /// Waits until the browser certainly has failed, whatever the driver still waits for.
    pub(crate) async fn failed(&self) -> Ended {
        let ended = async {
            let mut code = self.code.clone();
            if code.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(VERDICT_WITHIN).await;
        };
        tokio::select! {
            () = ended => {}
            () = self.words.until_said(FORBIDDEN) => {}
        }
        self.so_far()
    }

    /// What is known of the browser now.
    pub(crate) fn so_far(&self) -> Ended {
        Ended {
            code: *self.code.borrow(),
            words: self.words.lines(),
        }
    }

    /// What is known of the browser after the driver has given up: its last output may still be on its way.
    pub(crate) async fn given_up(&self) -> Ended {
        let mut code = self.code.clone();
        let _ = tokio::time::timeout(VERDICT_WITHIN / 4, code.wait_for(Option::is_some)).await;
        self.so_far()
    }

    /// Stops keeping output: the browser has started, and its output from now on may come from a page.
    pub(crate) fn forget(&self) {
        self.words.forget();
    }
}

/// How the script begins the line with the exit code. It contains nothing that is removed from other lines.
const EXIT: &str = "vega: the browser ended with exit code ";

/// Quotes text so that a shell reads it as one word.
#[cfg(target_os = "linux")]
fn quoted(path: &Path) -> Option<String> {
    Some(format!("'{}'", path.to_str()?.replace('\'', r"'\''")))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::code("echo one >&2; echo two >&2; echo three >&2; exit 21", Some(21), &["one", "two", "three"])]
    #[case::a_signal("kill -ABRT $$", Some(134), &["Aborted"])]
    #[tokio::test]
    async fn its_last_words_and_its_code_are_heard(
        #[case] script: &str,
        #[case] code: Option<i32>,
        #[case] words: &[&str],
    ) {
        let folder = tempfile::Builder::new()
            .prefix("it's a folder")
            .tempdir()
            .unwrap();
        let browser = folder.path().join("chromium");
        write(&browser, script);
        let launch = Launch::prepare(folder.path(), &browser).unwrap().unwrap();
        let mut child = Command::new(&launch.program).spawn().unwrap();
        let ended = launch.failed().await;
        child.wait().unwrap();
        assert_eq!(ended.code, code);
        assert_eq!(ended.words, words);
        launch.forget();
        assert!(launch.so_far().words.is_empty());
    }

    #[tokio::test]
    async fn a_browser_that_is_forbidden_to_answer_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let browser = folder.path().join("chromium");
        write(
            &browser,
            "echo 'DevTools remote debugging is disallowed by the system admin.' >&2; sleep 3",
        );
        let launch = Launch::prepare(folder.path(), &browser).unwrap().unwrap();
        let mut child = Command::new(&launch.program).spawn().unwrap();
        let failed = tokio::time::timeout(Duration::from_secs(10), launch.failed()).await;
        assert_eq!(failed.unwrap().code, None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A shell writes it: while this process had it open for writing, it could not be started.
    fn write(program: &Path, script: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 700 \"$1\"";
        let written = Command::new("/bin/sh")
            .args(["-c", write, "sh"])
            .arg(program)
            .arg(script)
            .status();
        assert!(written.unwrap().success());
    }
}
