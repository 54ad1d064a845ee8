//! Installs what is missing: on Debian and Ubuntu through apt, elsewhere it says exactly what to install.

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{root, run, run_with, step, target, works};

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

/// What harnesses and stories look and meddle with.
pub(crate) fn harness_tools() -> Result<()> {
    if works("strace", "-V") && works("sqlite3", "--version") && works("curl", "--version") {
        return Ok(());
    }
    apt(&["strace", "sqlite3", "curl"], "strace, sqlite3 and curl")
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

/// Python with the packages of `tests/requirements.txt`.
pub(crate) fn python() -> Result<()> {
    python_with("tests/requirements.txt", &target().join("python"))
}

/// Python with the packages that the file `wanted` names, in an environment of its own.
pub(crate) fn python_with(wanted: &str, folder: &Path) -> Result<()> {
    let (text, made_for) = (
        std::fs::read_to_string(root().join(wanted))?,
        folder.join("made-for.txt"),
    );
    if std::fs::read_to_string(&made_for).is_ok_and(|made_for| made_for == text) {
        return Ok(());
    }
    // Debian's python3 comes without what an environment needs.
    if !works("python3", "-cimport ensurepip, venv") {
        apt(&["python3", "python3-venv"], "Python 3 with its module venv")?;
    }
    let path = folder.display().to_string();
    run(&root(), "python3", &["-m", "venv", "--clear", &path])?;
    let pip = folder.join("bin/pip").display().to_string();
    let quiet = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(&root(), &pip, &[&quiet[..], &[wanted]].concat())?;
    Ok(std::fs::write(made_for, text)?)
}

fn apt(packages: &[&str], what: &str) -> Result<()> {
    // Ubuntu has them as snaps only, which cannot be driven the same way.
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !system.lines().any(|line| line == "ID=debian") || !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "missing on this machine: {what}. Please install what is named, so that its programs are on the path"
        );
    }
    step(&format!("missing: {what}. Installing {}", packages.join(" ")));
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
            "missing: {what}. As root run: apt-get install {}",
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
