//! A disk that is really full, not only said to be: a small file system in memory as Vega's data folder, filled while the
//! answer with the token is on its way, or when the token is stored.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vega_tests::{Desk, say, until};

use crate::case::{API, Stand};

/// Room for the database, its log and the spool of a few APIs.
const SIZE: &str = "size=8m,mode=700";

/// A file system of its own over a folder, until it is dropped.
struct Volume(PathBuf);

impl Volume {
    /// Over the desk's data folder, with what is in it.
    fn under(desk: &Desk) -> Result<Self> {
        let folder = desk.database().parent().context("a data folder")?.to_owned();
        let before = tempfile::tempdir()?;
        command(
            "cp",
            &[
                "-a",
                &format!("{}/.", folder.display()),
                &before.path().display().to_string(),
            ],
        )?;
        command(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                SIZE,
                "vega-faults",
                &folder.display().to_string(),
            ],
        )?;
        let volume = Self(folder);
        command(
            "cp",
            &[
                "-a",
                &format!("{}/.", before.path().display()),
                &volume.0.display().to_string(),
            ],
        )?;
        Ok(volume)
    }

    /// Takes all the room that is left.
    fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.ballast())?;
        // The large pieces first, then what is left of the last one.
        for size in [64 * 1024, 4096] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        ensure!(file.write_all(&[1; 4096]).is_err(), "the disk does not get full");
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let folder = self.0.display().to_string();
        if command("umount", &[&folder]).is_err() {
            // Somebody still looks at it; it goes when they do.
            let _ = command("umount", &["--lazy", &folder]);
        }
    }
}

/// When the disk gets full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    WhileTheAnswerComes,
    WhenTheTokenIsStored,
}

/// Whether promises were broken.
pub(crate) async fn run() -> Result<bool> {
    let mut broken = false;
    for full in [Full::WhileTheAnswerComes, Full::WhenTheTokenIsStored] {
        match play(full).await? {
            Ok(()) => say(&format!(
                "a full disk, {full:?}: the token was usable at once, and is in the database"
            )),
            Err(words) => {
                say(&format!("BROKEN: a full disk, {full:?}: {words}"));
                broken = true;
            }
        }
    }
    Ok(broken)
}

async fn play(full: Full) -> Result<std::result::Result<(), String>> {
    let stand = Stand::new().await?;
    let desk = stand.used.copy()?;
    let volume = Volume::under(&desk)?;
    let went = if full == Full::WhileTheAnswerComes {
        let slow = json!({ "scope": "all", "on": "exchange", "kind": "delay", "times": 1, "params": { "ms": 1500 } });
        let before = stand.upstox.count("exchanges").await?;
        stand.upstox.scenario(slow).await?;
        let filled = async {
            let is_sent = until(async || {
                stand
                    .upstox
                    .count("exchanges")
                    .await
                    .is_ok_and(|sent| sent > before)
            });
            ensure!(is_sent.await, "the code was never sent");
            volume.fill()
        };
        let (went, filled) = tokio::join!(stand.sign_in(&desk, &[]), filled);
        filled?;
        went?
    } else {
        let went = stand.sign_in(&desk, &[]).await?;
        volume.fill()?;
        went
    };
    let Some((token, _)) = &went.issued else {
        return Ok(Err(format!("no token came: {}", went.shown)));
    };
    if full == Full::WhileTheAnswerComes && !went.shown.contains("sealed in the spool") {
        return Ok(Err(format!(
            "nobody was told that the token is in the spool: {}",
            went.shown
        )));
    }
    let at_once = desk.vega(&["token", API]).await?;
    if at_once.code != Some(0) || at_once.stdout.trim() != token {
        return Ok(Err(format!(
            "it is not given at once: {at_once:?}; {}",
            went.shown
        )));
    }
    volume.make_room()?;
    if let Err(words) = stand.in_good_order(&desk, &went).await? {
        return Ok(Err(words));
    }
    let later = desk.vega(&["token", API]).await?;
    let attempt = stand.attempt(&desk, &went).await?;
    if later.stdout.trim() != token || attempt["status"] != "stored" {
        return Ok(Err(format!("it did not come home: {later:?}, {attempt}")));
    }
    Ok(Ok(()))
}

/// Why no file system can be mounted here, if so.
pub(crate) fn why_not() -> Option<String> {
    let folder = tempfile::tempdir().ok()?;
    let mounted = command(
        "mount",
        &["-t", "tmpfs", "-o", SIZE, "vega-faults", &text(folder.path())],
    );
    if let Err(error) = mounted {
        return Some(format!(
            "root may not mount a file system here, or you are not root: {error}"
        ));
    }
    command("umount", &[&text(folder.path())])
        .err()
        .map(|error| error.to_string())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn command(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
