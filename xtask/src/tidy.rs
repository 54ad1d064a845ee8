//! `cargo xtask tidy`: the house rules that neither the compiler nor a lint checks, before anything is built.
//! One file per rule: a pure function from what was read to findings. Reading is done by `tree` and `workspace`;
//! nothing is ever changed, and nothing is downloaded.

mod circles;
mod contracts;
mod documents;
mod edge;
mod finding;
mod graph;
mod headers;
mod homes;
mod imports;
mod length;
mod machine_paths;
mod migrations;
mod names;
mod owners;
mod ports;
mod rust_modules;
mod rust_source;
mod script_imports;
mod shapes;
mod shortcuts;
mod tree;
mod use_lines;
mod workspace;

use anyhow::{Result, ensure};
use clap::Command;

use crate::shell::{root, say, step};
use finding::Finding;
use rust_source::RustSource;
use workspace::Workspace;

/// Prints everything that is not as it should be; an error when there is anything. `xtask` is what can be typed, for the
/// commands that documents show.
pub(crate) fn run(xtask: &Command) -> Result<()> {
    step("tidy");
    let findings = findings(xtask)?;
    for finding in &findings {
        say(&finding.to_string());
    }
    ensure!(
        findings.is_empty(),
        "tidy found {}: each line above names the place and what to do there",
        match findings.len() {
            1 => "one thing".to_owned(),
            count => format!("{count} things"),
        }
    );
    Ok(())
}

fn findings(xtask: &Command) -> Result<Vec<Finding>> {
    let root = root();
    let names = tree::names(&root)?;
    let files = tree::read(&root, &names)?;
    let Workspace { packages, locked } = Workspace::read(&root)?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut findings = Vec::new();
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| file.extension() == "rs") {
        match RustSource::read(file) {
            Ok(source) => sources.push(source),
            Err(finding) => findings.push(finding),
        }
    }
    findings.extend(imports::check(&packages));
    findings.extend(owners::check(&packages));
    findings.extend(graph::check(&packages, &locked));
    findings.extend(headers::check(&files));
    findings.extend(length::check(&files));
    findings.extend(names::check(&paths, &sources));
    findings.extend(migrations::check(&paths));
    findings.extend(circles::check(&sources, &files));
    findings.extend(ports::check(&sources));
    findings.extend(contracts::check(&files, &sources));
    findings.extend(homes::check(&sources));
    findings.extend(shapes::check(&sources));
    findings.extend(shortcuts::check(&sources));
    findings.extend(machine_paths::check(&files));
    findings.extend(documents::check(&files, &names, xtask));
    Ok(findings)
}
