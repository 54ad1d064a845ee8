//! How the figures are told: the table that is printed, `target/bench.json`, and the sentences about what is not as it
//! should be. Judges nothing itself.

use serde_json::{Value, json};

use crate::bench::figure::{Figure, Summary};
use crate::bench::row::Target;

const HEAD: [&str; 8] = [
    "figure",
    "median",
    "p99",
    "beside",
    "its median",
    "its p99",
    "ratio",
    "target",
];

/// One line each, in columns, so that it can be read and put into a document alike.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut lines: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).to_vec()];
    lines.extend(figures.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or_default()
        })
        .collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1, rule);
    let told = lines.iter().map(|cells| {
        let padded = cells.iter().zip(&widths);
        let padded: Vec<String> = padded.map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |", padded.join(" | "))
    });
    told.collect::<Vec<_>>().join("\n")
}

fn cells(figure: &Figure) -> Vec<String> {
    let (row, floor) = (&figure.row, figure.floor);
    let of_floor = |figure: fn(Summary) -> f64| floor.map(|floor| number(figure(floor))).unwrap_or_default();
    vec![
        row.what.to_owned(),
        format!("{} {}", number(figure.found.median), row.unit),
        number(figure.found.p99),
        row.floor.to_owned(),
        of_floor(|floor| floor.median),
        of_floor(|floor| floor.p99),
        figure.ratio().map(number).unwrap_or_default(),
        target(figure),
    ]
}

fn target(figure: &Figure) -> String {
    let words = match figure.row.target {
        Target::None => String::new(),
        Target::AtMost(limit) => format!("≤ {limit}"),
        Target::TimesFloor(times) => format!("≤ {times} ×"),
        Target::AboveFloor(more) => format!("≤ floor + {more}"),
        Target::PartOfFloor(part) => format!("≥ {part} ×"),
    };
    let met = figure
        .meets_target()
        .map(|met| if met { "met" } else { "MISSED" });
    let promise = match (figure.row.promise, figure.keeps_promise()) {
        (Some(promise), Some(kept)) => {
            let kept = if kept { "kept" } else { "BROKEN" };
            format!("p99 ≤ {promise} {kept}")
        }
        _ => String::new(),
    };
    let parts = [&*words, met.unwrap_or_default()].join(" ");
    let parts = [parts.trim(), &*promise];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

/// With as many digits as mean something.
fn number(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{figure:.2}"),
        ..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// What programs read: `{"v":1,"rows":[…]}`. What was not measured, or has no target, is null.
pub(crate) fn document(figures: &[Figure]) -> Value {
    let summary = |found: Summary| json!({ "median": found.median, "p99": found.p99, "count": found.count });
    let rows = figures.iter().map(|figure| {
        let floor = figure.floor.map(|floor| {
            let mut floor = summary(floor);
            floor["what"] = json!(figure.row.floor);
            floor
        });
        let mut row = summary(figure.found);
        row["id"] = json!(figure.row.id);
        row["what"] = json!(figure.row.what);
        row["unit"] = json!(figure.row.unit);
        row["floor"] = json!(floor);
        row["ratio"] = json!(figure.ratio());
        row["baseline"] = json!(figure.baseline);
        row["limit"] = json!(figure.limit());
        row["met"] = json!(figure.meets_target());
        row["promised_p99"] = json!(figure.row.promise);
        row["kept"] = json!(figure.keeps_promise());
        row
    });
    json!({ "v": 1, "rows": rows.collect::<Vec<_>>() })
}

/// The ratios that are worse than the committed ones.
pub(crate) fn warnings(figures: &[Figure]) -> Vec<String> {
    let worse = figures.iter().filter(|figure| figure.is_worse());
    worse
        .map(|figure| {
            let told = |ratio: Option<f64>| ratio.map(number).unwrap_or_default();
            format!(
                "warning: {} ({}): the ratio is {}, the committed one {}. Measure it again on a quiet machine with \
                 `cargo xtask bench --only {}`",
                figure.row.what,
                figure.row.id,
                told(figure.ratio()),
                told(figure.baseline),
                figure.row.id
            )
        })
        .collect()
}

/// The promises that are not kept.
pub(crate) fn broken(figures: &[Figure]) -> Vec<String> {
    let broken = figures
        .iter()
        .filter(|figure| figure.keeps_promise() == Some(false));
    broken
        .map(|figure| {
            format!(
                "{} takes longer than promised on this machine: p99 {} {}",
                figure.row.what,
                number(figure.found.p99),
                figure.row.unit
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::{Measured, row};

    fn figures() -> Vec<Figure> {
        let token = row("token", "ms", "`vega token`")
            .beside("`sqlite3`")
            .target(Target::TimesFloor(2.5))
            .promises(2_000.0);
        let size = row("size", "MB", "a program").target(Target::AtMost(12.0));
        vec![
            Figure::of(
                token,
                &Measured::beside(vec![4.0, 3000.0, 4.0], &[2.0]),
                Some(1.5),
            )
            .unwrap(),
            Figure::of(size, &Measured::alone(vec![18.0]), None).unwrap(),
        ]
    }

    #[test]
    fn the_table_has_a_line_for_each_figure() {
        assert_eq!(
            table(&figures()),
            "\
| figure       | median  | p99  | beside    | its median | its p99 | ratio | target                         |
| ------------ | ------- | ---- | --------- | ---------- | ------- | ----- | ------------------------------ |
| `vega token` | 4.00 ms | 3000 | `sqlite3` | 2.00       | 2.00    | 2.00  | ≤ 2.5 × met; p99 ≤ 2000 BROKEN |
| a program    | 18.0 MB | 18.0 |           |            |         | 1.50  | ≤ 12 MISSED                    |"
        );
    }

    #[test]
    fn the_document_has_a_fixed_shape() {
        let expected = json!({ "v": 1, "rows": [
            { "id": "token", "what": "`vega token`", "unit": "ms", "median": 4.0, "p99": 3000.0, "count": 3,
              "floor": { "what": "`sqlite3`", "median": 2.0, "p99": 2.0, "count": 1 },
              "ratio": 2.0, "baseline": 1.5, "limit": 5.0, "met": true, "promised_p99": 2000.0, "kept": false },
            { "id": "size", "what": "a program", "unit": "MB", "median": 18.0, "p99": 18.0, "count": 1,
              "floor": null, "ratio": 1.5, "baseline": null, "limit": 12.0, "met": false,
              "promised_p99": null, "kept": null },
        ] });
        assert_eq!(document(&figures()), expected);
    }

    #[test]
    fn what_became_worse_and_what_is_broken_is_told() {
        let [warning] = &*warnings(&figures()) else {
            panic!("one ratio became worse");
        };
        assert!(
            warning.contains("the ratio is 2.00, the committed one 1.50"),
            "{warning}"
        );
        assert!(warning.contains("--only token"), "{warning}");
        let [broken] = &*broken(&figures()) else {
            panic!("one promise is broken");
        };
        assert!(
            broken.contains("`vega token`") && broken.contains("p99 3000 ms"),
            "{broken}"
        );
    }
}
