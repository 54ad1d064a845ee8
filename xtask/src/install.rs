//! Installs what is missing: on Debian and Ubuntu through apt, elsewhere it says exactly what to install.

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{root, run, run_with, step, works};

/// Chromium and ChromeDriver, for real sign-ins.
pub(crate) fn browser() -> Result<()> {
    let chromium = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .any(|name| works(name, "--version"));
    if chromium && works("chromedriver", "--version") {
        return Ok(());
    }
    apt(
        &["chromium", "chromium-driver", "chromium-sandbox"],
        "Chromium and ChromeDriver of the same major version",
    )
}

/// What the harnesses of `tests` look and meddle with.
pub(crate) fn harness_tools() -> Result<()> {
    if works("strace", "--version") && works("sqlite3", "--version") {
        return Ok(());
    }
    apt(&["strace", "sqlite3"], "strace and sqlite3")
}

/// Node and the console's packages, exactly as its lock file names them.
pub(crate) fn console_packages() -> Result<()> {
    if !works("node", "--version") || !works("npm", "--version") {
        bail!("Node.js is missing: install Node 20.19 or newer with npm 11 or newer");
    }
    run(
        &root().join("apps/vega-web"),
        "npm",
        &["ci", "--no-audit", "--no-fund"],
    )
}

fn apt(packages: &[&str], what: &str) -> Result<()> {
    // Ubuntu has them as snaps only, which cannot be driven the same way.
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !system.lines().any(|line| line == "ID=debian") || !Path::new("/usr/bin/apt-get").exists() {
        bail!("{what} are missing: please install them, so that they are on the path");
    }
    step(&format!("{what} are missing: installing {}", packages.join(" ")));
    let quiet: &[(&str, &std::ffi::OsStr)] = &[("DEBIAN_FRONTEND", "noninteractive".as_ref())];
    let install = [
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        packages,
    ]
    .concat();
    if is_root() {
        run_with(&root(), "apt-get", &["update", "--quiet"], quiet)?;
        run_with(&root(), "apt-get", &install, quiet)
    } else if works("sudo", "--version") {
        run(&root(), "sudo", &["apt-get", "update", "--quiet"])?;
        run(&root(), "sudo", &[&["apt-get"], install.as_slice()].concat())
    } else {
        bail!(
            "{what} are missing. As root run: apt-get install {}",
            packages.join(" ")
        )
    }
}

/// Whether this process may install packages by itself.
fn is_root() -> bool {
    std::process::Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}
