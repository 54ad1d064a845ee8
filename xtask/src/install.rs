//! Installs what is missing: on Debian and Ubuntu through apt, elsewhere it says exactly what to install.

use std::path::{Path, PathBuf};

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
    let all = [
        ("strace", "-V"),
        ("sqlite3", "--version"),
        ("curl", "--version"),
        ("openssl", "version"),
    ];
    if all.iter().all(|(name, argument)| works(name, argument)) {
        return Ok(());
    }
    apt(&all.map(|(name, _)| name), "strace, sqlite3, curl and openssl")
}

/// The database server for desks with several machines, and a pooler that must be refused. Tests start their own.
pub(crate) fn postgres() -> Result<()> {
    const PROGRAMS: &str = "/usr/lib/postgresql";
    let has_server = std::fs::read_dir(PROGRAMS).is_ok_and(|versions| {
        let versions = versions.filter_map(Result::ok);
        versions
            .map(|version| version.path().join("bin/initdb"))
            .any(|program| program.exists())
    });
    // Debian keeps it where not every user's path leads.
    let has_pooler = works("pgbouncer", "--version") || works("/usr/sbin/pgbouncer", "--version");
    if has_server && has_pooler {
        return Ok(());
    }
    apt(
        &["postgresql", "pgbouncer"],
        "PostgreSQL 15 or newer, its server and its client, and PgBouncer",
    )
}

/// The proxies that stand before a server beyond its machine. Stories start their own.
pub(crate) fn proxies() -> Result<()> {
    // Debian keeps it where not every user's path leads.
    let has_nginx = works("nginx", "-v") || works("/usr/sbin/nginx", "-v");
    if has_nginx && works("caddy", "version") {
        return Ok(());
    }
    apt(&["nginx-light", "caddy"], "nginx and Caddy")
}

/// What counts instructions.
pub(crate) fn valgrind() -> Result<()> {
    if works("valgrind", "--version") {
        return Ok(());
    }
    apt(&["valgrind"], "valgrind")
}

/// Python with what it makes folders of packages with.
fn python() -> Result<()> {
    let has_venv = std::process::Command::new("python3")
        .args(["-c", "import ensurepip, sys; assert sys.version_info >= (3, 10)"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_venv {
        return Ok(());
    }
    apt(&["python3", "python3-venv"], "Python 3.10 or newer with venv")
}

/// Node and the console's packages, exactly as its lock file names them.
pub(crate) fn console_packages() -> Result<()> {
    node_packages("apps/vega-web")
}

/// Node, and the packages of this folder, exactly as its lock file names them.
pub(crate) fn node_packages(folder: &str) -> Result<()> {
    if !works("node", "--version") || !works("npm", "--version") {
        bail!("Node.js is missing: install Node 20.19 or newer with npm 11 or newer");
    }
    run(&root().join(folder), "npm", &["ci", "--no-audit", "--no-fund"])
}

/// The same, but left alone where they are no older than the lock file.
pub(crate) fn console_packages_if_stale() -> Result<()> {
    let folder = root().join("apps/vega-web");
    let written = |file: &str| folder.join(file).metadata().and_then(|file| file.modified());
    let is_there = written("node_modules/.package-lock.json")
        .is_ok_and(|there| written("package-lock.json").is_ok_and(|wanted| there >= wanted));
    if is_there { Ok(()) } else { console_packages() }
}

/// Python with the packages that `list` names, each with its version, in a folder of its own under `target`; the folder's
/// programs.
pub(crate) fn python_packages(list: &str, folder: &str) -> Result<PathBuf> {
    let folder = target().join(folder);
    let (wanted, made_for) = (
        std::fs::read_to_string(root().join(list))?,
        folder.join("made-for.txt"),
    );
    if std::fs::read_to_string(&made_for).is_ok_and(|made_for| made_for == wanted) {
        return Ok(folder.join("bin"));
    }
    python()?;
    let path = folder.display().to_string();
    run(&root(), "python3", &["-m", "venv", "--clear", &path])?;
    let pip = folder.join("bin/pip").display().to_string();
    let quiet = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        list,
    ];
    run(&root(), &pip, &quiet)?;
    std::fs::write(made_for, wanted)?;
    Ok(folder.join("bin"))
}

/// Upstox's own SDKs, for stories, and what leads them to the simulator.
pub(crate) fn story_packages() -> Result<()> {
    python_packages("tests/requirements.txt", "python")?;
    node_packages("tests/streamers")?;
    namespaces()
}

/// What makes a mount and a network namespace for a program.
fn namespaces() -> Result<()> {
    if ["unshare", "setpriv", "ip"].iter().all(|name| works(name, "-V")) {
        return Ok(());
    }
    apt(&["util-linux", "iproute2"], "unshare, setpriv and ip")
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
