//! What `vega --json` reports, by the name of an API. An API that is not in it is an error that shows the report.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

/// A report with statuses and, after a run, its steps.
#[derive(Debug)]
pub struct Report(Value);

impl Report {
    pub(crate) fn new(report: Value) -> Self {
        Self(report)
    }

    /// Where an API stands.
    pub fn api(&self, name: &str) -> Result<&Value> {
        self.named(&self.0["apis"], name)
    }

    /// What became of an API in the run.
    pub fn step(&self, name: &str) -> Result<&Value> {
        self.named(&self.0["run"]["steps"], name)
    }

    /// Why the step of an API failed.
    pub fn reason(&self, name: &str) -> Result<&str> {
        let step = self.step(name)?;
        step["reason"]
            .as_str()
            .with_context(|| format!("no reason: {step}"))
    }

    /// The evidence that the last failure of an API points to: where it is, and what it says.
    pub fn evidence(&self, name: &str) -> Result<(PathBuf, Value)> {
        let failure = &self.api(name)?["last_failure"];
        let path = failure["evidence"].as_str();
        let path = PathBuf::from(path.with_context(|| format!("no evidence: {failure}"))?);
        let record = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((path, serde_json::from_slice(&record)?))
    }

    /// The names of the APIs that have this status.
    pub fn apis_with_status(&self, status: &str) -> Vec<&str> {
        names(&self.0["apis"], "status", status)
    }

    /// The names of the APIs whose step ended in this state.
    pub fn steps_in_state(&self, state: &str) -> Vec<&str> {
        names(&self.0["run"]["steps"], "state", state)
    }

    fn named<'a>(&'a self, list: &'a Value, name: &str) -> Result<&'a Value> {
        list.as_array()
            .and_then(|all| all.iter().find(|one| one["api"] == name))
            .with_context(|| format!("{name} is not in {}", self.0))
    }
}

fn names<'a>(list: &'a Value, field: &str, word: &str) -> Vec<&'a str> {
    let of = |one: &'a Value| one["api"].as_str().filter(|_| one[field] == word);
    list.as_array()
        .map(|all| all.iter().filter_map(of).collect())
        .unwrap_or_default()
}
