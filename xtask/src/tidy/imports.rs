//! Who may import whom among our own packages, as ARCHITECTURE.md draws it. Development dependencies obey
//! it too, so a crate's tests see no more of the system than the crate does: beside it only what all tests share.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::workspace::{Kind, Package};

const DOMAIN: &str = "vega-domain";
const API_TYPES: &str = "vega-api-types";
const UPSTOX: &str = "vega-upstox";
const SELENIUM: &str = "vega-selenium";
const LISTENING: &str = "vega-listening";
const OWN_BROWSER: &str = "vega-own-browser";
const PERSISTENCE: &str = "vega-persistence";
const TOKEN_FILES: &str = "vega-token-files";
const SERVICES: &str = "vega-services";
const ORCHESTRATION: &str = "vega-orchestration";
const BOOTSTRAP: &str = "vega-bootstrap";
const CLI: &str = "vega-cli";
const SERVER: &str = "vega-server";
const CLIENT: &str = "vega-client";
const LOCAL: &str = "vega-local";
/// What tests share. It may be imported by the tests of every package, and by nothing else.
const TESTING: &str = "vega-testing";

/// The programs reach adapters through bootstrap only.
const APP: &[&str] = &[DOMAIN, API_TYPES, SERVICES, ORCHESTRATION, BOOTSTRAP];
/// What listens is the program's own.
const SERVER_MAY: &[&str] = &[DOMAIN, API_TYPES, LISTENING, SERVICES, ORCHESTRATION, BOOTSTRAP];

/// A program of somebody else's: no browser, no wiring.
const EXAMPLE: &[&str] = &[
    DOMAIN,
    UPSTOX,
    PERSISTENCE,
    SERVICES,
    ORCHESTRATION,
    CLIENT,
    LOCAL,
];

const TABLE: &[(&str, &[&str])] = &[
    (DOMAIN, &[]),
    (API_TYPES, &[DOMAIN]),
    (UPSTOX, &[DOMAIN]),
    (SELENIUM, &[DOMAIN]),
    (LISTENING, &[DOMAIN]),
    (OWN_BROWSER, &[DOMAIN, LISTENING]),
    (PERSISTENCE, &[DOMAIN]),
    (TOKEN_FILES, &[DOMAIN, API_TYPES]),
    (TESTING, &[DOMAIN]),
    (SERVICES, &[DOMAIN]),
    (ORCHESTRATION, &[DOMAIN, SERVICES]),
    (
        BOOTSTRAP,
        &[
            DOMAIN,
            UPSTOX,
            SELENIUM,
            LISTENING,
            OWN_BROWSER,
            PERSISTENCE,
            TOKEN_FILES,
            SERVICES,
            ORCHESTRATION,
        ],
    ),
    // It is published, and speaks to the server alone.
    (CLIENT, &[]),
    (LOCAL, &[DOMAIN, UPSTOX, PERSISTENCE, SERVICES, CLIENT]),
    (CLI, APP),
    (SERVER, SERVER_MAY),
    ("upstox-simulator", &[]),
    // Its storage is the test kit's; it brings the other adapters.
    ("vega-simulation", &[DOMAIN, SERVICES, ORCHESTRATION, TESTING]),
    // The programs, with its own hands on the ports.
    (
        "vega-hooked",
        &[DOMAIN, PERSISTENCE, SERVICES, BOOTSTRAP, CLI, SERVER],
    ),
    ("xtask", &[]),
];

/// The stories run the whole system, so they may import all of it.
const UNLIMITED: &str = "vega-tests";

pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    packages
        .iter()
        .filter(|package| package.name != UNLIMITED)
        .flat_map(|package| match allowed(package) {
            Some(allowed) => forbidden(package, allowed, &ours),
            None => vec![unlisted(package)],
        })
        .collect()
}

fn allowed(package: &Package) -> Option<&'static [&'static str]> {
    if package.is_example() {
        return Some(EXAMPLE);
    }
    let row = TABLE.iter().find(|(name, _)| *name == package.name);
    row.map(|(_, allowed)| *allowed)
}

fn forbidden(package: &Package, allowed: &[&str], ours: &BTreeSet<&str>) -> Vec<Finding> {
    let imports = package.dependencies.iter().filter(|dependency| {
        // A package's tests may ask for a feature of the package itself, such as its mocks.
        let itself = dependency.name == package.name && dependency.kind == Kind::Dev;
        let for_tests = dependency.name == TESTING && dependency.kind == Kind::Dev;
        let is_allowed = allowed.contains(&dependency.name.as_str()) || itself || for_tests;
        ours.contains(dependency.name.as_str()) && !is_allowed
    });
    imports
        .map(|import| {
            let purpose = match import.kind {
                Kind::Normal => "",
                Kind::Build => " for its build",
                Kind::Dev => " for its tests",
            };
            let may = match allowed {
                [] => "nothing of ours".to_owned(),
                some => format!("{} only", some.join(", ")),
            };
            Finding::in_file(
                &package.manifest,
                format!("{} imports {}{purpose}, but may import {may}", package.name, import.name),
                "Remove the dependency; what is missing then belongs behind a port of vega-domain, or in a package that \
                 may import both",
            )
        })
        .collect()
}

fn unlisted(package: &Package) -> Finding {
    Finding::in_file(
        &package.manifest,
        format!("{} is not in the table of who may import whom", package.name),
        "Add a row in xtask/src/tidy/imports.rs and in the code map of ARCHITECTURE.md",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    fn findings(package: &str, manifest: &str, dependencies: &[(&str, Kind)]) -> Vec<String> {
        let everyone = TABLE.iter().map(|(name, _)| *name).chain([UNLIMITED]);
        let others = everyone.filter(|name| *name != package);
        let mut packages: Vec<_> = others
            .map(|name| Package::made_up(name, &format!("{name}/Cargo.toml"), &[]))
            .collect();
        packages.push(Package::made_up(package, manifest, dependencies));
        printed(&check(&packages))
    }

    #[rstest]
    #[case::an_outside_package("vega-domain", &[("chrono", Kind::Normal)])]
    #[case::its_own_mocks("vega-domain", &[("vega-domain", Kind::Dev)])]
    #[case::an_adapter("vega-upstox", &[("vega-domain", Kind::Normal)])]
    #[case::mocks_of_domain("vega-services", &[("vega-domain", Kind::Dev)])]
    #[case::what_tests_share("vega-persistence", &[("vega-testing", Kind::Dev)])]
    #[case::orchestration("vega-orchestration", &[("vega-domain", Kind::Normal), ("vega-services", Kind::Normal)])]
    #[case::bootstrap("vega-bootstrap", &[("vega-selenium", Kind::Normal), ("vega-upstox", Kind::Normal)])]
    #[case::an_app("vega-cli", &[("vega-bootstrap", Kind::Normal), ("vega-services", Kind::Normal)])]
    #[case::the_stories("vega-tests", &[("upstox-simulator", Kind::Normal), ("vega-selenium", Kind::Normal)])]
    fn the_table_is_obeyed(#[case] package: &str, #[case] dependencies: &[(&str, Kind)]) {
        assert_eq!(findings(package, "its/Cargo.toml", dependencies), [""; 0]);
    }

    #[rstest]
    #[case::domain("vega-domain", "vega-services", Kind::Normal)]
    #[case::an_adapter_that_knows_another("vega-upstox", "vega-persistence", Kind::Normal)]
    #[case::an_adapter_that_knows_services("vega-selenium", "vega-services", Kind::Normal)]
    #[case::services("vega-services", "vega-upstox", Kind::Normal)]
    #[case::in_tests("vega-services", "vega-persistence", Kind::Dev)]
    #[case::what_tests_share("vega-services", "vega-testing", Kind::Normal)]
    #[case::in_a_build_script("vega-orchestration", "vega-persistence", Kind::Build)]
    #[case::bootstrap("vega-bootstrap", "vega-cli", Kind::Normal)]
    #[case::an_adapter_past_bootstrap("vega-cli", "vega-persistence", Kind::Normal)]
    #[case::the_server("vega-server", "vega-selenium", Kind::Normal)]
    #[case::the_other_program("vega-cli", "vega-listening", Kind::Normal)]
    #[case::the_simulator("upstox-simulator", "vega-domain", Kind::Normal)]
    #[case::tokens_without_a_server("vega-local", "vega-bootstrap", Kind::Normal)]
    #[case::what_is_published("vega-client", "vega-domain", Kind::Normal)]
    #[case::automation("xtask", "vega-domain", Kind::Dev)]
    fn a_forbidden_import_is_found(#[case] package: &str, #[case] import: &str, #[case] kind: Kind) {
        let findings = findings(package, "its/Cargo.toml", &[(import, kind)]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with(&format!("its/Cargo.toml: {package} imports")),
            "{findings:?}"
        );
        assert!(findings[0].contains(import), "{findings:?}");
    }

    #[rstest]
    #[case("vega-services", true)]
    #[case("vega-persistence", true)]
    #[case("vega-local", true)]
    #[case("vega-bootstrap", false)]
    #[case("vega-selenium", false)]
    #[case("upstox-simulator", false)]
    fn an_example_has_neither_browser_nor_wiring(#[case] import: &str, #[case] allowed: bool) {
        let findings = findings("reader", "examples/reader/Cargo.toml", &[(import, Kind::Normal)]);
        assert_eq!(findings.is_empty(), allowed, "{findings:?}");
    }

    #[test]
    fn a_package_without_a_row_is_found() {
        assert_eq!(
            findings("vega-extra", "crates/extra/Cargo.toml", &[]),
            [
                "crates/extra/Cargo.toml: vega-extra is not in the table of who may import whom. Add a row in \
                 xtask/src/tidy/imports.rs and in the code map of ARCHITECTURE.md."
            ]
        );
    }
}
