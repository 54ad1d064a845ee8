//! Every automation command of the project, one file each. CI runs nothing that a person cannot run with the same words.
//! It starts programs and imports nothing of Vega's.

mod bench;
mod builds;
mod chaos;
mod clients;
mod console;
mod contract;
mod crash_images;
mod demo;
mod demo_desk;
mod demo_machines;
mod docs;
mod e2e;
mod faults;
mod generate;
mod install;
mod machines;
mod open_hours;
mod shell;
mod simulation;
mod test;
mod test_database;
mod tidy;

use clap::{CommandFactory, Parser};

/// Automation of the Vega project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Sign in six APIs at a simulated Upstox in a real browser
    Demo(demo::Options),
    /// Play simulated days of the real orchestration, from a seed, and say what was broken
    Simulation(simulation::Options),
    /// Everything that CI runs
    Test,
    /// How fast the release build is, each figure beside its floor; or, with --check, how many instructions it takes
    Bench(bench::Options),
    /// What power cuts leave of the database: images of recorded writes, each examined
    CrashImages(crash_images::Options),
    /// Only the whole-system stories: real binaries, real browser, simulator
    E2e,
    /// Kill vega at random moments and look whether it keeps its promises; 25 times, or --kills 1000
    Chaos(chaos::Options),
    /// Let things happen to two machines with one database and look whether vega keeps its promises; 17 times, or --rounds 1000
    Machines(machines::Options),
    /// The client libraries, those of other languages against the real server
    Clients,
    /// Call the server as its OpenAPI document allows, and as it does not
    Contract,
    /// Let every write of a sign-in fail and look whether vega keeps its promises
    Faults(faults::Options),
    /// Write what is generated from the code, or prove that it is fresh
    Generate(generate::Options),
    /// Build the documents as a book, into target/docs
    Docs,
    /// The house rules that no lint checks: imports, headers, names, length, migrations, documents
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Simulation(options) => simulation::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Test => test::run(&Command::command()),
        Command::Bench(options) => bench::run(&options),
        Command::CrashImages(options) => crash_images::run(&options),
        Command::Chaos(options) => chaos::run_with(&options),
        Command::Machines(options) => machines::run_with(&options),
        Command::Clients => clients::run_alone(),
        Command::Contract => contract::run_alone(),
        Command::Faults(options) => faults::run_with(&options),
        Command::Docs => docs::run(),
        Command::E2e => e2e::run(),
        Command::Generate(options) => generate::run(&options),
        Command::Tidy => tidy::run(&Command::command()),
    }
}
