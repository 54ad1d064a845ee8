//! `cargo xtask bench`: how fast the release build is, each figure beside its floor in the same run. Prints the table,
//! writes it to `target/bench.json`, and tells which ratios are worse than the committed ones. Fails only when a promise
//! is not kept on this machine, or when something could not be measured. How to read the table: `benches/README.md`. No
//! test asserts such figures.

mod baseline;
mod delivery;
mod figure;
mod growth;
mod home;
mod http;
mod idle;
mod in_process;
mod instructions;
mod programs;
mod report;
mod row;
mod rows;
mod server;
mod short_commands;
mod sign_ins;
mod sizes;
mod verification;
mod world;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use self::baseline::Baseline;
use self::figure::Figure;
use self::row::Group;
use self::rows::GROUPS;
use self::world::World;
use crate::shell::{self, root, say, step, target};
use crate::{install, open_hours};

/// It takes less, but where a machine is busy.
const LENGTH: Duration = Duration::from_mins(20);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure only the lines of these groups or names, such as `verification` or `token`
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Count instructions instead, and fail where there are over 10 % more than committed
    #[arg(long, conflicts_with = "only")]
    check: bool,
    /// Commit what is measured to: write it into `benches/baseline.json`
    #[arg(long)]
    save_baseline: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check {
        install::valgrind()?;
        build()?;
        return instructions::check(options.save_baseline);
    }
    let groups = chosen(GROUPS, &options.only)?;
    install::harness_tools()?;
    install::postgres()?;
    install::browser()?;
    install::story_packages()?;
    build()?;
    open_hours::wait_for(LENGTH);
    let mut baseline = Baseline::read()?;
    let (figures, failures) = measured(&groups, &baseline);
    say(&report::table(&figures));
    std::fs::write(
        target().join("bench.json"),
        report::document(&figures).to_string(),
    )?;
    if options.save_baseline {
        let ratios = figures
            .iter()
            .filter_map(|figure| Some((figure.row.id.to_owned(), figure.ratio()?)));
        baseline.ratios.extend(ratios);
        baseline.write()?;
    } else {
        for warning in report::warnings(&figures) {
            say(&warning);
        }
    }
    let failures = [failures, report::broken(&figures)].concat();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// What cannot be measured leaves the rest of the table as it is.
fn measured(groups: &[&Group], baseline: &Baseline) -> (Vec<Figure>, Vec<String>) {
    let world = World::default();
    let (mut figures, mut failures) = (Vec::new(), Vec::new());
    for group in groups {
        step(group.name);
        match of_group(group, &world, baseline) {
            Ok(of_group) => figures.extend(of_group),
            Err(error) => failures.push(format!("{} could not be measured: {error:#}", group.name)),
        }
    }
    (figures, failures)
}

fn of_group(group: &Group, world: &World, baseline: &Baseline) -> Result<Vec<Figure>> {
    let measured = (group.measure)(world)?;
    ensure!(
        measured.len() == group.rows.len(),
        "{} lines were measured, not {}",
        measured.len(),
        group.rows.len()
    );
    let lines = group.rows.iter().zip(&measured);
    lines
        .map(|(row, measured)| Figure::of(*row, measured, baseline.ratios.get(row.id).copied()))
        .collect()
}

/// The groups that are named, or one of whose lines is; all of them where no name is given.
fn chosen<'a>(groups: &'a [Group], only: &[String]) -> Result<Vec<&'a Group>> {
    let is_named =
        |group: &Group, name: &str| group.name == name || group.rows.iter().any(|row| row.id == name);
    for name in only {
        ensure!(
            groups.iter().any(|group| is_named(group, name)),
            "nothing is named {name}. Groups are {}; the name of any of their lines does as well",
            groups
                .iter()
                .map(|group| group.name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let is_wanted = |group: &&Group| only.is_empty() || only.iter().any(|name| is_named(group, name));
    Ok(groups.iter().filter(is_wanted).collect())
}

/// The programs as users have them, and then what measures: in one build the examples' dependencies would change them.
fn build() -> Result<()> {
    let programs = ["vega-cli", "vega-server", "upstox-simulator"];
    let release = |packages: &[&str], what: &[&str]| {
        let packages = packages.iter().flat_map(|package| ["-p", package]);
        let arguments: Vec<&str> = ["build", "--locked", "--release"]
            .into_iter()
            .chain(packages)
            .chain(what.iter().copied())
            .collect();
        shell::run(&root(), "cargo", &arguments)
    };
    release(&programs, &["--bins"])?;
    let measuring = [
        "vega-bootstrap",
        "vega-persistence",
        "vega-selenium",
        "vega-server",
        "vega-upstox",
    ];
    let examples = [
        "measure",
        "fan_out",
        "deliveries",
        "hot_reads",
        "newest_tokens",
        "bare_webdriver",
        "empty_handler",
        "load",
        "six_connections",
    ];
    let examples: Vec<&str> = examples
        .iter()
        .flat_map(|example| ["--example", example])
        .collect();
    release(&measuring, &examples)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        chosen(GROUPS, &only)
            .unwrap()
            .iter()
            .map(|group| group.name)
            .collect()
    }

    #[test]
    fn groups_are_chosen_by_their_name_or_a_lines() {
        assert_eq!(names(&["size-server", "commands"]), ["commands", "sizes"]);
        assert_eq!(names(&[]).len(), GROUPS.len());
        let error = chosen(GROUPS, &["tokens".to_owned()]).err().unwrap().to_string();
        assert!(
            error.contains("nothing is named tokens. Groups are commands,"),
            "{error}"
        );
    }

    #[test]
    fn every_line_has_a_name_of_its_own() {
        let mut seen = BTreeSet::new();
        for row in GROUPS.iter().flat_map(|group| group.rows) {
            assert!(seen.insert(row.id), "{} is there twice", row.id);
        }
    }

    const ROWS: &[row::Row] = &[row::row("a", "ms", "a thing")];

    #[test]
    fn what_fails_leaves_the_other_lines() {
        let group = |measure| Group {
            name: "made up",
            rows: ROWS,
            measure,
        };
        let good = group(|_| Ok(vec![row::Measured::alone(vec![1.0])]));
        let bad = group(|_| anyhow::bail!("no browser"));
        let short = group(|_| Ok(Vec::new()));
        let (figures, failures) = measured(&[&bad, &good, &short], &Baseline::default());
        assert_eq!(figures.len(), 1);
        let told = [
            "made up could not be measured: no browser",
            "made up could not be measured: 0 lines were measured, not 1",
        ];
        assert_eq!(failures, told);
    }
}
