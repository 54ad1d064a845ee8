//! The market calendar, as far as a token manager asks for it: the same few holidays in every year.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use chrono::{Datelike as _, NaiveDate, Weekday};
use serde_json::{Value, json};

use super::{envelope::Answer, shared::AppState};

const HOLIDAYS: [(u32, u32, &str); 4] = [
    (1, 26, "Republic Day"),
    (8, 15, "Independence Day"),
    (10, 2, "Gandhi Jayanti"),
    (12, 25, "Christmas"),
];

pub(super) async fn holidays(State(shared): AppState) -> Response {
    let year = shared.now().year();
    let all: Vec<Value> = HOLIDAYS
        .iter()
        .filter_map(|(month, day, _)| NaiveDate::from_ymd_opt(year, *month, *day))
        .filter_map(described)
        .collect();
    success(&json!(all))
}

pub(super) async fn holiday(Path(date): Path<String>) -> Response {
    match date.parse::<NaiveDate>() {
        Ok(date) => success(&json!(described(date).into_iter().collect::<Vec<_>>())),
        Err(_) => Answer::error("UDAPI1088").into_response(),
    }
}

pub(super) async fn timings(Path(date): Path<String>) -> Response {
    let Ok(date) = date.parse::<NaiveDate>() else {
        return Answer::error("UDAPI1088").into_response();
    };
    if described(date).is_some() || matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
        return success(&json!([]));
    }
    // In UTC: 09:15 to 15:30 in India for shares, 09:00 to 23:30 for commodities.
    let session = |exchange: &str, from: (u32, u32), to: (u32, u32)| json!({ "exchange": exchange, "start_time": milliseconds(date, from), "end_time": milliseconds(date, to) });
    success(&json!([
        session("NSE", (3, 45), (10, 0)),
        session("NFO", (3, 45), (10, 0)),
        session("BSE", (3, 45), (10, 0)),
        session("BFO", (3, 45), (10, 0)),
        session("CDS", (3, 30), (11, 30)),
        session("BCD", (3, 30), (11, 30)),
        session("MCX", (3, 30), (18, 0)),
    ]))
}

fn described(date: NaiveDate) -> Option<Value> {
    let (_, _, description) = HOLIDAYS
        .iter()
        .find(|(month, day, _)| (*month, *day) == (date.month(), date.day()))?;
    Some(json!({
        "date": date.to_string(),
        "description": description,
        "holiday_type": "TRADING_HOLIDAY",
        "closed_exchanges": ["NSE", "NFO", "CDS", "BSE", "BFO", "BCD", "MCX"],
        "open_exchanges": [],
    }))
}

fn milliseconds(date: NaiveDate, (hour, minute): (u32, u32)) -> i64 {
    date.and_hms_opt(hour, minute, 0)
        .map_or(0, |at| at.and_utc().timestamp_millis())
}

fn success(data: &Value) -> Response {
    Answer::ok(json!({ "status": "success", "data": data })).into_response()
}
