//! An operator's desk: home folder, `.env`, data, and the real `vega` run at it.

mod database;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use upstox_simulator::SeedAccount;

use crate::binaries::Binaries;
use crate::processes::{self, Stop};
use crate::report::Report;
use crate::upstox::Upstox;

pub use self::database::Engine;

/// The config directory, in the home of a desk.
const SETTINGS: &str = "config/vega";

/// A fresh desk, configured for a simulated Upstox.
pub struct Desk {
    home: TempDir,
    binaries: Binaries,
    settings: Vec<(String, String)>,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its data.
    pub stdout: String,
    /// What it said to the human.
    pub stderr: String,
}

impl Ran {
    /// Waits for a program to end.
    pub async fn to_its_end(program: Child) -> Result<Self> {
        let output = program.wait_with_output().await?;
        Ok(Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Its data as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self:?}"))
    }

    /// Its data as a report.
    pub fn report(&self) -> Result<Report> {
        Ok(Report::new(self.json()?))
    }
}

impl Desk {
    /// A desk with all of `upstox`'s apps in its `.env`, and the programs as users have them.
    pub fn new(upstox: &Upstox) -> Result<Self> {
        Self::with(upstox, Binaries::Plain)
    }

    /// The same with programs whose clock the story moves and which die where it says.
    pub fn with_test_hooks(upstox: &Upstox) -> Result<Self> {
        let mut desk = Self::with(upstox, Binaries::WithTestHooks)?;
        std::fs::create_dir(desk.hooks())?;
        let hooks = desk.hooks().display().to_string();
        desk.set("VEGA_TEST_HOOKS", &hooks);
        Ok(desk)
    }

    fn with(upstox: &Upstox, binaries: Binaries) -> Result<Self> {
        let home = home()?;
        create_private_dir(&home.path().join(SETTINGS))?;
        let mut env = vec![
            format!("VEGA__UPSTOX__API_BASE_URL={}", upstox.base_url()),
            format!(
                "VEGA__BROWSER__BINARY={}",
                window_that_nobody_sees(home.path())?.display()
            ),
        ];
        match &*upstox.seed().accounts {
            [account] => env.extend(variables(account)),
            accounts => {
                let tables: Vec<String> = accounts.iter().map(tables).collect();
                write_private(&home.path().join(SETTINGS).join("vega.toml"), &tables.join("\n"))?;
            }
        }
        write_private(&home.path().join(SETTINGS).join(".env"), &env.join("\n"))?;
        Ok(Self {
            home,
            binaries,
            settings: Vec::new(),
        })
    }

    /// Moves this desk's clock; programs that run see it at once. Needs test hooks.
    pub fn move_clock(&self, by: TimeDelta) -> Result<()> {
        // By renaming, so that no program reads half a number.
        let next = self.hooks().join("clock_offset.next");
        std::fs::write(&next, by.num_seconds().to_string())?;
        Ok(std::fs::rename(next, self.hooks().join("clock_offset"))?)
    }

    /// Moves this desk's time since boot, which only grows: cooldowns and OTP budgets go by it. Needs test hooks.
    pub fn move_boot_clock(&self, by: TimeDelta) -> Result<()> {
        let offset = by.num_seconds().to_string();
        Ok(std::fs::write(self.hooks().join("boot_offset"), offset)?)
    }

    /// Lets programs behave with this defect from now on. Needs test hooks.
    pub fn inject(&self, defect: &str) -> Result<()> {
        Ok(std::fs::write(self.hooks().join("defect"), defect)?)
    }

    /// Lets programs die at this point from now on (`token_published`, or `token_published 4` for the fourth time that it
    /// is reached), or nowhere. Needs test hooks.
    pub fn crash_at(&self, point: Option<&str>) -> Result<()> {
        Ok(std::fs::write(
            self.hooks().join("crash_at"),
            point.unwrap_or_default(),
        )?)
    }

    pub(crate) fn hooks(&self) -> PathBuf {
        self.home.path().join("test-hooks")
    }

    /// Gives another desk this one's key, as an operator copies it from machine to machine.
    pub fn give_key(&self, other: &Self) -> Result<()> {
        let key = |desk: &Self| desk.home.path().join(SETTINGS).join("vega.key");
        std::fs::copy(key(self), key(other))?;
        Ok(())
    }

    /// Changes one setting for every `vega` from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.into(), value.into()));
    }

    /// Takes one setting out of `.env`.
    pub fn unset(&self, name: &str) -> Result<()> {
        let file = self.home.path().join(SETTINGS).join(".env");
        let text = std::fs::read_to_string(&file)?;
        let (taken, kept): (Vec<&str>, Vec<&str>) = text
            .lines()
            .partition(|line| line.split_once('=').is_some_and(|(key, _)| key == name));
        anyhow::ensure!(!taken.is_empty(), "{name} is not set");
        Ok(std::fs::write(file, kept.join("\n"))?)
    }

    /// Lets every `vega` from now on read one certificate authority, where the system keeps them as Debian does: the
    /// simulator speaks plain HTTP, and reading all of them is most of a short program's life.
    pub fn trust_one(&mut self) -> Result<()> {
        let entries = std::fs::read_dir("/etc/ssl/certs")
            .into_iter()
            .flatten()
            .flatten();
        let mut certificates = entries.map(|entry| entry.path());
        let Some(one) = certificates.find(|path| path.extension().is_some_and(|ending| ending == "pem"))
        else {
            return Ok(());
        };
        let none = self.home.path().join("no-certificates");
        std::fs::create_dir(&none)?;
        self.set("SSL_CERT_DIR", &none.display().to_string());
        self.set("SSL_CERT_FILE", &one.display().to_string());
        Ok(())
    }

    /// Gives an account of `vega.toml` a route of its own.
    pub fn set_route(&self, account: &str, route: &str) -> Result<()> {
        let file = self.home.path().join(SETTINGS).join("vega.toml");
        let text = std::fs::read_to_string(&file)?;
        let name = format!("[[accounts]]\nname = {account:?}\n");
        anyhow::ensure!(text.contains(&name), "no account {account}");
        Ok(std::fs::write(
            file,
            text.replace(&name, &format!("{name}route = {route:?}\n")),
        )?)
    }

    /// The folder that everything of this desk is in.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// Another desk that stands where this one does: same settings, same data.
    pub fn copy(&self) -> Result<Self> {
        let home = home()?;
        copy_all(self.home.path(), home.path())?;
        let (old, new) = (
            self.home.path().display().to_string(),
            home.path().display().to_string(),
        );
        let settings = self.settings.iter();
        let settings = settings.map(|(name, value)| (name.clone(), value.replace(&old, &new)));
        Ok(Self {
            settings: settings.collect(),
            binaries: self.binaries,
            home,
        })
    }

    /// Starts `vega` without a terminal.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        let mut command = Command::new(self.binaries.program("vega")?);
        command.args(arguments).stdin(Stdio::null());
        self.spawn(command)
    }

    /// Runs `vega` to its end with this text piped in.
    pub async fn vega_with_input(&self, arguments: &[&str], input: &str) -> Result<Ran> {
        let mut command = Command::new(self.binaries.program("vega")?);
        command.args(arguments).stdin(Stdio::piped());
        let mut vega = self.spawn(command)?;
        let mut stdin = vega.stdin.take().context("an input")?;
        // A command that reads none of it may have ended before.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        Ran::to_its_end(vega).await
    }

    /// Starts `vega` in a terminal of its own; what is written to its input is typed there.
    pub fn start_in_terminal(&self, arguments: &[&str]) -> Result<Child> {
        let vega = self.command_line(arguments)?;
        self.in_terminal(&vega)
    }

    /// The same in a terminal that says how it is set when `vega` has ended.
    pub fn start_in_terminal_that_is_examined(&self, arguments: &[&str]) -> Result<Child> {
        let vega = self.command_line(arguments)?;
        // Ctrl-C is for the shell, too: it must not die of it.
        self.in_terminal(&format!("trap : INT; {vega}; code=$?; stty -a; exit $code"))
    }

    fn command_line(&self, arguments: &[&str]) -> Result<String> {
        let program = self.binaries.program("vega")?;
        Ok([&[&*program.to_string_lossy()], arguments].concat().join(" "))
    }

    fn in_terminal(&self, command_line: &str) -> Result<Child> {
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", command_line, "/dev/null"])
            .stdin(Stdio::piped());
        self.spawn(command)
    }

    /// Lets a program run at this desk and nowhere else.
    pub(crate) fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("TERM", "xterm")
            .current_dir(self.home.path())
            .env("PATH", path_of_this_process())
            .env("HOME", self.home.path())
            .env("WAYLAND_DISPLAY", "of-no-computer")
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("XDG_DATA_HOME", self.home.path().join("data"))
    }

    /// The same with this desk's own settings; the program does not outlive its handle.
    pub(crate) fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.at_home(command)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true)
    }

    /// Where a program of this desk is.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        self.binaries.program(name)
    }

    fn spawn(&self, mut command: Command) -> Result<Child> {
        self.dress(&mut command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().context("vega cannot be started")
    }

    /// Runs `vega` to its end.
    pub async fn vega(&self, arguments: &[&str]) -> Result<Ran> {
        Ran::to_its_end(self.start(arguments)?).await
    }

    /// The same, run by the program `under` with its arguments.
    pub async fn vega_under(&self, under: &[String], arguments: &[&str]) -> Result<Ran> {
        let (program, more) = under.split_first().context("a program")?;
        let mut command = Command::new(program);
        command
            .args(more)
            .arg(self.program("vega")?)
            .args(arguments)
            .stdin(Stdio::null());
        Ran::to_its_end(self.spawn(command)?).await
    }

    /// Ends the cooldown of the first account, as an operator does who will not wait for it.
    pub async fn end_cooldown(&self) -> Result<()> {
        let why = ["--reason", "nobody waits in a story"];
        let ran = self
            .vega(&[&["cooldown", "clear", "default"][..], &why].concat())
            .await?;
        anyhow::ensure!(ran.code == Some(0), "the account still cools down: {ran:?}");
        Ok(())
    }

    /// The token that `vega token` prints for `api`.
    pub async fn token(&self, api: &str) -> Result<String> {
        let ran = self.vega(&["token", api]).await?;
        anyhow::ensure!(ran.code == Some(0), "no token of {api}: {ran:?}");
        Ok(ran.stdout.trim().to_owned())
    }

    /// What `vega status --json` reports now.
    pub async fn status(&self) -> Result<Report> {
        self.vega(&["status", "--json"]).await?.report()
    }

    /// Names of the living processes that were started from this desk: driver and browser inherit its home.
    pub fn processes(&self) -> Vec<String> {
        processes::with_home(self.home.path())
    }

    /// The ids of those with this name.
    pub fn process_ids(&self, name: &str) -> Vec<i32> {
        processes::ids_with_home(self.home.path(), name)
    }

    /// Asks the `vega` that runs at this desk to stop, whoever started it.
    pub fn stop_vega(&self, how: Stop) -> Result<()> {
        how.ask_vega_with_home(self.home.path())
    }

    /// How they were started: their command lines, one per line.
    pub fn command_lines(&self) -> String {
        processes::command_lines_with_home(self.home.path())
    }

    /// Every byte that Vega keeps on disk at this desk; what the operator wrote into settings is not Vega's.
    pub fn bytes_on_disk(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for folder in ["config", "data"] {
            read_all(&self.home.path().join(folder), &mut bytes)?;
        }
        Ok(bytes)
    }
}

fn home() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("vega-desk-").tempdir()?)
}

/// The browser of all stories: Vega takes it for one with a window, as operators have it, and needs nobody at a terminal. On
/// this machine there is no display.
fn window_that_nobody_sees(home: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let program = home.join("chromium-of-the-story");
    // A shell writes it: while this process had it open for writing, it could not be started.
    let script = "#!/bin/sh\nexec chromium --headless=new \"$@\"\n";
    let written = std::process::Command::new("/bin/sh")
        .args(["-c", "printf '%s' \"$2\" > \"$1\"", "sh"])
        .arg(&program)
        .arg(script)
        .status()?;
    ensure!(written.success(), "the stories' browser cannot be written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700))?;
    Ok(program)
}

/// With the modes of files and folders, which Vega looks at.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&copy)?;
            std::fs::set_permissions(&copy, entry.metadata()?.permissions())?;
            copy_all(&entry.path(), &copy)?;
        } else {
            std::fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

/// As Vega itself makes it.
fn create_private_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    Ok(std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?)
}

/// As an operator keeps secrets: Vega says so when others can read them.
fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// One account as `.env` has it.
fn variables(account: &SeedAccount) -> Vec<String> {
    let mut lines = vec![
        format!("UPSTOX_MOBILE_NUMBER={}", account.mobile),
        format!("UPSTOX_USER_ID={}", account.user_id),
        format!("UPSTOX_REDIRECT_URI={}", account.apps[0].redirect_uri),
    ];
    for (number, app) in account.apps.iter().enumerate() {
        lines.push(format!("UPSTOX_API_NAME_{number}={}", app.name));
        lines.push(format!("UPSTOX_CLIENT_ID_{number}={}", app.client_id));
        lines.push(format!("UPSTOX_CLIENT_SECRET_{number}={}", app.client_secret));
    }
    lines
}

/// One account of several as `vega.toml` has it.
fn tables(account: &SeedAccount) -> String {
    let mut lines = vec![
        "[[accounts]]".to_owned(),
        format!("name = {:?}", account.name),
        format!("mobile_number = {:?}", account.mobile),
        format!("user_id = {:?}", account.user_id),
        format!("redirect_uri = {:?}", account.apps[0].redirect_uri),
    ];
    for app in &account.apps {
        lines.push("[[accounts.apis]]".into());
        lines.push(format!("name = {:?}", app.name));
        lines.push(format!("client_id = {:?}", app.client_id));
        lines.push(format!("client_secret = {:?}", app.client_secret));
    }
    lines.join("\n")
}

fn read_all(folder: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), bytes)?;
        } else if ![".env", "vega.toml"]
            .iter()
            .any(|name| entry.file_name() == *name)
        {
            bytes.extend(std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the programs under test need the path to find the browser"
)]
fn path_of_this_process() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
