//! What may be in the resolved graph at all, however far down: no OpenSSL, nothing that is not from the registry, and
//! under the examples neither a browser driver nor a web server.

use std::collections::{BTreeMap, VecDeque};

use super::finding::Finding;
use super::workspace::{Kind, Locked, Package};

/// TLS is rustls, which is the same on every machine.
pub(crate) const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls"];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A program that only reads tokens must not need these.
const NOT_IN_EXAMPLES: &[&str] = &["fantoccini", "axum"];

pub(crate) fn check(packages: &[Package], locked: &[Locked]) -> Vec<Finding> {
    let mut findings = banned(locked);
    findings.extend(sources(packages, locked));
    let examples = packages.iter().filter(|package| package.is_example());
    findings.extend(examples.flat_map(|example| example_tree(example, packages, locked)));
    findings
}

fn banned(locked: &[Locked]) -> Vec<Finding> {
    let found = locked
        .iter()
        .filter(|package| BANNED.contains(&package.name.as_str()));
    found
        .map(|package| {
            let users: Vec<_> = locked
                .iter()
                .filter(|user| {
                    user.dependencies
                        .iter()
                        .any(|dependency| package.is_meant_by(dependency))
                })
                .map(|user| user.name.as_str())
                .collect();
            Finding::in_file(
                "Cargo.lock",
                format!("{} is in the graph, used by {}", package.name, users.join(", ")),
                "Switch to the feature that uses rustls, or to another package",
            )
        })
        .collect()
}

fn sources(packages: &[Package], locked: &[Locked]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in locked {
        let from = match package.source.as_deref() {
            Some(REGISTRY) => continue,
            None if packages.iter().any(|ours| ours.name == package.name) => continue,
            None => "a folder outside the workspace",
            Some(source) => source,
        };
        findings.push(Finding::in_file(
            "Cargo.lock",
            format!("{} {} comes from {from}", package.name, package.version),
            "Use a version that crates.io has; code of ours becomes a member of the workspace",
        ));
    }
    findings
}

/// Walks everything an example is built with. For our own packages the manifest says which dependencies are only for
/// tests; the lock file has none of those of others.
fn example_tree(example: &Package, packages: &[Package], locked: &[Locked]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ways: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut next: VecDeque<(&Locked, Vec<&str>)> = locked
        .iter()
        .filter(|package| package.name == example.name && package.source.is_none())
        .map(|package| (package, Vec::new()))
        .collect();
    while let Some((package, mut way)) = next.pop_front() {
        way.push(&package.name);
        let key = (package.name.as_str(), package.version.as_str());
        if ways.contains_key(&key) {
            continue;
        }
        if NOT_IN_EXAMPLES.contains(&package.name.as_str()) {
            findings.push(Finding::in_file(
                &example.manifest,
                format!(
                    "{} is built with {}: {}",
                    example.name,
                    package.name,
                    way.join(" → ")
                ),
                "Depend only on what reading a token needs, or move that need out of the package in between",
            ));
        }
        let ours = packages
            .iter()
            .find(|ours| ours.name == package.name && package.source.is_none());
        let needed = package
            .dependencies
            .iter()
            .filter(|dependency| is_built_in(dependency, ours));
        let found = needed.filter_map(|dependency| locked.iter().find(|other| other.is_meant_by(dependency)));
        next.extend(found.map(|dependency| (dependency, way.clone())));
        ways.insert(key, way);
    }
    findings
}

fn is_built_in(dependency: &str, ours: Option<&Package>) -> bool {
    let name = dependency.split(' ').next().unwrap_or(dependency);
    ours.is_none_or(|package| {
        package
            .dependencies
            .iter()
            .any(|declared| declared.name == name && declared.kind == Kind::Normal)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    fn locked(name: &str, source: Option<&str>, dependencies: &[&str]) -> Locked {
        Locked {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            source: source.map(str::to_owned),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn what_comes_from_the_registry_and_the_workspace_passes() {
        let packages = [Package::made_up("vega-upstox", "crates/upstox/Cargo.toml", &[])];
        let graph = [
            locked("vega-upstox", None, &["reqwest", "openssl-probe"]),
            locked("reqwest", Some(REGISTRY), &[]),
            locked("openssl-probe", Some(REGISTRY), &[]),
        ];
        assert_eq!(printed(&check(&packages, &graph)), [""; 0]);
    }

    #[rstest]
    #[case("openssl")]
    #[case("openssl-sys")]
    #[case("native-tls")]
    fn another_tls_is_found(#[case] name: &str) {
        let graph = [
            locked("hyper-tls", Some(REGISTRY), &[name]),
            locked(name, Some(REGISTRY), &[]),
        ];
        assert_eq!(
            printed(&check(&[], &graph)),
            [format!(
                "Cargo.lock: {name} is in the graph, used by hyper-tls. Switch to the feature that uses rustls, or to \
                 another package."
            )]
        );
    }

    #[rstest]
    #[case::git(
        Some("git+https://example.com/serde#abc"),
        "git+https://example.com/serde#abc"
    )]
    #[case::another_registry(Some("registry+https://example.com"), "registry+https://example.com")]
    #[case::a_folder(None, "a folder outside the workspace")]
    fn another_source_is_found(#[case] source: Option<&str>, #[case] from: &str) {
        assert_eq!(
            printed(&check(&[], &[locked("serde", source, &[])])),
            [format!(
                "Cargo.lock: serde 1.0.0 comes from {from}. Use a version that crates.io has; code of ours becomes a \
                 member of the workspace."
            )]
        );
    }

    #[rstest]
    #[case::none(&[("vega-services", Kind::Normal)], "tokio", &[])]
    #[case::only_in_tests(&[("vega-services", Kind::Normal), ("axum", Kind::Dev)], "tokio", &[])]
    #[case::directly(&[("axum", Kind::Normal)], "tokio", &["examples/reader/Cargo.toml: reader is built with axum: reader → axum"])]
    #[case::far_down(&[("vega-services", Kind::Normal)], "middle", &["examples/reader/Cargo.toml: reader is built with fantoccini: reader → vega-services → middle → fantoccini"])]
    fn an_example_is_built_without_browser_driver_and_web_server(
        #[case] example: &[(&str, Kind)],
        #[case] services: &str,
        #[case] expected: &[&str],
    ) {
        let packages = [
            Package::made_up("reader", "examples/reader/Cargo.toml", example),
            Package::made_up(
                "vega-services",
                "crates/services/Cargo.toml",
                &[(services, Kind::Normal), ("axum", Kind::Dev)],
            ),
        ];
        let declared: Vec<&str> = example.iter().map(|(name, _)| *name).collect();
        let graph = [
            locked("reader", None, &declared),
            locked("vega-services", None, &[services, "axum"]),
            locked("middle", Some(REGISTRY), &["fantoccini 1.0.0"]),
            locked("tokio", Some(REGISTRY), &[]),
            locked("axum", Some(REGISTRY), &["tokio"]),
            locked("fantoccini", Some(REGISTRY), &["tokio"]),
        ];
        let findings = printed(&check(&packages, &graph));
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.starts_with(expected), "{finding}");
        }
    }
}
