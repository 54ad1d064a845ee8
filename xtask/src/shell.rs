//! Running other programs: shown before they run, an error when they fail.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts programs.
pub(crate) fn binaries() -> PathBuf {
    target().join("debug")
}

/// Where cargo puts what it builds.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo's own setting, read where binaries are looked for"
)]
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target)
}

/// Runs a program in `folder`, its output going where ours goes.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[S]) -> Result<()> {
    run_with(folder, program, arguments, &[])
}

/// The same with environment variables of its own.
pub(crate) fn run_with<S: AsRef<OsStr>>(
    folder: &Path,
    program: &str,
    arguments: &[S],
    environment: &[(&str, &OsStr)],
) -> Result<()> {
    let words = words_of(program, arguments);
    step(&words);
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    ensure!(status.success(), "{words} failed: {status}");
    Ok(())
}

/// Runs a program whose exit code says something; `None` when a signal ended it.
pub(crate) fn code_of<S: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[S]) -> Result<Option<i32>> {
    step(&words_of(program, arguments));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    Ok(status.code())
}

fn words_of<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> String {
    let words = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy());
    [program.into()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a program prints, its errors going where ours go.
pub(crate) fn output(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    output_with(folder, program, arguments, &[])
}

/// The same with environment variables of its own; shown before it runs.
pub(crate) fn output_with(
    folder: &Path,
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &OsStr)],
) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{program} {} failed: {}",
        arguments.join(" "),
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("{program} did not print UTF-8"))
}

/// Whether a program runs at all.
pub(crate) fn works(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "what xtask does is said here")]
pub(crate) fn step(what: &str) {
    eprintln!("── {what}");
}

#[expect(clippy::print_stdout, reason = "what xtask finds is said here")]
pub(crate) fn say(what: &str) {
    println!("{what}");
}
