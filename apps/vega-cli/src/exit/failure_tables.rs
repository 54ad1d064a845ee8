//! The two tables of `docs/reference/failures.md`, built from the code: a page that says something else fails the test.
//! With `VEGA_UPDATE_DOCS` set, as `cargo xtask generate` does, the test writes them anew.

use std::path::Path;

use vega_bootstrap::Environment;
use vega_domain::broker_code::BROKER_CODES;
use vega_domain::failure::FailureReason;

use super::of_reason;

const PAGE: &str = include_str!("../../../../docs/reference/failures.md");
const UPDATE: &str = "VEGA_UPDATE_DOCS";

/// A table and the name of the markers around it.
type Block = (&'static str, String);

#[test]
fn failure_tables_say_what_the_code_does() {
    let blocks = [("codes", codes()), ("reasons", reasons())];
    if Environment::of_process().get(UPDATE).is_some() {
        return write(&blocks);
    }
    for (name, table) in &blocks {
        let (found, table) = (between(PAGE, name).trim(), table.trim());
        let differing = || {
            let missing = table
                .lines()
                .filter(|line| !found.lines().any(|row| row == *line));
            let foreign = found
                .lines()
                .filter(|row| !table.lines().any(|line| line == *row));
            let rows = missing.map(|line| format!("+ {line}"));
            let rows = rows.chain(foreign.map(|row| format!("- {row}")));
            rows.collect::<Vec<_>>().join("\n")
        };
        assert!(
            found == table,
            "the table `{name}` of docs/reference/failures.md is not what the code does (+ code, - page; only the order, if \
             nothing follows):\n{}\nUpdate it: cargo xtask generate",
            differing()
        );
    }
}

/// What Upstox's codes come to.
fn codes() -> String {
    let rows = BROKER_CODES.iter().map(|known| {
        let reason = known.reason;
        let (next, exit) = (reason.recovery_action().words(), of_reason(reason) as u8);
        format!(
            "| `{}` | {} | `{reason}` | {next} | {exit} |\n",
            known.code, known.meaning
        )
    });
    let head = "| Upstox's code | what Upstox means | failure | what follows | exit |\n| --- | --- | --- | --- | --- |\n";
    rows.fold(head.to_owned(), |table, row| table + &row)
}

/// What every failure comes to, wherever it arose.
fn reasons() -> String {
    let rows = FailureReason::ALL.iter().map(|&reason| {
        let (next, exit) = (reason.recovery_action().words(), of_reason(reason) as u8);
        format!("| `{reason}` | {next} | {exit} | {} |\n", reason.summary())
    });
    let head = "| failure | what follows | exit | what happened |\n| --- | --- | --- | --- |\n";
    rows.fold(head.to_owned(), |table, row| table + &row)
}

fn write(blocks: &[Block]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/failures.md");
    let mut page = std::fs::read_to_string(&path).unwrap();
    for (name, table) in blocks {
        let (begin, end) = markers(name);
        let old = format!("{begin}{}{end}", between(&page, name));
        page = page.replacen(&old, &format!("{begin}\n\n{table}\n{end}"), 1);
    }
    std::fs::write(&path, page).unwrap();
}

fn between<'a>(page: &'a str, name: &str) -> &'a str {
    let (begin, end) = markers(name);
    let rest = page.split_once(&begin).map(|(_, rest)| rest);
    let inside = rest
        .and_then(|rest| rest.split_once(&end))
        .map(|(inside, _)| inside);
    inside.unwrap_or_else(|| {
        panic!("docs/reference/failures.md has lost its lines {begin:?} and {end:?}; put them back")
    })
}

fn markers(name: &str) -> (String, String) {
    (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"))
}
