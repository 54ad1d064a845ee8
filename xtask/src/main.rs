//! Every automation command of the project, one file each. CI runs nothing that a person cannot run with the same words.
//! It starts programs and imports nothing of Vega's.

mod days;
mod demo;
mod demo_desk;
mod e2e;
mod generate;
mod install;
mod open_hours;
mod shell;
mod test;
mod tidy;

use clap::Parser;

/// Automation of the Vega project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Sign in six APIs at a simulated Upstox in a real browser
    Demo(demo::Options),
    /// Play virtual days of the real orchestration, from a seed, and say what was broken
    Days(days::Options),
    /// Everything that CI runs
    Test,
    /// Only the whole-system stories: real binaries, real browser, simulator
    E2e,
    /// Write what is generated from the code, or prove that it is fresh
    Generate(generate::Options),
    /// The house rules that no lint checks: imports, headers, names, length, migrations
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Days(options) => days::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Test => test::run(),
        Command::E2e => e2e::run(),
        Command::Generate(options) => generate::run(&options),
        Command::Tidy => tidy::run(),
    }
}
