//! The desk of the demo and of whoever needs one like it: a folder of its own with a config directory for the simulated Upstox, and the programs that run beside it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell::{binaries, root};

/// How long the human of the demo waits before each step, in milliseconds.
pub(crate) const HUMAN: u32 = 400;

/// The console's usual port; another one is taken when it is in use.
const CONSOLE_PORT: u16 = 28020;

/// The demo's config directory, in its folder.
pub(crate) const CONFIG_DIR: &str = "config";

/// A program that ends with its handle.
pub(crate) struct Companion(Child);

impl Companion {
    pub(crate) fn of(program: Child) -> Self {
        Self(program)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status()?;
        ensure!(asked.success(), "a program could not be asked to end: {asked}");
        self.0.wait()?;
        Ok(())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The simulated Upstox.
pub(crate) struct Upstox {
    pub(crate) base_url: String,
    _program: Companion,
}

impl Upstox {
    /// Starts the one of this folder on a free port. A human who waits so many milliseconds before each step plays the person
    /// at the window, or nobody.
    pub(crate) fn start(programs: &Path, human: Option<u32>) -> Result<Self> {
        let mut command = Command::new(programs.join("upstox-simulator"));
        command.args(["--listen", "127.0.0.1:0"]);
        if let Some(pause) = human {
            command.args(["--simulated-human", &pause.to_string()]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("the simulator cannot be started")?;
        let stdout = child.stdout.take().context("the simulator's output")?;
        let program = Companion::of(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let started: Value = serde_json::from_str(&line).context("the simulator did not say where it is")?;
        let base_url = started["base_url"]
            .as_str()
            .context("the simulator's address")?
            .to_owned();
        Ok(Self {
            base_url,
            _program: program,
        })
    }

    /// Asks the simulator's control pages.
    pub(crate) fn sim(&self, page: &str) -> Result<Value> {
        Ok(ureq::get(format!("{}/_sim/{page}", self.base_url))
            .call()?
            .body_mut()
            .read_json()?)
    }

    /// Sets something there.
    pub(crate) fn put(&self, page: &str, value: &Value) -> Result<()> {
        ureq::put(format!("{}/_sim/{page}", self.base_url)).send_json(value)?;
        Ok(())
    }

    /// Lets something happen there.
    pub(crate) fn post(&self, page: &str) -> Result<()> {
        ureq::post(format!("{}/_sim/{page}", self.base_url)).send_empty()?;
        Ok(())
    }

    /// The same, as described.
    pub(crate) fn post_with(&self, page: &str, value: &Value) -> Result<()> {
        ureq::post(format!("{}/_sim/{page}", self.base_url)).send_json(value)?;
        Ok(())
    }

    /// Takes something away there.
    pub(crate) fn delete(&self, page: &str) -> Result<()> {
        ureq::delete(format!("{}/_sim/{page}", self.base_url)).call()?;
        Ok(())
    }
}

/// The folder in which `vega` runs.
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    pub(crate) database: PathBuf,
    pub(crate) console: String,
}

impl Desk {
    /// A fresh one in the folder `target/NAME`, configured for the simulated Upstox.
    pub(crate) fn new(name: &str, upstox: &Upstox, headed: bool) -> Result<Self> {
        let folder = root().join("target").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)?;
        let database = folder.join("data/vega_trade.db");
        let listen = format!("127.0.0.1:{}", free_port());
        let state = upstox.sim("state")?;
        let account = &state["accounts"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned).context("the simulator's state");
        let mut lines = vec![
            "# The demo's settings: made-up accounts at a simulated Upstox.".to_owned(),
            format!("UPSTOX_MOBILE_NUMBER={}", text(&account["mobile"])?),
            format!("UPSTOX_USER_ID={}", text(&account["user_id"])?),
            format!("VEGA__UPSTOX__API_BASE_URL={}", upstox.base_url),
            format!("VEGA__DATABASE__URL=sqlite://{}", database.display()),
            format!("VEGA__BROWSER__HEADLESS={}", !headed),
            format!("VEGA__SERVER__LISTEN={listen}"),
        ];
        for (number, app) in account["apps"]
            .as_array()
            .context("the simulator's apps")?
            .iter()
            .enumerate()
        {
            lines.push(format!("UPSTOX_API_NAME_{number}={}", text(&app["name"])?));
            lines.push(format!("UPSTOX_CLIENT_ID_{number}={}", text(&app["client_id"])?));
            lines.push(format!(
                "UPSTOX_CLIENT_SECRET_{number}={}",
                text(&app["client_secret"])?
            ));
        }
        let config_dir = folder.join(CONFIG_DIR);
        std::fs::create_dir(&config_dir)?;
        #[cfg(unix)]
        std::fs::set_permissions(&config_dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let env = config_dir.join(".env");
        std::fs::write(&env, lines.join("\n") + "\n")?;
        // It holds secrets, if only made-up ones: Vega warns where others can read them.
        #[cfg(unix)]
        std::fs::set_permissions(&env, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self {
            folder,
            database,
            console: format!("http://{listen}/"),
        })
    }

    /// Keeps its data in this database from now on, beside whoever else does.
    pub(crate) fn use_database(&self, url: &str) -> Result<()> {
        let env = self.folder.join(CONFIG_DIR).join(".env");
        let own = format!("sqlite://{}", self.database.display());
        let settings = std::fs::read_to_string(&env)?.replace(&own, url);
        Ok(std::fs::write(env, settings)?)
    }

    /// The file of its key.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join(CONFIG_DIR).join("vega.key")
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start_server(&self) -> Result<Companion> {
        let server = self
            .program("vega-server")
            .spawn()
            .context("vega-server cannot be started")?;
        let server = Companion::of(server);
        let up = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            ureq::get(format!("{}readyz/tokens", self.console)).call().is_ok()
        });
        ensure!(up, "vega-server does not answer at {}", self.console);
        Ok(server)
    }

    /// A link that opens the console once.
    pub(crate) fn console_link(&self) -> Result<String> {
        let output = self.program("vega").arg("console").output()?;
        let link = String::from_utf8(output.stdout)?.trim().to_owned();
        ensure!(
            output.status.success() && link.contains("/enter#"),
            "vega console failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(link)
    }

    /// Lets `vega` have a browser whose window nobody sees: the simulator's human needs none. Vega itself would ask for no
    /// OTP where it knows that nobody can answer.
    pub(crate) fn hide_window(&self, vega: &mut Command) -> Result<()> {
        let program = self.folder.join("chromium-without-a-window");
        std::fs::write(&program, "#!/bin/sh\nexec chromium --headless=new \"$@\"\n")?;
        #[cfg(unix)]
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        vega.env("VEGA__BROWSER__HEADLESS", "false")
            .env("VEGA__BROWSER__BINARY", program)
            .env("WAYLAND_DISPLAY", "of-the-demo");
        Ok(())
    }

    /// One of our programs, run at this desk.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(binaries().join(name));
        command.arg("--config-dir").arg(self.folder.join(CONFIG_DIR));
        // What a database on a server leaves on this machine is the desk's, too.
        command.env("XDG_DATA_HOME", self.folder.join("data-home"));
        // The operator's real settings must not reach the demo: the environment wins over `.env`.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("UPSTOX_") || text.starts_with("VEGA_") {
                command.env_remove(&name);
            }
        }
        command
    }
}

/// How to name a path from where the demo was started.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn free_port() -> u16 {
    let usual = TcpListener::bind(("127.0.0.1", CONSOLE_PORT));
    let any = usual.or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    any.and_then(|listener| listener.local_addr())
        .map_or(CONSOLE_PORT, |address| address.port())
}
