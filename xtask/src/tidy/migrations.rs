//! Migrations are numbered without gaps, named alike, and the same in every database's folder. A database that came later begins with
//! all of the schema so far, under the number that it has in the others.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::extension;

const HOME: &str = "migrations/";

pub(crate) fn check(paths: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut databases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in paths {
        let Some(inside) = path.strip_prefix(HOME) else {
            continue;
        };
        match inside.split_once('/') {
            Some((database, name)) => {
                databases.entry(database).or_default().insert(name);
            }
            None if extension(inside) == "sql" => findings.push(Finding::in_file(
                path,
                "belongs to no database",
                "Move it into the database's folder, such as migrations/sqlite/",
            )),
            None => {}
        }
    }
    for (database, names) in &databases {
        findings.extend(in_order(database, names));
    }
    let everywhere: BTreeSet<&str> = databases.values().flatten().copied().collect();
    for (database, names) in &databases {
        let begins_at = names.first().and_then(|first| whole_schema(first));
        let missing = everywhere.difference(names).filter(|missing| {
            let is_before =
                number(missing).is_some_and(|number| begins_at.is_some_and(|first| number <= first));
            !is_before && whole_schema(missing).is_none()
        });
        findings.extend(missing.map(|missing| {
            Finding::in_file(
                &format!("{HOME}{database}/{missing}"),
                "is missing, while another database has it",
                "Write the same change for this database too",
            )
        }));
    }
    findings
}

fn in_order(database: &str, names: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut last = names
        .first()
        .and_then(|first| whole_schema(first))
        .map_or(0, |first| first - 1);
    for name in names {
        let path = format!("{HOME}{database}/{name}");
        let Some(number) = number(name) else {
            findings.push(Finding::in_file(
                &path,
                "is not named `NNNN_snake_case.sql`, from 0001 on",
                "Give it four digits and lower-case words, such as 0002_add_leases.sql",
            ));
            continue;
        };
        if number == last {
            findings.push(Finding::in_file(
                &path,
                format!("shares the number {number:04} with another migration"),
                "Give the newer one the next free number",
            ));
        } else if number != last + 1 {
            findings.push(Finding::in_file(
                &path,
                format!("leaves a gap: {:04} is missing before it", last + 1),
                "Number migrations one by one from 0001",
            ));
        }
        last = number;
    }
    findings
}

/// The number of a first migration that makes all of the schema so far.
fn whole_schema(name: &str) -> Option<u32> {
    number(name).filter(|_| name.ends_with("_whole_schema.sql"))
}

fn number(name: &str) -> Option<u32> {
    let (number, rest) = name.split_once('_')?;
    let words = rest.strip_suffix(".sql")?;
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let four_digits = number.len() == 4 && number.chars().all(|c| c.is_ascii_digit());
    let number = number.parse().ok()?;
    (four_digits && number > 0 && words.split('_').all(is_word)).then_some(number)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finding::printed;
    use super::*;

    #[rstest]
    #[case::none(&["Cargo.toml"])]
    #[case::in_order(&["migrations/sqlite/0001_initial.sql", "migrations/sqlite/0002_add_x2.sql", "migrations/README.md"])]
    #[case::alike(&["migrations/postgres/0001_initial.sql", "migrations/sqlite/0001_initial.sql"])]
    #[case::later(&[
        "migrations/sqlite/0001_a.sql", "migrations/sqlite/0002_b.sql", "migrations/sqlite/0003_c.sql",
        "migrations/postgres/0002_whole_schema.sql", "migrations/postgres/0003_c.sql",
    ])]
    fn migrations_in_order_pass(#[case] paths: &[&str]) {
        assert_eq!(printed(&check(paths)), [""; 0]);
    }

    #[rstest]
    #[case::gap(&["0001_a.sql", "0003_c.sql"], "0003_c.sql: leaves a gap: 0002 is missing before it")]
    #[case::late_start(&["0002_b.sql"], "0002_b.sql: leaves a gap: 0001 is missing before it")]
    #[case::twins(&["0001_a.sql", "0001_b.sql"], "0001_b.sql: shares the number 0001 with another migration")]
    #[case::zero(&["0000_a.sql", "0001_b.sql"], "0000_a.sql: is not named")]
    #[case::three_digits(&["0001_a.sql", "002_b.sql"], "002_b.sql: is not named")]
    #[case::upper_case(&["0001_Initial.sql"], "0001_Initial.sql: is not named")]
    #[case::hyphen(&["0001_add-x.sql"], "0001_add-x.sql: is not named")]
    #[case::no_name(&["0001_.sql"], "0001_.sql: is not named")]
    #[case::another_kind(&["0001_a.sql", "0002_b.txt"], "0002_b.txt: is not named")]
    fn disorder_is_found(#[case] names: &[&str], #[case] expected: &str) {
        let paths: Vec<String> = names
            .iter()
            .map(|name| format!("migrations/sqlite/{name}"))
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let findings = printed(&check(&paths));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].starts_with(&format!("migrations/sqlite/{expected}")),
            "{findings:?}"
        );
    }

    #[rstest]
    #[case::only_in_one(
        &["migrations/postgres/0001_a.sql", "migrations/sqlite/0001_a.sql", "migrations/sqlite/0002_b.sql"],
        "migrations/postgres/0002_b.sql: is missing, while another database has it"
    )]
    #[case::after_the_whole_schema(
        &["migrations/postgres/0001_whole_schema.sql", "migrations/sqlite/0001_a.sql", "migrations/sqlite/0002_b.sql"],
        "migrations/postgres/0002_b.sql: is missing, while another database has it"
    )]
    #[case::in_no_folder(&["migrations/0001_a.sql"], "migrations/0001_a.sql: belongs to no database")]
    fn a_database_without_its_migration_is_found(#[case] paths: &[&str], #[case] expected: &str) {
        let findings = printed(&check(paths));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with(expected), "{findings:?}");
    }
}
