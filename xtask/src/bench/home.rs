//! A home of the bench: a folder below `target/bench` with settings, key and database, and the programs of the release
//! build that run there. What is measured with them is for others to say.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bench::programs::said;
use crate::demo_desk::Upstox;
use crate::shell::target;

/// No account of a made-up desk has more.
const APIS_OF_AN_ACCOUNT: usize = 60;

/// The file in its folder.
const DATABASE: &str = "vega_trade.db";

/// What is configured: `vega.toml` and the names in it.
#[derive(Default)]
pub(crate) struct Settings {
    text: String,
    apis: Vec<String>,
}

pub(crate) struct Home {
    folder: PathBuf,
    apis: Vec<String>,
    upstox: String,
    database_url: String,
}

impl Settings {
    /// So many APIs, `API0` and on.
    pub(crate) fn made_up(apis: usize) -> Self {
        let mut settings = Self::default();
        for number in 0..apis {
            if number % APIS_OF_AN_ACCOUNT == 0 {
                let account = number / APIS_OF_AN_ACCOUNT;
                settings.account(&format!("account{account}"), &format!("9{account:09}"));
            }
            let name = format!("API{number}");
            settings.api(&name, &format!("key-{number}"), &format!("secret-{number}"));
        }
        settings
    }

    /// The first account of a simulated Upstox.
    pub(crate) fn of(upstox: &Upstox) -> Result<Self> {
        let state = upstox.sim("state")?;
        let account = &state["accounts"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned).context("the simulator's state");
        let mut settings = Self::default();
        settings.account(&text(&account["name"])?, &text(&account["mobile"])?);
        for app in account["apps"].as_array().context("the simulator's apps")? {
            settings.api(
                &text(&app["name"])?,
                &text(&app["client_id"])?,
                &text(&app["client_secret"])?,
            );
        }
        Ok(settings)
    }

    fn account(&mut self, name: &str, mobile: &str) {
        self.table("accounts", &[("name", name), ("mobile_number", mobile)]);
    }

    fn api(&mut self, name: &str, id: &str, secret: &str) {
        let values = [("name", name), ("client_id", id), ("client_secret", secret)];
        self.table("accounts.apis", &values);
        self.apis.push(name.to_owned());
    }

    /// A file that holds the token of this API.
    pub(crate) fn file(&mut self, api: &str, path: &str) {
        self.table("files", &[("api", api), ("path", path)]);
    }

    fn table(&mut self, name: &str, values: &[(&str, &str)]) {
        let values = values.iter().map(|(key, value)| format!("{key} = {value:?}\n"));
        let lines = [format!("[[{name}]]\n")].into_iter().chain(values);
        self.text.extend(lines);
    }
}

impl Home {
    /// A fresh one, in the place of an earlier one of this name.
    pub(crate) fn new(name: &str, settings: Settings, upstox: &str) -> Result<Self> {
        let folder = target().join("bench").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let config = folder.join(".config/vega");
        std::fs::create_dir_all(&config)?;
        let file = config.join("vega.toml");
        std::fs::write(&file, &settings.text)?;
        // As Chromium's human sees it: a window, though nobody does.
        let browser = folder.join("chromium-without-a-window");
        std::fs::write(&browser, "#!/bin/sh\nexec chromium --headless=new \"$@\"\n")?;
        for (path, mode) in [(&config, 0o700), (&file, 0o600), (&browser, 0o700)] {
            #[cfg(unix)]
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        Ok(Self {
            database_url: format!("sqlite://{}", folder.join(DATABASE).display()),
            folder,
            apis: settings.apis,
            upstox: upstox.to_owned(),
        })
    }

    /// Where a file of the home of this name is, also before that is made.
    pub(crate) fn file_in(name: &str, file: &str) -> String {
        let path = target().join("bench").join(name).join(file);
        path.display().to_string()
    }

    /// In the place of the file in its folder.
    pub(crate) fn use_database(&mut self, url: &str) {
        url.clone_into(&mut self.database_url);
    }

    /// The files of a certificate for `localhost` that vouches for itself, and of its key.
    pub(crate) fn certificate(&self) -> Result<[String; 2]> {
        let files = ["certificate.pem", "certificate-key.pem"].map(|name| self.folder.join(name));
        let [certificate, key] = files.map(|file| file.display().to_string());
        let about = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext \
                     subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -days 2";
        let mut openssl = self.program(Path::new("openssl"));
        openssl.args(about.split_whitespace());
        said(openssl.args(["-out", &certificate, "-keyout", &key]))?;
        Ok([certificate, key])
    }

    /// The names of what is configured.
    pub(crate) fn apis(&self) -> impl Iterator<Item = &str> {
        self.apis.iter().map(String::as_str)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// `vega` with these arguments.
    pub(crate) fn vega(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&release("vega"));
        command.args(arguments);
        command
    }

    /// `sqlite3` with this query of the same database.
    pub(crate) fn sqlite3(&self, query: &str) -> Command {
        let mut command = self.program(Path::new("sqlite3"));
        command.arg(self.database()).arg(query);
        command
    }

    /// Any program, at this home and with nothing of the operator's own Vega.
    pub(crate) fn program(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["UPSTOX_", "VEGA_", "XDG_"]
                .iter()
                .any(|own| text.starts_with(own))
            {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("WAYLAND_DISPLAY", "of-the-bench")
            .env("VEGA__DATABASE__URL", &self.database_url)
            .env("VEGA__KEY_FILE", self.folder.join("vega.key"))
            .env("VEGA__UPSTOX__API_BASE_URL", &self.upstox)
            .env(
                "VEGA__BROWSER__BINARY",
                self.folder.join("chromium-without-a-window"),
            );
        command
    }

    /// What an example of the release measures at this home.
    pub(crate) fn figures(&self, name: &str, arguments: &[&str]) -> Result<Vec<f64>> {
        let mut command = self.program(&example(name));
        command.args(arguments);
        let text = said(&mut command)?;
        let figures = text.lines().map(|line| line.parse().context("a figure"));
        figures.collect()
    }
}

/// A program of the release build.
pub(crate) fn release(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// An example of the release build.
pub(crate) fn example(name: &str) -> PathBuf {
    target().join("release/examples").join(name)
}

/// Python with Upstox's SDK.
pub(crate) fn python() -> PathBuf {
    target().join("python/bin/python")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_apis_are_sixty_of_an_account() {
        let settings = Settings::made_up(61);
        let mobiles = ["9000000000", "9000000001"].map(|mobile| settings.text.matches(mobile).count());
        assert_eq!(mobiles, [1, 1], "each account has its own");
        assert_eq!(settings.text.matches("[[accounts]]").count(), 2);
        assert_eq!(settings.text.matches("[[accounts.apis]]").count(), 61);
        assert_eq!(settings.apis.last().map(String::as_str), Some("API60"));
        let (_, second) = settings.text.split_once("account1").unwrap();
        assert!(second.contains("API60") && !second.contains("API59"), "{second}");
    }
}
