//! Statuses for people: a table where it fits the terminal, a few short lines per API where it does not. Names and
//! status words are never broken, nothing is left out.

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use console::{Color, measure_text_width, style};
use vega_domain::expiry::in_ist;
use vega_domain::token::{ApiStatus, TokenStatus};

/// What a row says; columns that would say the same in every row are left out.
struct Row {
    api: String,
    account: Option<String>,
    status: TokenStatus,
    generation: Option<String>,
    valid_until: Option<String>,
    /// When Upstox last said what the token is worth.
    checked: Option<String>,
    last_failure: Option<String>,
}

/// The statuses, for a terminal `width` columns wide.
pub(crate) fn table(statuses: &[ApiStatus], width: u16, colours: bool) -> String {
    let several_accounts = statuses
        .iter()
        .any(|status| status.account != statuses[0].account);
    let rows: Vec<Row> = statuses
        .iter()
        .map(|status| row(status, several_accounts))
        .collect();
    let wide = as_table(&rows);
    let fits = wide
        .lines()
        .all(|line| measure_text_width(line) <= usize::from(width));
    match (fits, colours) {
        (false, _) => as_lines(&rows, colours),
        (true, false) => wide,
        (true, true) => wide.lines().map(coloured).collect::<Vec<_>>().join("\n"),
    }
}

fn row(status: &ApiStatus, several_accounts: bool) -> Row {
    Row {
        api: status.api.to_string(),
        account: several_accounts.then(|| status.account.to_string()),
        status: status.status,
        generation: status.generation.map(|generation| generation.to_string()),
        // A dead token has no end that matters.
        valid_until: status
            .valid_until
            .filter(|_| !status.status.needs_sign_in())
            .map(minute),
        checked: status
            .verified_at
            .max(status.last_check.map(|check| check.at))
            .map(minute),
        last_failure: status
            .last_failure
            .as_ref()
            .map(|failure| failure.reason.to_string()),
    }
}

fn minute(at: DateTime<Utc>) -> String {
    in_ist(at).format("%d %b %H:%M").to_string()
}

fn as_table(rows: &[Row]) -> String {
    let several_accounts = rows.iter().any(|row| row.account.is_some());
    let any_check = rows.iter().any(|row| row.checked.is_some());
    let any_failure = rows.iter().any(|row| row.last_failure.is_some());
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    let columns = |api, account, rest: [String; 3], checked, failure| {
        let mut columns = vec![api];
        columns.extend(several_accounts.then_some(account));
        columns.extend(rest);
        columns.extend(any_check.then_some(checked));
        columns.extend(any_failure.then_some(failure));
        columns
    };
    let headings = ["STATUS", "GENERATION", "VALID UNTIL (IST)"].map(String::from);
    table.set_header(columns(
        "API".into(),
        "ACCOUNT".into(),
        headings,
        "CHECKED (IST)".into(),
        "LAST FAILURE".into(),
    ));
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    for row in rows {
        table.add_row(columns(
            row.api.clone(),
            or_dash(&row.account),
            [
                row.status.to_string(),
                or_dash(&row.generation),
                or_dash(&row.valid_until),
            ],
            or_dash(&row.checked),
            or_dash(&row.last_failure),
        ));
    }
    table.to_string()
}

/// Colours the status word of a line; the widths are settled by now.
fn coloured(line: &str) -> String {
    let words = [
        TokenStatus::Valid,
        TokenStatus::Unknown,
        TokenStatus::Invalid,
        TokenStatus::Expired,
        TokenStatus::Missing,
    ];
    let found = words
        .into_iter()
        .find(|status| line.contains(&format!(" {status} ")));
    found.map_or_else(
        || line.to_owned(),
        |status| line.replacen(&format!(" {status} "), &format!(" {} ", in_colour(status)), 1),
    )
}

fn in_colour(status: TokenStatus) -> String {
    let colour = match status {
        TokenStatus::Valid => Color::Green,
        TokenStatus::Unknown => Color::Yellow,
        TokenStatus::Invalid | TokenStatus::Expired | TokenStatus::Missing => Color::Red,
    };
    style(status.as_str()).fg(colour).force_styling(true).to_string()
}

fn as_lines(rows: &[Row], colours: bool) -> String {
    let longest = rows.iter().map(|row| row.api.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in rows {
        let status = if colours {
            in_colour(row.status)
        } else {
            row.status.to_string()
        };
        lines.push(format!("{:<longest$}  {status}", row.api));
        let details = [
            ("account", &row.account),
            ("valid until (IST)", &row.valid_until),
            ("generation", &row.generation),
            ("checked (IST)", &row.checked),
            ("last failure", &row.last_failure),
        ];
        let said = details
            .into_iter()
            .filter_map(|(name, value)| Some(format!("  {name}: {}", value.as_ref()?)));
        lines.extend(said);
    }
    lines.join("\n")
}
