//! Outside packages that only one of ours may use, for tests as little as for the program. `deny.toml` says the same.

use super::finding::Finding;
use super::workspace::Package;

/// An outside package, and those that come with it under `name-…`, with its owner.
pub(crate) const OWNED: &[(&str, &str)] = &[("sqlx", "vega-persistence"), ("fantoccini", "vega-selenium")];

pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        for dependency in &package.dependencies {
            let Some((_, owner)) = OWNED
                .iter()
                .find(|(owned, _)| is_part_of(&dependency.name, owned))
            else {
                continue;
            };
            if package.name != *owner {
                findings.push(Finding::in_file(
                    &package.manifest,
                    format!(
                        "{} depends on {}, which only {owner} may use",
                        package.name, dependency.name
                    ),
                    format!("Remove the dependency and do the work in {owner}, behind a port of vega-domain"),
                ));
            }
        }
    }
    findings
}

fn is_part_of(package: &str, owned: &str) -> bool {
    package
        .strip_prefix(owned)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use toml::Spanned;
    use toml::de::{DeTable, DeValue};

    use super::super::finding::printed;
    use super::super::graph::BANNED;
    use super::super::workspace::Kind;
    use super::*;

    #[rstest]
    #[case::the_owner_of_sqlx("vega-persistence", "sqlx", Kind::Normal, true)]
    #[case::the_owner_of_fantoccini("vega-selenium", "fantoccini", Kind::Dev, true)]
    #[case::another_package("vega-services", "sqlxmq", Kind::Normal, true)]
    #[case::sqlx_elsewhere("vega-services", "sqlx", Kind::Normal, false)]
    #[case::a_part_of_sqlx("vega-cli", "sqlx-core", Kind::Build, false)]
    #[case::sqlx_in_tests("vega-tests", "sqlx", Kind::Dev, false)]
    #[case::fantoccini_elsewhere("vega-persistence", "fantoccini", Kind::Normal, false)]
    fn an_owned_package_has_one_user(
        #[case] package: &str,
        #[case] used: &str,
        #[case] kind: Kind,
        #[case] allowed: bool,
    ) {
        let packages = [Package::made_up(package, "its/Cargo.toml", &[(used, kind)])];
        let findings = printed(&check(&packages));
        assert_eq!(findings.is_empty(), allowed, "{findings:?}");
    }

    #[test]
    fn a_finding_names_the_owner() {
        let packages = [Package::made_up(
            "vega-cli",
            "apps/vega-cli/Cargo.toml",
            &[("sqlx", Kind::Normal)],
        )];
        assert_eq!(
            printed(&check(&packages)),
            [
                "apps/vega-cli/Cargo.toml: vega-cli depends on sqlx, which only vega-persistence may use. Remove the \
                 dependency and do the work in vega-persistence, behind a port of vega-domain."
            ]
        );
    }

    /// Whoever has cargo-deny must not be told something else.
    #[test]
    fn deny_toml_says_the_same() {
        let deny = DeTable::parse(include_str!("../../../deny.toml")).unwrap();
        let deny = DeValue::Table(deny.into_inner());
        let denied = deny["bans"].get_ref()["deny"].get_ref().as_array().unwrap();
        let entry = |name: &str| {
            let mut entries = denied.iter().map(Spanned::get_ref);
            let found = entries.find(|entry| entry["crate"].get_ref().as_str() == Some(name));
            found.unwrap_or_else(|| panic!("deny.toml does not mention {name}"))
        };
        for (owned, owner) in OWNED {
            let wrappers = entry(owned)["wrappers"].get_ref().as_array().unwrap();
            assert_eq!(wrappers.len(), 1, "{owned}");
            assert_eq!(wrappers[0].get_ref().as_str(), Some(*owner));
        }
        for banned in BANNED {
            assert!(entry(banned).get("wrappers").is_none(), "{banned}");
        }
        for unknown in ["unknown-registry", "unknown-git"] {
            assert_eq!(
                deny["sources"].get_ref()[unknown].get_ref().as_str(),
                Some("deny")
            );
        }
    }
}
