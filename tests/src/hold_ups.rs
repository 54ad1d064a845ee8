//! What happens to machines: a desk's program is held up at a named point, its clock is wrong, its computer is another one. All of it needs
//! test hooks.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use tokio::process::Child;

use crate::desk::Desk;

impl Desk {
    /// Lets programs be held up at this point from now on, as by `hold_up`, or nowhere. A number says at which time that it is reached.
    pub fn stop_at(&self, point: Option<&str>) -> Result<()> {
        let file = self.hooks().join("stop_at");
        Ok(std::fs::write(file, point.unwrap_or_default())?)
    }

    /// Sets the clock of this desk's machine wrong. With a database on a server it is the server's that counts.
    pub fn set_machine_clock_wrong(&self, by: TimeDelta) -> Result<()> {
        let file = self.hooks().join("machine_offset");
        Ok(std::fs::write(file, by.num_seconds().to_string())?)
    }

    /// Makes this desk's machine another computer, whose time since boot says nothing about that of others.
    pub fn is_another_computer(&self, boot: &str) -> Result<()> {
        Ok(std::fs::write(self.hooks().join("boot"), boot)?)
    }
}

/// Whether a process is held up now. One that has ended is not.
pub fn is_held_up(process: &Child) -> Result<bool> {
    let Some(id) = process.id() else {
        return Ok(false);
    };
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("a process of ours")?;
    Ok(stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T')))
}
