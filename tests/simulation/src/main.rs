//! `simulation`: plays simulated days and says what was broken. Exit code 0: nothing was, 1: a rule was broken, 2: it could not be
//! played.

use std::process::ExitCode;

use clap::Parser;
use vega_simulation::{Campaign, InjectedDefect, campaign};

/// Plays simulated days of Vega: the real orchestration with humans, an Upstox, faults and clocks drawn from a seed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask simulation")]
struct Options {
    /// From which everything is drawn; the same seed plays the same days [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// How many days at most
    #[arg(long, default_value_t = 200)]
    days: u32,
    /// Inject a defect into the adapters; it should be found. `--list-defects` names them
    #[arg(long)]
    defect: Option<InjectedDefect>,
    /// Name the defects that can be injected, with what each breaks, and play nothing
    #[arg(long)]
    list_defects: bool,
    /// Print what happened on the last day even if nothing was broken
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> anyhow::Result<bool> {
    if options.list_defects {
        for defect in InjectedDefect::ALL {
            let rules: Vec<String> = defect.breaks().iter().map(ToString::to_string).collect();
            say(&format!("{:<24} {}", defect.name(), rules.join(", or ")));
        }
        return Ok(true);
    }
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000_000));
    let injected = options
        .defect
        .map(|defect| format!(", injected: {defect}"))
        .unwrap_or_default();
    say(&format!("seed {seed}, {} days{injected}", options.days));
    let outcome = campaign(
        Campaign {
            seed,
            days: options.days,
            defect: options.defect,
        },
        |day| {
            if day % 1000 == 0 {
                say(&format!("  day {day}"));
            }
        },
    )?;
    let is_well = outcome.violations.is_empty();
    if !is_well || options.trace {
        for line in &outcome.last_day {
            say(line);
        }
    }
    for violation in &outcome.violations {
        say(&format!(
            "violation on day {} of seed {seed}: {}: {}",
            outcome.days, violation.rule, violation.words
        ));
    }
    say(&format!(
        "seed {seed}: {} days, {} of them with two machines, {}, digest {}",
        outcome.days,
        outcome.days_of_several_machines,
        if is_well {
            "every rule was kept"
        } else {
            "a rule was broken"
        },
        outcome.digest
    ));
    if !is_well {
        say(&format!(
            "play it again: cargo xtask simulation --seed {seed} --days {}{}",
            outcome.days,
            options
                .defect
                .map(|defect| format!(" --defect {defect}"))
                .unwrap_or_default()
        ));
    }
    Ok(is_well)
}

#[expect(clippy::print_stdout, reason = "what was found is said here")]
fn say(what: &str) {
    println!("{what}");
}

#[expect(clippy::print_stderr, reason = "why nothing was played is said here")]
fn complain(what: &str) {
    eprintln!("{what}");
}
