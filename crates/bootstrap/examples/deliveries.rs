//! What `cargo xtask bench` runs: how long a token takes from another process's commit until a `vega watch` has told of it, a `vega exec` has
//! started its command with it, and a file of `[[files]]` holds it. `deliveries VEGA FILE`, beside a server that runs. Prints milliseconds:
//! of the line, the command and the file, change by change. Judges none.

#[path = "../tests/it/other_vega.rs"]
#[expect(dead_code, reason = "here it only stores tokens")]
mod other_vega;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};
use vega_bootstrap::{Environment, Settings, SystemClock};
use vega_domain::ids::Generation;
use vega_domain::ports::Clock;

use crate::other_vega::OtherVega;

const CHANGES: u32 = 100;
/// What is late for this is lost.
const PATIENCE: Duration = Duration::from_secs(30);
const FILE_LOOK: Duration = Duration::from_micros(500);

/// A program that says something of each token.
struct Program {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Program {
    fn start(vega: &str, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(vega)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("its output")?;
        Ok(Self {
            lines: BufReader::new(output).lines(),
            _child: child,
        })
    }

    /// When it has said something with this in it.
    async fn says(&mut self, wanted: &str) -> Result<Instant> {
        let said = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains(wanted) {
                    return Ok(Instant::now());
                }
            }
            bail!("the program has ended")
        };
        timeout(PATIENCE, said)
            .await
            .with_context(|| format!("nobody says {wanted}"))?
    }
}

/// When the file has exactly this in it.
async fn holds(file: &Path, wanted: &str) -> Result<Instant> {
    let holds = async {
        while std::fs::read_to_string(file).ok().as_deref() != Some(wanted) {
            sleep(FILE_LOOK).await;
        }
        Instant::now()
    };
    timeout(PATIENCE, holds).await.context("the file stays as it is")
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vega, file] = arguments.as_slice() else {
        bail!("give the program, and a file of [[files]]");
    };
    let settings = Settings::load(&Environment::of_process())?;
    let clock = SystemClock::new();
    let (account, api) = settings.accounts.apis().next().context("no API")?;
    let name = api.name.as_str();
    let script = format!("echo started $VEGA_{name}_GENERATION.; exec sleep 1000");
    let mut watch = Program::start(vega, &["watch", name])?;
    let mut exec = Program::start(vega, &["exec", name, "--", "sh", "-c", &script])?;
    watch.says("\"generation\":1,").await?;
    exec.says("started 1.").await?;
    let token = |generation| format!("CANARY-token-{name}-{generation}");
    holds(Path::new(file), &token(1)).await?;

    let other = OtherVega::open(&settings.database_place, settings.key_source.path(), clock.now()).await?;
    let mut took = Vec::new();
    for number in 1..=CHANGES {
        // At every phase of whatever asks regularly.
        sleep(Duration::from_millis(u64::from(50 + number * 37 % 101))).await;
        let generation = 1 + number;
        other
            .store(account, api, Generation::new(generation)?, clock.now())
            .await?;
        let began = Instant::now();
        let (line, command) = (
            format!("\"generation\":{generation},"),
            format!("started {generation}."),
        );
        let held = token(generation);
        let (told, started, held) = tokio::try_join!(
            watch.says(&line),
            exec.says(&command),
            holds(Path::new(file), &held)
        )?;
        let since = |at: Instant| at.saturating_duration_since(began).as_secs_f64() * 1e3;
        took.extend([told, started, held].map(since));
    }
    // Its run is not closed: the server has ended it by then, as that of a process that died.
    drop(other);
    say(took);
    Ok(())
}

/// A figure a line; what they amount to is reckoned by who asked.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn say(figures: impl IntoIterator<Item = f64>) {
    for figure in figures {
        println!("{figure:.4}");
    }
}
