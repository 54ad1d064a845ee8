//! Time, the environment and HTTP clients are handed in; each is made in one home. clippy bans the calls too; this rule
//! is for a line that silences clippy. It reads the source of crates, clients and apps, not their integration tests, and knows
//! `tokio::time::Instant` from the standard library's by the file's `use` lines.

use super::finding::Finding;
use super::rust_source::RustSource;
use super::use_lines::{self, Import};

/// A call, as the first word of its full path and the last two, with where it may stand.
struct Call {
    package: &'static str,
    name: &'static str,
    homes: &'static [&'static str],
    remedy: &'static str,
}

const CLOCKS: &[&str] = &[
    "crates/bootstrap/src/machine/clock.rs",
    "apps/upstox-simulator/src/clock.rs",
    "crates/testing/src/open_hours.rs",
    "clients/rust/src/clock.rs",
    "clients/rust-local/src/clock.rs",
];
/// A keeper is told by its parent, and has no settings; nor has a library, which finds its user's socket where the session says.
const ENVIRONMENT: &[&str] = &[
    "crates/bootstrap/src/settings/environment.rs",
    "crates/selenium/src/keeper.rs",
    "clients/rust/src/server/runtime_dir.rs",
];

const TIME: &str = "Take the time from the Clock port; in the simulator, from its clock module";
const ELAPSED: &str = "Use tokio::time::Instant, which follows the paused time of tests";
const VARIABLES: &str = "Read a setting: bootstrap's environment module is where variables come in";
const CLIENT: &str = "Build the client once, with timeouts, and hand it in";

const CALLS: &[Call] = &[
    call("chrono", "Utc::now", CLOCKS, TIME),
    call("chrono", "Local::now", CLOCKS, TIME),
    call("std", "SystemTime::now", CLOCKS, TIME),
    call("std", "Instant::now", CLOCKS, ELAPSED),
    call("std", "env::var", ENVIRONMENT, VARIABLES),
    call("std", "env::var_os", ENVIRONMENT, VARIABLES),
    call("std", "env::vars", ENVIRONMENT, VARIABLES),
    call("std", "env::vars_os", ENVIRONMENT, VARIABLES),
    call("reqwest", "Client::new", &[], CLIENT),
];

const fn call(
    package: &'static str,
    name: &'static str,
    homes: &'static [&'static str],
    remedy: &'static str,
) -> Call {
    Call {
        package,
        name,
        homes,
        remedy,
    }
}

pub(crate) fn check(sources: &[RustSource]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_watched(&source.path)) {
        let imports = use_lines::read(&source.tokens);
        for (written, line) in use_lines::paths(&source.tokens) {
            let Some(call) = CALLS.iter().find(|call| call.is_meant(&written, &imports)) else {
                continue;
            };
            if !call.homes.contains(&source.path.as_str()) {
                let wrong = format!("calls {} of {} outside its home", call.name, call.package);
                findings.push(Finding::at_line(&source.path, line, wrong, call.remedy));
            }
        }
    }
    findings
}

impl Call {
    fn is_meant(&self, written: &[&str], imports: &[Import]) -> bool {
        use_lines::meanings(written, imports).iter().any(|path| {
            path.len() > 2 && path[0] == self.package && path[path.len() - 2..].join("::") == self.name
        })
    }
}

/// `crates/<name>/src/…`, `clients/<name>/src/…` and `apps/<name>/src/…`.
fn is_watched(path: &str) -> bool {
    let mut folders = path.split('/');
    matches!(folders.next(), Some("crates" | "clients" | "apps")) && folders.nth(1) == Some("src")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    const SOMEWHERE: &str = "crates/services/src/a.rs";

    #[rstest]
    #[case::imported("use chrono::Utc; fn a() { Utc::now(); }", "Utc::now of chrono")]
    #[case::in_full("fn a() { chrono::Utc::now(); }", "Utc::now of chrono")]
    #[case::by_another_way("use chrono::offset::Local; fn a() { Local::now(); }", "Local::now of chrono")]
    #[case::with_all_others("use chrono::prelude::*; fn a() { Utc::now(); }", "Utc::now of chrono")]
    #[case::renamed(
        "use std::time::SystemTime as Time; fn a() { Time::now(); }",
        "SystemTime::now of std"
    )]
    #[case::not_called("use std::time::Instant; fn a() { b(Instant::now); }", "Instant::now of std")]
    #[case::by_its_module("use std::time; fn a() { time::Instant::now(); }", "Instant::now of std")]
    #[case::variable("use std::env; fn a() { env::var(\"X\"); }", "env::var of std")]
    #[case::only_the_function("use std::env::{var_os}; fn a() { b(var_os(\"X\")); }", "env::var_os of std")]
    #[case::all_variables("fn a() { std::env::vars_os(); }", "env::vars_os of std")]
    #[case::client("use reqwest::Client; fn a() { Client::new(); }", "Client::new of reqwest")]
    #[case::in_a_macro(
        "use chrono::Utc; fn a() { println!(\"{}\", Utc::now()); }",
        "Utc::now of chrono"
    )]
    #[case::silenced("#[expect(x)] fn a() { chrono::Utc::now(); }", "Utc::now of chrono")]
    fn a_call_away_from_home_is_found(#[case] text: &str, #[case] call: &str) {
        let findings = printed(&check(&[RustSource::made_up(SOMEWHERE, text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        let expected = format!("{SOMEWHERE}:1: calls {call} outside its home. ");
        assert!(findings[0].starts_with(&expected), "{findings:?}");
    }

    #[rstest]
    #[case::paused_time(SOMEWHERE, "use tokio::time::Instant; fn a() { Instant::now(); }")]
    #[case::prose(SOMEWHERE, "/// Not Utc::now().\nfn a() { b(\"Utc::now\"); }")]
    #[case::only_the_type(SOMEWHERE, "use chrono::Utc; fn a(at: DateTime<Utc>) { now(); }")]
    #[case::a_builder(
        "crates/upstox/src/a.rs",
        "use reqwest::Client; fn a() { Client::builder(); }"
    )]
    #[case::our_own_module(SOMEWHERE, "use crate::env; fn a() { env::var(\"X\"); }")]
    #[case::a_type_before_it(SOMEWHERE, "use chrono::Utc; fn a(b: Utc) { ::c::now(); }")]
    #[case::the_clock("crates/bootstrap/src/machine/clock.rs", "fn a() { chrono::Utc::now(); }")]
    #[case::the_clients_clock("clients/rust/src/clock.rs", "fn a() { std::time::SystemTime::now(); }")]
    #[case::the_simulators_clock("apps/upstox-simulator/src/clock.rs", "fn a() { chrono::Utc::now(); }")]
    #[case::the_environment(
        "crates/bootstrap/src/settings/environment.rs",
        "fn a() { std::env::vars_os(); }"
    )]
    #[case::an_integration_test("crates/upstox/tests/it/a.rs", "fn a() { std::time::Instant::now(); }")]
    #[case::the_stories("tests/src/desk.rs", "fn a() { std::env::var_os(\"PATH\"); }")]
    #[case::automation("xtask/src/shell.rs", "fn a() { std::env::var_os(\"PATH\"); }")]
    fn a_call_at_home_and_another_call_pass(#[case] path: &str, #[case] text: &str) {
        assert_eq!(printed(&check(&[RustSource::made_up(path, text)])), [""; 0]);
    }

    #[test]
    fn clients_are_watched_too() {
        let source = RustSource::made_up("clients/rust/src/a.rs", "fn a() { chrono::Utc::now(); }");
        assert_eq!(check(&[source]).len(), 1);
    }

    #[test]
    fn the_clocks_home_is_not_the_environments() {
        let source = RustSource::made_up(
            "crates/bootstrap/src/machine/clock.rs",
            "fn a() { std::env::var(\"X\"); }",
        );
        assert_eq!(check(&[source]).len(), 1);
    }
}
