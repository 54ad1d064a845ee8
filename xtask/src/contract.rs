//! `cargo xtask contract`: calls the server as its OpenAPI document allows, and as it does not, and looks whether every
//! answer is one that the document names. The calls are schemathesis's; the seed is the same each time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::builds::build_programs;
use crate::demo_desk::{Desk, HUMAN, Upstox};
use crate::install;
use crate::open_hours;
use crate::shell::{binaries, run_with, step};

/// It takes less, also on a slow machine.
const LENGTH: Duration = Duration::from_mins(3);

/// Schemathesis and everything that it needs, each with its version.
const PACKAGES: &str = "xtask/contract-packages.txt";

/// Each phase makes so many calls of one kind at most.
const EXAMPLES: &str = "40";
const SEED: &str = "20260401";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,unsupported_method";

pub(crate) fn run_alone() -> Result<()> {
    install::browser()?;
    build_programs()?;
    contract()
}

/// Needs the programs, and a browser for one sign-in.
pub(crate) fn contract() -> Result<()> {
    open_hours::wait_for(LENGTH);
    let schemathesis = install::python_packages(PACKAGES, "schemathesis")?.join("schemathesis");
    let schemathesis = schemathesis.display().to_string();
    let upstox = Upstox::start(&binaries(), Some(HUMAN))?;
    let desk = Desk::new("contract", &upstox, false)?;
    // So that there is a token to serve.
    let mut vega = desk.program("vega");
    desk.hide_window(&mut vega)?;
    let signed_in = vega.args(["--yes", "PRIMARY"]).status()?;
    ensure!(signed_in.success(), "vega failed: {signed_in}");
    let key = add_key(&desk, "caller", "status,runs,admin,token:PRIMARY,read:PRIMARY")?;
    add_key(&desk, "victim", "status")?;
    let _server = desk.start_server()?;

    let settings = desk.folder.join("schemathesis.toml");
    std::fs::write(&settings, settings_for(&id_of(&desk, "victim")?))?;
    let document = format!("{}api/v1/openapi.json", desk.console);
    step(&format!("{document}, seed {SEED}"));
    run_with(
        &desk.folder,
        &schemathesis,
        &[
            "--config-file",
            &settings.display().to_string(),
            "run",
            &document,
            "--phases=examples,coverage,fuzzing",
            &format!("--checks={CHECKS}"),
            &format!("--max-examples={EXAMPLES}"),
            &format!("--seed={SEED}"),
            "--generation-database=none",
            // Who may call what is shown elsewhere; here each guess would be let wait.
            "--generation-with-security-parameters=false",
            // They never end. A test of the server compares what they send with the document.
            "--exclude-operation-id=events",
            "--exclude-operation-id=tokenEvents",
            "--continue-on-failure",
            "--request-timeout=30",
            "--warnings=off",
            "--no-color",
        ],
        &[("VEGA_ACCESS_KEY", key.as_ref())],
    )
}

/// Settings that no argument has. A run that is asked for waits for a yes that nobody gives: an answer would need the id of
/// its prompt.
fn settings_for(victim: &str) -> String {
    format!(
        r#"headers = {{ Authorization = "Bearer ${{VEGA_ACCESS_KEY}}" }}

[parameters]
"path.api" = "PRIMARY"

# Ids are learned from answers, and the caller must not revoke its own key.
[[operations]]
include-operation-id = "revokeKey"
parameters = {{ "path.id" = "{victim}" }}
"#
    )
}

fn add_key(desk: &Desk, name: &str, scopes: &str) -> Result<String> {
    let output = desk
        .program("vega")
        .args(["key", "add", name, "--scope", scopes])
        .output()?;
    ensure!(output.status.success(), "vega key add failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn id_of(desk: &Desk, name: &str) -> Result<String> {
    let output = desk.program("vega").args(["key", "list", "--json"]).output()?;
    let list: Value = serde_json::from_slice(&output.stdout).context("vega key list --json")?;
    let keys = list["keys"].as_array().context("keys")?;
    let key = keys.iter().find(|key| key["name"] == name);
    let id = key.and_then(|key| key["id"].as_str()).context("an id")?;
    Ok(id.to_owned())
}
