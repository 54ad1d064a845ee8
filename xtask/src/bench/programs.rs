//! Runs programs that must succeed: what they say, and how long they take from their start to their end. Programs whose
//! figures are compared run in turns, so that what else the machine does meets all of them alike.

use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// Its output, once it has succeeded.
pub(crate) fn output(program: &mut Command) -> Result<Output> {
    let name = program.get_program().display().to_string();
    let output = program
        .output()
        .with_context(|| format!("{name} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{name} failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// What it prints.
pub(crate) fn said(program: &mut Command) -> Result<String> {
    Ok(String::from_utf8(output(program)?.stdout)?)
}

/// Milliseconds of one start.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a program takes is what is asked"
)]
pub(crate) fn milliseconds(program: &mut Command) -> Result<f64> {
    let began = Instant::now();
    output(program)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Milliseconds of each program in each round, the programs in their order.
pub(crate) fn in_turns(rounds: usize, programs: &mut [Command]) -> Result<Vec<Vec<f64>>> {
    let mut took = vec![Vec::with_capacity(rounds); programs.len()];
    for _ in 0..rounds {
        for (program, took) in programs.iter_mut().zip(&mut took) {
            took.push(milliseconds(program)?);
        }
    }
    Ok(took)
}
