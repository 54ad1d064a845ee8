//! `cargo xtask demo`: the main job before your eyes, on a fresh machine. A simulated Upstox, a real browser, six
//! tokens; then the next morning, on which you are the human at the console. It fails when anything is not as it should be,
//! so CI can run it too.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::builds::build_programs;
use crate::console;
use crate::demo_desk::{CONFIG_DIR, Desk, HUMAN, Upstox, shown};
use crate::demo_machines;
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, say, step, works};

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
    /// Two machines with one PostgreSQL database: one signs in and dies, the other serves and goes on. Ends by itself
    #[arg(long, conflicts_with_all = ["headed", "once"])]
    machines: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.machines {
        return demo_machines::run();
    }
    install::browser()?;
    build_console()?;
    build_programs()?;
    open_hours::wait_for(LENGTH);

    let upstox = Upstox::start(&binaries(), (!options.headed).then_some(HUMAN))?;
    let desk = Desk::new("demo", &upstox, options.headed)?;
    let server = desk.start_server()?;
    if options.headed {
        say("You are the human, in the browser window.");
        tell_secrets(&upstox)?;
    }

    step("vega --yes");
    let mut vega = desk.program("vega");
    if !options.headed {
        desk.hide_window(&mut vega)?;
    }
    let status = vega.arg("--yes").status().context("vega cannot be started")?;
    ensure!(status.success(), "vega failed: {status}");
    let counters = upstox.sim("counters")?;
    check(&desk, &counters)?;
    tell(&desk, &upstox.base_url, &counters);
    if options.once {
        let config_dir = shown(&desk.folder.join(CONFIG_DIR));
        say("Look around:");
        for command in ["status", "token PRIMARY"] {
            say(&format!(
                "  cargo run -qp vega-cli -- --config-dir {config_dir} {command}"
            ));
        }
    } else {
        next_morning(&desk, &upstox)?;
    }
    drop(server);
    Ok(())
}

/// The console that the server shows, where Node is there to build it.
fn build_console() -> Result<()> {
    if works("node", "--version") && works("npm", "--version") {
        install::console_packages_if_stale()?;
        return console::build();
    }
    say("Node.js is missing, so the server shows a plain page in place of the console.");
    say("To see the console, install Node 20.19 or newer with npm 11 or newer.");
    Ok(())
}

/// What only the human has: the phone and the PIN.
fn tell_secrets(upstox: &Upstox) -> Result<()> {
    let state = upstox.sim("state")?;
    let pin = state["accounts"][0]["pin"].as_str().context("a PIN")?;
    say(&format!(
        "  Your phone, for the OTP:  {}/_sim/phone",
        upstox.base_url
    ));
    say(&format!("  Your PIN:                 {pin}"));
    Ok(())
}

/// All tokens have died, as at 03:30 IST, and nobody is signed in at Upstox any more: what follows is the human's.
fn next_morning(desk: &Desk, upstox: &Upstox) -> Result<()> {
    let away = json!({ "enabled": false, "delay_ms": 0, "also_mobile": false, "wrong_otp": false, "wrong_pin": false });
    upstox.put("accounts/default/human", &away)?;
    upstox.post("accounts/default/log_out_sessions")?;
    upstox.post("accounts/default/revoke_tokens")?;
    let verified = desk.program("vega").args(["verify", "--json"]).output()?;
    ensure!(
        verified.status.code() == Some(3),
        "vega verify should find six dead tokens: {}",
        String::from_utf8_lossy(&verified.stderr)
    );
    say("");
    say("That was one morning. The night has passed, all six tokens are dead, and now you are the human:");
    tell_secrets(upstox)?;
    say("");
    say("While this runs, from another terminal, as a Rust service of your own would read a token:");
    say(&format!("  {}", reader(desk, &upstox.base_url)));
    loop {
        say("");
        say(
            "Open the console. This link works once, within 60 seconds; Enter gives another one, q and Enter ends all:",
        );
        say(&format!("  {}", desk.console_link()?));
        let mut line = String::new();
        let is_over = std::io::stdin().read_line(&mut line)? == 0;
        if is_over || line.trim() == "q" {
            return Ok(());
        }
    }
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
    let opened = ureq::get(&desk.console).call()?.body_mut().read_to_string()?;
    ensure!(
        opened.contains("<title>Vega"),
        "the console is not shown: {opened}"
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
    let key = shown(&desk.folder.join(CONFIG_DIR).join("vega.key"));
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
    say("");
    say(&format!("Database:  {}", desk.database.display()));
    say(&format!("Console:   {}", desk.console));
    say(&format!("Upstox:    {upstox} (simulated)"));
}
