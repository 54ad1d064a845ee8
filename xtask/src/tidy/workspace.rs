//! Our packages with what they declare, from `cargo metadata`, and the whole resolved graph, from `Cargo.lock`.
//! The lock file and not `cargo metadata` for the graph: it covers every platform without downloading what only other
//! platforms need.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::shell;

#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) locked: Vec<Locked>,
}

/// A package of this repository.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the workspace's folder.
    pub(crate) manifest: String,
    pub(crate) dependencies: BTreeSet<Dependency>,
}

/// What a manifest declares, by the package's own name, whatever it is renamed to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// A package of the resolved graph, ours or not.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where it is from; nothing for a folder.
    pub(crate) source: Option<String>,
    /// As the lock file has them: `name`, with ` version` and ` (source)` where the name alone is not clear.
    pub(crate) dependencies: Vec<String>,
}

impl Workspace {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let metadata = shell::output(root, "cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
        let lock = std::fs::read_to_string(root.join("Cargo.lock"))
            .context("Cargo.lock cannot be read: `cargo generate-lockfile` writes it")?;
        Ok(Self {
            packages: packages(&metadata).context("the output of `cargo metadata` is not as expected")?,
            locked: locked(&lock).context("Cargo.lock is not as expected")?,
        })
    }
}

impl Package {
    pub(crate) fn is_example(&self) -> bool {
        self.manifest.starts_with("examples/")
    }

    #[cfg(test)]
    pub(crate) fn made_up(name: &str, manifest: &str, dependencies: &[(&str, Kind)]) -> Self {
        Self {
            name: name.to_owned(),
            manifest: manifest.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|&(name, kind)| Dependency {
                    name: name.to_owned(),
                    kind,
                })
                .collect(),
        }
    }
}

impl Locked {
    /// Whether a line of another package's dependencies means this one.
    pub(crate) fn is_meant_by(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        words.next() == Some(&self.name)
            && words.next().is_none_or(|version| version == self.version)
            && words.next().is_none_or(|source| {
                source.trim_matches(['(', ')']) == self.source.as_deref().unwrap_or_default()
            })
    }
}

fn packages(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let root = metadata["workspace_root"].as_str().context("workspace_root")?;
    let packages = metadata["packages"].as_array().context("packages")?;
    packages
        .iter()
        .map(|package| our_package(package, root))
        .collect()
}

fn our_package(package: &Value, root: &str) -> Result<Package> {
    let manifest = Path::new(package["manifest_path"].as_str().context("manifest_path")?);
    let declared = package["dependencies"].as_array().context("dependencies")?;
    Ok(Package {
        name: package["name"].as_str().context("name")?.to_owned(),
        manifest: manifest.strip_prefix(root)?.to_string_lossy().replace('\\', "/"),
        dependencies: declared.iter().map(dependency).collect::<Result<_>>()?,
    })
}

fn dependency(declared: &Value) -> Result<Dependency> {
    Ok(Dependency {
        name: declared["name"]
            .as_str()
            .context("name of a dependency")?
            .to_owned(),
        kind: match declared["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
    })
}

fn locked(lock: &str) -> Result<Vec<Locked>> {
    let lock = DeTable::parse(lock)?;
    let packages = lock.get_ref().get("package").context("package")?;
    let packages = packages.get_ref().as_array().context("package")?;
    packages
        .iter()
        .map(|package| locked_package(package.get_ref()))
        .collect()
}

fn locked_package(package: &DeValue<'_>) -> Result<Locked> {
    let text = |key| Some(package.get(key)?.get_ref().as_str()?.to_owned());
    let dependencies = package
        .get("dependencies")
        .and_then(|list| list.get_ref().as_array());
    Ok(Locked {
        name: text("name").context("name")?,
        version: text("version").context("version")?,
        source: text("source"),
        dependencies: dependencies
            .into_iter()
            .flat_map(|list| list.iter())
            .filter_map(|dependency| Some(dependency.get_ref().as_str()?.to_owned()))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_about_our_packages_is_read() {
        let metadata = r#"{
            "workspace_root": "/repository",
            "packages": [{
                "name": "vega-upstox",
                "manifest_path": "/repository/crates/upstox/Cargo.toml",
                "dependencies": [
                    { "name": "vega-domain", "kind": null, "rename": "domain" },
                    { "name": "wiremock", "kind": "dev" },
                    { "name": "cc", "kind": "build" }
                ]
            }]
        }"#;
        let packages = packages(metadata).unwrap();
        let expected = [
            ("vega-domain", Kind::Normal),
            ("cc", Kind::Build),
            ("wiremock", Kind::Dev),
        ];
        let expected = Package::made_up("vega-upstox", "crates/upstox/Cargo.toml", &expected);
        assert_eq!(packages[0].name, expected.name);
        assert_eq!(packages[0].manifest, expected.manifest);
        assert_eq!(packages[0].dependencies, expected.dependencies);
    }

    #[test]
    fn a_lock_file_is_read_and_its_dependencies_found_by_name_version_and_source() {
        let lock = r#"
            version = 4
            [[package]]
            name = "syn"
            version = "2.0.1"
            source = "registry+https://example.com"
            dependencies = ["quote", "unicode-ident"]
            [[package]]
            name = "ours"
            version = "0.1.0"
        "#;
        let locked = locked(lock).unwrap();
        assert_eq!(locked[0].dependencies, ["quote", "unicode-ident"]);
        assert_eq!(locked[1].source, None);
        let syn = &locked[0];
        for meant in ["syn", "syn 2.0.1", "syn 2.0.1 (registry+https://example.com)"] {
            assert!(syn.is_meant_by(meant), "{meant}");
        }
        for other in ["synstructure", "syn 3.0.0", "syn 2.0.1 (git+https://example.com)"] {
            assert!(!syn.is_meant_by(other), "{other}");
        }
    }
}
