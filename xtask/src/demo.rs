//! `cargo xtask demo`: the main job before your eyes, on a fresh machine. A simulated Upstox, a real browser, six
//! tokens. It fails when anything is not as it should be, so CI can run it too.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::demo_desk::{Desk, Upstox, shown};
use crate::install;
use crate::open_hours;
use crate::shell::{say, step};
use crate::test::build_programs;

/// Six sign-ins take seconds, by hand a few minutes.
const LENGTH: Duration = Duration::from_mins(2);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Show the browser, and be the human yourself: the simulator's phone page shows the OTP
    #[arg(long)]
    headed: bool,
    /// End by itself, with exit code 0 when all went well
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    install::browser()?;
    build_programs()?;
    open_hours::wait_for(LENGTH);

    let upstox = Upstox::start(!options.headed)?;
    let desk = Desk::new("demo", &upstox, options.headed)?;
    let server = desk.start_server()?;
    if options.headed {
        let state = upstox.sim("state")?;
        say(&format!(
            "You are the human. Your phone: {}/_sim/phone — your PIN: {}",
            upstox.base_url,
            state["accounts"][0]["pin"].as_str().unwrap_or("?")
        ));
    }

    step("vega --yes");
    let status = desk
        .program("vega")
        .arg("--yes")
        .status()
        .context("vega cannot be started")?;
    ensure!(status.success(), "vega failed: {status}");
    let counters = upstox.sim("counters")?;
    check(&desk, &counters)?;
    tell(&desk, &upstox.base_url, &counters);
    if !options.once {
        say("From another terminal, as a Rust service of your own would read a token:");
        say(&format!("  {}", reader(&desk, &upstox.base_url)));
        say("The simulator and the server run on. Press Enter to end them.");
        std::io::stdin().read_line(&mut String::new())?;
    }
    drop(server);
    Ok(())
}

/// What the demo promises.
fn check(desk: &Desk, counters: &Value) -> Result<()> {
    let output = desk.program("vega").args(["status", "--json"]).output()?;
    ensure!(output.status.success(), "vega status failed: {}", output.status);
    let status: Value = serde_json::from_slice(&output.stdout).context("vega status --json")?;
    let apis = status["apis"].as_array().context("apis")?;
    let valid = apis.iter().filter(|api| api["status"] == "valid").count();
    ensure!(
        valid == 6 && apis.len() == 6,
        "six valid tokens were promised: {status}"
    );
    for (counter, promised) in [
        ("otp_presses", 1),
        ("tokens_issued", 6),
        ("max_parallel_sign_ins", 1),
    ] {
        ensure!(
            counters[counter] == promised,
            "{counter} should be {promised}: {counters}"
        );
    }
    Ok(())
}

/// The example's command line; it needs the simulator, so it works as long as the demo runs.
fn reader(desk: &Desk, upstox: &str) -> String {
    let database = shown(&desk.database);
    let key = shown(&desk.folder.join("config/vega.key"));
    format!("cargo run -qp vega-example-hot-token -- \"sqlite://$PWD/{database}\" {key} PRIMARY {upstox}")
}

fn tell(desk: &Desk, upstox: &str, counters: &Value) {
    let count = |name: &str| counters[name].as_u64().unwrap_or_default();
    say("");
    say("What the simulated Upstox saw:");
    for (name, words) in [
        ("otp_presses", "OTP presses"),
        ("pin_entries", "PIN entries"),
        ("codes_issued", "codes issued"),
        ("tokens_issued", "tokens issued"),
        ("max_exchanges_of_one_code", "exchanges of one code, at most"),
        ("max_parallel_sign_ins", "sign-ins at once, at most"),
        ("browser_sessions_seen", "browser sessions"),
        ("profile_calls", "profile calls"),
    ] {
        say(&format!("  {:<32} {}", words, count(name)));
    }
    let folder = shown(&desk.folder);
    say("");
    say(&format!("Database:  {}", desk.database.display()));
    say(&format!("Console:   {}", desk.console));
    say(&format!("Upstox:    {upstox} (simulated)"));
    say("Look around:");
    say(&format!("  (cd {folder} && cargo run -qp vega-cli -- status)"));
    say(&format!(
        "  (cd {folder} && cargo run -qp vega-cli -- token PRIMARY)"
    ));
}
