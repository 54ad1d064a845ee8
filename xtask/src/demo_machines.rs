//! `cargo xtask demo --machines`: two machines with one PostgreSQL database, before your eyes. Each has a folder of its own; the database
//! server is the one that tests use. It fails when anything is not as it should be.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::builds::build_programs;
use crate::demo_desk::{Companion, Desk, HUMAN, Upstox};
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, say, step};
use crate::test_database::PostgresServer;

/// Two mornings, and the wait for a machine that is dead.
const LENGTH: Duration = Duration::from_mins(3);
const AT_MOST: Duration = Duration::from_secs(30);

pub(crate) fn run() -> Result<()> {
    install::browser()?;
    install::postgres()?;
    build_programs()?;
    open_hours::wait_for(LENGTH);

    let upstox = Upstox::start(&binaries(), Some(HUMAN))?;
    let database = PostgresServer::shared().fresh_database();
    let one = Desk::new("demo-machine-1", &upstox, false)?;
    let other = Desk::new("demo-machine-2", &upstox, false)?;
    for desk in [&one, &other] {
        desk.use_database(&database)?;
    }
    step("machine 1: vega status, which makes the tables and the key");
    let status = one.program("vega").arg("status").status()?;
    ensure!(status.code() == Some(3), "no token is there yet: {status}");
    step("the key is copied to machine 2");
    std::fs::copy(one.key(), other.key())?;
    step("machine 2: vega-server");
    let server = other.start_server()?;
    let made = other
        .program("vega")
        .args(["key", "add", "program", "--scope", "token:PRIMARY"])
        .output()?;
    let key = String::from_utf8(made.stdout)?.trim().to_owned();

    step("machine 1: vega --yes");
    let mut vega = one.program("vega");
    one.hide_window(&mut vega)?;
    let ended = vega.arg("--yes").status()?;
    ensure!(ended.success(), "vega failed: {ended}");
    let waited = until_served(&other, &key)?;
    say(&format!(
        "Machine 2 serves the token; asked for when machine 1 had ended, it came within {} ms.",
        waited.as_millis()
    ));

    a_machine_dies(&one, &upstox)?;
    step("machine 2: vega --yes --again PRIMARY, for the dead one may have spent an OTP");
    let mut vega = other.program("vega");
    other.hide_window(&mut vega)?;
    let ended = vega.args(["--yes", "--again", "PRIMARY"]).status()?;
    ensure!(ended.success(), "vega failed: {ended}");
    let report = other.program("vega").args(["status", "--json"]).output()?;
    let report: Value = serde_json::from_slice(&report.stdout).context("vega status --json")?;
    let apis = report["apis"].as_array().context("apis")?;
    let valid = apis.iter().filter(|api| api["status"] == "valid").count();
    ensure!(valid == 6, "six valid tokens were promised: {report}");
    let counters = upstox.sim("counters")?;
    ensure!(
        counters["max_exchanges_of_one_code"] == 1,
        "each code is sent once, that was promised: {counters}"
    );
    let verified = other.program("vega").args(["audit", "--verify"]).status()?;
    ensure!(verified.success(), "the audit trail is not intact: {verified}");
    drop(server);
    Ok(())
}

/// All tokens are dead, and machine 1 is killed while it waits for the OTP.
fn a_machine_dies(one: &Desk, upstox: &Upstox) -> Result<()> {
    step("the next morning; machine 1: vega --yes, and it is killed while it waits for the OTP");
    let human = |is_there: bool| json!({ "enabled": is_there, "delay_ms": HUMAN, "also_mobile": false, "wrong_otp": false, "wrong_pin": false });
    upstox.put("accounts/default/human", &human(false))?;
    upstox.post("accounts/default/log_out_sessions")?;
    upstox.post("accounts/default/revoke_tokens")?;
    let presses = || {
        Ok::<_, anyhow::Error>(
            upstox.sim("counters")?["otp_presses"]
                .as_u64()
                .unwrap_or_default(),
        )
    };
    let before = presses()?;
    let mut vega = one.program("vega");
    one.hide_window(&mut vega)?;
    let dies = Companion::of(vega.arg("--yes").spawn().context("vega cannot be started")?);
    wait_until(|| Ok(presses()? > before))?;
    let killed = Command::new("kill")
        .args(["-KILL", &dies.id().to_string()])
        .status()?;
    ensure!(killed.success(), "vega could not be killed: {killed}");
    drop(dies);
    upstox.put("accounts/default/human", &human(true))
}

/// How long it took until the server of this desk gave the token out.
#[expect(clippy::disallowed_methods, reason = "it is told, and decides nothing")]
fn until_served(desk: &Desk, key: &str) -> Result<Duration> {
    let began = Instant::now();
    let address = format!("{}api/v1/apis/PRIMARY/token", desk.console);
    wait_until(|| {
        let asked = ureq::get(&address).header("Authorization", format!("Bearer {key}"));
        Ok(asked.call().is_ok())
    })?;
    Ok(began.elapsed())
}

fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let step = Duration::from_millis(10);
    for _ in 0..AT_MOST.as_millis() / step.as_millis() {
        if is_so()? {
            return Ok(());
        }
        std::thread::sleep(step);
    }
    anyhow::bail!("it did not come within {} s", AT_MOST.as_secs())
}
