//! The audit trail as the console shows it: newest first, only what is wanted, and as a file to take away.

use anyhow::{Context, Result};
use serde_json::Value;
use vega_tests::{Caller, Desk, Server, Upstox};

use crate::server_route_permissions::key;

async fn entries(server: &Server, caller: &Caller, query: &str) -> Result<(Vec<Value>, Value)> {
    let answer = server.get(&format!("/api/v1/audit?{query}"), caller).await?;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let view = answer.json()?;
    let entries = view["entries"].as_array().context("entries")?;
    Ok((entries.clone(), view["next"].clone()))
}

fn ids(entries: &[Value]) -> Vec<i64> {
    entries.iter().filter_map(|entry| entry["id"].as_i64()).collect()
}

/// Whether an entry is among the wanted.
type Fits<'e> = &'e dyn Fn(&Value) -> bool;

#[tokio::test]
async fn the_trail_is_shown_newest_first_and_only_what_is_wanted() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let server = Server::start(&desk).await?;
    let console = server.console().await?;

    let (all, next) = entries(&server, &console, "limit=500").await?;
    assert!(all.len() > 10 && next.is_null(), "{all:?}");
    // Page by page from the end, and nothing twice.
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let (page, next) = entries(&server, &admin, &format!("order=newest&limit=7{after}")).await?;
        assert!(page.len() <= 7);
        walked.extend(ids(&page));
        let Some(next) = next.as_i64() else { break };
        after = format!("&after={next}");
    }
    walked.reverse();
    assert_eq!(walked, ids(&all));

    let run = all
        .iter()
        .find_map(|entry| entry["run"].as_str())
        .context("a run")?;
    let middle = &all[all.len() / 2];
    let at = middle["at"].as_str().context("a time")?;
    let escaped = at.replace('+', "%2B");
    let queries: [(String, Fits); 7] = [
        ("kind=attempt_opened".into(), &|entry| {
            entry["kind"] == "attempt_opened"
        }),
        ("account=default".into(), &|entry| entry["account"] == "default"),
        ("api=PRIMARY".into(), &|entry| entry["api"] == "PRIMARY"),
        (format!("run={run}"), &|entry| entry["run"] == run),
        // The shown second is the beginning of it.
        (format!("since={escaped}"), &|entry| {
            entry["at_unix"].as_i64() >= middle["at_unix"].as_i64()
        }),
        (format!("until={escaped}"), &|entry| {
            entry["at_unix"].as_i64() < middle["at_unix"].as_i64()
        }),
        ("q=SIGNING_in&api=PRIMARY".into(), &|entry| {
            entry["detail"] == "signing_in"
        }),
    ];
    for (query, fits) in queries {
        let (wanted, _) = entries(&server, &console, &format!("limit=500&{query}")).await?;
        let expected: Vec<Value> = all.iter().filter(|entry| fits(entry)).cloned().collect();
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "{query} says nothing"
        );
        assert_eq!(wanted, expected, "{query}");
        let file = server
            .get(&format!("/api/v1/audit/export?{query}"), &console)
            .await?;
        assert_eq!(file.json()?["entries"], Value::Array(expected), "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn the_trail_is_taken_away_as_a_file() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let server = Server::start(&desk).await?;
    for (format, kind) in [
        ("json", "application/json"),
        ("csv", "text/csv; charset=utf-8; header=present"),
    ] {
        let file = server
            .get(&format!("/api/v1/audit/export?format={format}"), &admin)
            .await?;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, Some(kind)),
            "{file:?}"
        );
        let name = file.header("content-disposition").context("a name")?;
        let day = name
            .strip_prefix("attachment; filename=\"vega-audit-")
            .and_then(|name| name.strip_suffix(&format!(".{format}\"")))
            .with_context(|| name.to_owned())?;
        let is_a_day = day.len() == 10
            && day.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        assert!(is_a_day, "{name}");
        let has = |header, value| assert_eq!(file.header(header), Some(value));
        has("cache-control", "no-store");
        has("x-content-type-options", "nosniff");
        assert!(file.text.contains("key_added"), "{file:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wish_that_says_nothing_is_refused_with_its_name() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    let admin = key(&desk, "admin", "admin", &[]).await?;
    let server = Server::start(&desk).await?;
    for path in ["/api/v1/audit", "/api/v1/audit/export"] {
        for (query, named) in [
            ("since=yesterday", "since"),
            ("until=2026-11-24", "until"),
            // The + of the offset is a space here.
            ("since=2026-11-24T00:00:00+05:30", "%2B"),
            ("kind=no_such_kind", "no_such_kind"),
            ("run=PRIMARY", "run"),
            ("account=A+B", "account"),
            ("api=pri-mary", "API name"),
            ("order=sideways&format=xml", "unknown"),
            ("nothing=1", "nothing"),
            ("kind=run_ended&kind=run_started", "kind"),
        ] {
            let answer = server.get(&format!("{path}?{query}"), &admin).await?;
            assert_eq!(answer.status, 400, "{path}?{query}: {answer:?}");
            let problem = answer.json()?;
            assert_eq!(problem["code"], "bad_request");
            assert!(
                problem["detail"]
                    .as_str()
                    .is_some_and(|said| said.contains(named)),
                "{query}: {problem}"
            );
        }
    }
    Ok(())
}
