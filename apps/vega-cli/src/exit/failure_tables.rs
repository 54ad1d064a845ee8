//! The tables of `docs/reference/failures.md`, built from the code: a page that says something else fails the test.

use vega_domain::broker_code::BROKER_CODES;
use vega_domain::failure::FailureReason;
use vega_domain::file_delivery::DeliveryProblem;

use super::of_reason;
use crate::documents::compare_or_write;

#[test]
fn failure_tables_say_what_the_code_does() {
    let tables = [("codes", codes()), ("reasons", reasons()), ("files", files())];
    compare_or_write("docs/reference/failures.md", &tables);
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

/// Why files are behind.
fn files() -> String {
    let rows = DeliveryProblem::ALL.iter().map(|problem| {
        let (code, summary, advice) = (problem.code(), problem.summary(), problem.advice());
        format!("| `{code}` | {summary} | {advice} |\n")
    });
    let head = "| cause | what happened | what helps |\n| --- | --- | --- |\n";
    rows.fold(head.to_owned(), |table, row| table + &row)
}
