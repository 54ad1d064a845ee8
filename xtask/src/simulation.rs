//! `cargo xtask simulation`: simulated days over the real orchestration, from a seed. The program is built and run; what it plays
//! and what must never happen is decided in `tests/simulation`. CI plays 200 of them, and the injected defects, as tests there.

use anyhow::{Result, ensure};
use clap::Args;

use crate::shell::{self, root};

/// So many days are worth a build with optimisation.
const MANY: u32 = 1000;
/// What the program ends with when a rule is broken.
const BROKEN: i32 = 1;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// From which everything is drawn; the same seed plays the same days [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
    /// How many days at most
    #[arg(long, default_value_t = 200)]
    days: u32,
    /// Inject a defect into the adapters, which should be found; `--list-defects` names them
    #[arg(long, value_name = "NAME")]
    defect: Option<String>,
    /// Name the defects that can be injected, with what each breaks, and play nothing
    #[arg(long)]
    list_defects: bool,
    /// Print what happened on the last day even if nothing was broken
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut arguments: Vec<String> = ["run", "--quiet", "--locked", "-p", "vega-simulation"]
        .map(String::from)
        .into();
    if options.days >= MANY {
        arguments.push("--release".into());
    }
    arguments.extend(["--".into(), "--days".into(), options.days.to_string()]);
    if let Some(seed) = options.seed {
        arguments.extend(["--seed".into(), seed.to_string()]);
    }
    if let Some(defect) = &options.defect {
        arguments.extend(["--defect".into(), defect.clone()]);
    }
    if options.list_defects {
        arguments.push("--list-defects".into());
    }
    if options.trace {
        arguments.push("--trace".into());
    }
    let Some(defect) = &options.defect else {
        return shell::run(&root(), "cargo", &arguments);
    };
    let code = shell::code_of(&root(), "cargo", &arguments)?;
    ensure!(
        code == Some(BROKEN),
        "the injected defect {defect} was not found: the days ended with {code:?}"
    );
    shell::step(&format!("{defect} was found, as it must be"));
    Ok(())
}
