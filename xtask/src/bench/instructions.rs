//! `cargo xtask bench --check`: how many instructions a hot read and `vega token` take, as callgrind counts them. That is
//! the same on a busy machine, so a count that grew fails.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::bench::baseline::Baseline;
use crate::bench::home::{Home, example, release};
use crate::bench::programs::output;
use crate::bench::world::filled;
use crate::shell::{say, step};

/// A count may grow by this before it fails: compilers and libraries change too.
const BOUND: f64 = 1.10;
/// Two counts of so many reads differ by what the reads took, and by nothing of the start.
const READS: [u32; 2] = [100_000, 200_000];

const TOKENS: usize = 3;

const HOT_READ: &str = "hot-read";
const TOKEN: &str = "token";

/// Counts, and compares with the committed counts, or becomes them.
pub(crate) fn check(save: bool) -> Result<()> {
    let home = filled("instructions", 6)?;
    let counts = [(HOT_READ, of_a_hot_read(&home)?), (TOKEN, of_a_token(&home)?)];
    let mut baseline = Baseline::read()?;
    for (id, count) in counts {
        let committed = baseline.instructions.get(id).copied();
        say(&format!(
            "{id}: {count:.1} instructions, committed {}",
            committed.map_or_else(|| "none".to_owned(), |committed| format!("{committed:.1}"))
        ));
    }
    if save {
        baseline
            .instructions
            .extend(counts.map(|(id, count)| (id.to_owned(), count)));
        return baseline.write();
    }
    let grown: Vec<&str> = counts
        .iter()
        .filter(|(id, count)| is_too_many(*count, baseline.instructions.get(*id).copied()))
        .map(|(id, _)| *id)
        .collect();
    ensure!(
        grown.is_empty(),
        "more than 10 % above the committed count: {}. Find what it is (`callgrind_annotate`), or commit the new count with \
         `cargo xtask bench --check --save-baseline`",
        grown.join(", ")
    );
    Ok(())
}

/// What is not committed is too many as well.
fn is_too_many(count: f64, committed: Option<f64>) -> bool {
    committed.is_none_or(|committed| count > committed * BOUND)
}

/// One of many, without the start of the program.
fn of_a_hot_read(home: &Home) -> Result<f64> {
    let [few, many] = READS;
    let count = |reads: u32| counted(home, &example("hot_reads"), &[&reads.to_string()]);
    Ok((count(many)? - count(few)?) / f64::from(many - few))
}

/// The whole program, from its start to its end; it works on one thread but for SQLite's. How these two wait for each other
/// differs a little, so the least of a few counts is the steady one.
fn of_a_token(home: &Home) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TOKENS {
        least = least.min(counted(home, &release("vega"), &["token", "API0"])?);
    }
    Ok(least)
}

fn counted(home: &Home, program: &Path, arguments: &[&str]) -> Result<f64> {
    let name = program.file_name().unwrap_or_default().display();
    step(&format!(
        "counting the instructions of {name} {}",
        arguments.join(" ")
    ));
    let mut valgrind = home.program(Path::new("valgrind"));
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments);
    let said = output(&mut valgrind)?.stderr;
    let said = String::from_utf8_lossy(&said);
    collected(&said).with_context(|| format!("callgrind counted nothing: {said}"))
}

/// From a line such as `==4711== Collected : 12345678`.
fn collected(said: &str) -> Option<f64> {
    let (_, count) = said.lines().find_map(|line| line.split_once("Collected :"))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fewer(90.0, Some(100.0), false)]
    #[case::a_little_more(109.9, Some(100.0), false)]
    #[case::too_many(110.1, Some(100.0), true)]
    #[case::nothing_is_committed(1.0, None, true)]
    fn a_count_beside_the_committed_one(
        #[case] count: f64,
        #[case] committed: Option<f64>,
        #[case] is_too_many: bool,
    ) {
        assert_eq!(super::is_too_many(count, committed), is_too_many);
    }

    #[test]
    fn the_count_is_read_as_callgrind_says_it() {
        let said = "==4711== Events    : Ir\n==4711== Collected : 12345678\n==4711==\n";
        assert_eq!(collected(said), Some(12_345_678.0));
        assert_eq!(collected("==4711== Events    : Ir\n"), None);
    }
}
