//! `cargo xtask clients`: the client libraries. Those of other languages with their own test runners, against the real server and the
//! simulator, also where the name of Upstox leads there; Rust's with all its features, which the Rust tests of everything leave out.
//! Rust's and Python's as packages; Node's is one of its tests.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::builds::{build_harnesses, build_programs};
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, output, root, run, run_with, target};

/// Both take less, also on a slow machine.
const LENGTH: Duration = Duration::from_mins(6);

pub(crate) fn run_alone() -> Result<()> {
    install::browser()?;
    install::harness_tools()?;
    install::story_packages()?;
    build_programs()?;
    build_harnesses()?;
    clients()
}

/// Needs the programs, also with test hooks, a browser, and the packages of the stories.
pub(crate) fn clients() -> Result<()> {
    rust()?;
    open_hours::wait_for(LENGTH);
    python()?;
    node()
}

fn rust() -> Result<()> {
    let client = ["-p", "vega-client", "--locked", "--all-features"];
    let clippy = ["--all-targets", "--", "-D", "warnings"];
    run(&root(), "cargo", &[&["clippy"], &client[..], &clippy].concat())?;
    // With those in its documentation.
    run(&root(), "cargo", &[&["test"], &client[..]].concat())?;
    let package = [
        "package",
        "-p",
        "vega-client",
        "--locked",
        "--allow-dirty",
        "--no-verify",
    ];
    run(&root(), "cargo", &package)
}

fn python() -> Result<()> {
    let python = target().join("python/bin/python").display().to_string();
    let folder = root().join("clients/python");
    let binaries = binaries();
    run_with(
        &folder,
        &python,
        &["-m", "unittest", "discover", "-s", "tests", "-t", "."],
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )?;
    let warnings = "ignore::ResourceWarning";
    let feeds = ["-W", warnings, "-m", "unittest", "-v", "tests.real.feeds"];
    with_upstox(&folder, &[&[python.as_str()], &feeds[..]].concat())?;
    python_package(&folder, &python)
}

/// The source package, the wheel that is made from it, and what the wheel holds. It works without Upstox's SDK and for itself.
fn python_package(folder: &Path, python: &str) -> Result<()> {
    let tools = ["install", "--quiet", "--disable-pip-version-check"];
    let list = ["--requirement", "build-requirements.txt"];
    run(folder, python, &[&["-m", "pip"], &tools[..], &list].concat())?;
    let packages = target().join("python-packages");
    if packages.exists() {
        std::fs::remove_dir_all(&packages)?;
    }
    let outdir = packages.display().to_string();
    let build = ["-m", "build", "--no-isolation", "--outdir", &outdir];
    run(folder, python, &build)?;
    let installed = packages.join("installed").display().to_string();
    let found = [
        "--no-index",
        "--no-deps",
        "--find-links",
        &outdir,
        "--target",
        &installed,
    ];
    let named = ["--only-binary", ":all:", "vega-client"];
    run(
        folder,
        python,
        &[&["-m", "pip"], &tools[..], &found, &named].concat(),
    )?;
    let import = format!(
        "import sys; sys.path.insert(0, {installed:?}); import vega_client.aio; print(vega_client.__file__)"
    );
    let imported = output(folder, python, &["-I", "-c", &import])?;
    ensure!(
        imported.starts_with(&installed),
        "not the package was imported, but {imported}"
    );
    Ok(())
}

/// Where the name of Upstox leads to a simulator.
fn with_upstox(folder: &Path, command: &[&str]) -> Result<()> {
    let binaries = binaries();
    let program = root().join("tests/streamers/with-upstox").display().to_string();
    run_with(
        folder,
        &program,
        &[&["--simulated-human", "4", "--"], command].concat(),
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )
}

fn node() -> Result<()> {
    install::node_packages("clients/node")?;
    let folder = root().join("clients/node");
    run(&folder, "npm", &["run", "--silent", "lint"])?;
    run(&folder, "npm", &["run", "--silent", "typecheck"])?;
    let binaries = binaries();
    run_with(
        &folder,
        "npm",
        &["test", "--silent"],
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )?;
    run_with(
        &folder,
        "npm",
        &["run", "--silent", "test:feeds"],
        &[("VEGA_BIN_DIR", binaries.as_os_str())],
    )
}
