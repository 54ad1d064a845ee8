//! `vega key`: the keys with which programs call the server. A key is printed when it is made, and never again.

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use console::{Term, measure_text_width};
use vega_api_types::KeysView;
use vega_bootstrap::{Listener, Vega};
use vega_domain::access::{AccessKey, Scope};
use vega_domain::expiry::in_ist;
use vega_domain::ports::UnfitKey;

use crate::command_error::CommandError;
use crate::command_line::arguments::{Key, KeyAdd};
use crate::command_line::suggestion::{alike, did_you_mean, some_of};
use crate::commands::audit::undone_by_an_older_file;
use crate::exit::Exit;
use crate::terminal::output;

pub(crate) async fn run(vega: &Vega, wanted: &Key) -> Result<Exit, CommandError> {
    match wanted {
        Key::Add(wanted) => add(vega, wanted).await,
        Key::List { json } => list(vega, *json).await,
        Key::Revoke { key } => revoke(vega, key).await,
    }
}

async fn add(vega: &Vega, wanted: &KeyAdd) -> Result<Exit, CommandError> {
    let expires_at = match wanted.expires {
        None => None,
        Some(length) => {
            let length = TimeDelta::from_std(length).ok();
            let end = length.and_then(|length| vega.clock.now().checked_add_signed(length));
            let Some(end) = end else {
                output::problem(
                    "--expires lies further away than a calendar reaches. Leave it out for a key without an end",
                );
                return Ok(Exit::Usage);
            };
            Some(end)
        }
    };
    let name = wanted.name.clone();
    let added = vega.access.add_key(name, wanted.scope.clone(), expires_at);
    let (key, secret) = added.await?;
    output::secret(secret.expose());
    if !output::is_delivered() {
        output::problem(&format!(
            "nobody got the key {0}, and it is not shown again. `vega key revoke {0}` makes it worthless; then add it anew",
            key.name
        ));
        return Ok(Exit::Ok);
    }
    let end = match key.expires_at {
        Some(end) => format!("until {} IST", in_ist(end).format("%d %b %Y %H:%M")),
        None => "without an end".into(),
    };
    output::say(&format!(
        "Key {} may do this: {}; {end}.\n\
         It is shown this once, and Vega keeps only its hash: put it where the program reads it, for its owner alone. \
         The program sends it as `Authorization: Bearer KEY`. `vega key revoke {}` makes it worthless.",
        key.name,
        scopes(&key),
        key.name
    ));
    say_where(vega).await;
    Ok(Exit::Ok)
}

/// Where the key is to be shown, and whether it can be shown there now: whoever listens would have it.
async fn say_where(vega: &Vega) {
    let server = &vega.settings.server;
    let url = server.url();
    if server.public_url.is_some() {
        output::say(&format!("Programs call {url}/."));
        return;
    }
    let listener = vega.who_listens().await;
    output::say(&match listener {
        Listener::Ours => format!("Programs call {url}/, where {listener} listens."),
        Listener::Nobody => {
            format!("Programs call {url}/, where `vega-server` listens when it runs; it does not now.")
        }
        Listener::Unproven | Listener::Another => format!(
            "warning: {listener} listens at {url}/. Show it no key: whoever has one can use it. Find out which \
             program it is (on Linux `ss -ltnp 'sport = :{port}'`), end it and start `vega-server`",
            port = server.listen.port()
        ),
    });
}

async fn list(vega: &Vega, as_json: bool) -> Result<Exit, CommandError> {
    let (keys, now) = (vega.access.keys().await?, vega.clock.now());
    let unfit = vega.access.unfit_keys().await?;
    if as_json {
        output::data_json(&KeysView::of(&keys, &unfit, now))?;
    } else if keys.is_empty() {
        output::say("There are no keys. `vega key add NAME --scope status` makes one.");
    } else {
        let out = Term::stdout();
        let wide = as_table(&keys, now);
        let fits = |line: &str| measure_text_width(line) <= usize::from(out.size().1);
        // An id that is broken over lines cannot be copied; a pipe has no width.
        if !out.is_term() || wide.lines().all(fits) {
            output::data(&wide);
        } else {
            output::data(&as_lines(&keys, now));
        }
    }
    tell_unfit(&unfit);
    Ok(Exit::Ok)
}

async fn revoke(vega: &Vega, wanted: &str) -> Result<Exit, CommandError> {
    let (keys, now) = (vega.access.keys().await?, vega.clock.now());
    let is_meant = |key: &&AccessKey| key.name.as_str() == wanted || key.id.to_string() == wanted;
    // Of one name, the living one; it is the last that was made.
    if let Some(key) = keys.iter().rfind(is_meant) {
        let is_done = vega.access.revoke_key(key.id).await?;
        return Ok(revoked(vega, key.name.as_str(), is_done).await);
    }
    // One whose record was changed or taken away may come back with it, unless it is revoked.
    let unfit = vega.access.unfit_keys().await?;
    let is_meant =
        |key: &&UnfitKey| key.id.to_string() == wanted || key.names.iter().any(|name| name == wanted);
    let meant: Vec<&UnfitKey> = unfit.iter().filter(is_meant).collect();
    if !meant.is_empty() {
        let mut is_done = false;
        for key in meant {
            is_done |= vega.access.revoke_key(key.id).await?;
        }
        return Ok(revoked(vega, wanted, is_done).await);
    }
    let living = keys.iter().filter(|key| key.is_live(now));
    let known: Vec<&str> = living.map(|key| key.name.as_str()).collect();
    let meant = alike(wanted, known.iter().copied());
    let meant: Vec<String> = meant.into_iter().map(str::to_owned).collect();
    let known = if known.is_empty() {
        "There are no living keys".to_owned()
    } else {
        format!("Living keys are: {}", some_of(&known))
    };
    output::problem(&format!(
        "there is no key {wanted}. {}{known}",
        did_you_mean(&meant)
    ));
    Ok(Exit::Usage)
}

async fn revoked(vega: &Vega, name: &str, is_done: bool) -> Exit {
    output::say(&if is_done {
        format!("Key {name} is worthless now, and stays so.")
    } else {
        format!("Key {name} was revoked already.")
    });
    undone_by_an_older_file(vega.maintenance.missing_checkpoint().await).unwrap_or(Exit::Ok)
}

/// Keys that stand on no list, for nobody can tell what they may do.
fn tell_unfit(unfit: &[UnfitKey]) {
    for key in unfit {
        let named = match &*key.names {
            [] => String::new(),
            names => format!(" ({})", names.join(" or ")),
        };
        output::problem(&format!(
            "the record of key {id}{named} was changed or taken away outside Vega, so it counts for nothing. `vega key revoke \
             {id}` makes it worthless for good",
            id = key.id
        ));
    }
}

fn scopes(key: &AccessKey) -> String {
    let scopes: Vec<String> = key.scopes.iter().map(Scope::to_string).collect();
    scopes.join(", ")
}

/// The columns of a key, with their headings.
fn columns(key: &AccessKey, now: DateTime<Utc>) -> [(&'static str, String); 6] {
    let time = |at: Option<DateTime<Utc>>, without: &str| {
        at.map_or(without.to_owned(), |at| {
            in_ist(at).format("%d %b %Y %H:%M").to_string()
        })
    };
    [
        ("NAME", key.name.to_string()),
        ("STATE", key.state(now).as_str().into()),
        ("MAY DO", scopes(key)),
        ("EXPIRES (IST)", time(key.expires_at, "never")),
        ("LAST USED (IST)", time(key.last_used_at, "never")),
        ("ID", key.id.to_string()),
    ]
}

fn as_table(keys: &[AccessKey], now: DateTime<Utc>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled);
    for key in keys {
        let columns = columns(key, now);
        table.set_header(columns.each_ref().map(|(heading, _)| *heading));
        table.add_row(columns.map(|(_, value)| value));
    }
    table.to_string()
}

fn as_lines(keys: &[AccessKey], now: DateTime<Utc>) -> String {
    let lines = |key: &AccessKey| {
        let [(_, name), (_, state), rest @ ..] = columns(key, now);
        let rest: String = rest
            .map(|(heading, value)| {
                format!(
                    "\n  {}: {value}",
                    heading.to_lowercase().replace("(ist)", "(IST)")
                )
            })
            .concat();
        format!("{name}: {state}{rest}")
    };
    let lines: Vec<String> = keys.iter().map(lines).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use vega_domain::ids::{AccessKeyId, ApiName, KeyName};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-23T08:45:00+05:30")
            .unwrap()
            .to_utc()
            + TimeDelta::seconds(seconds)
    }

    fn key(name: &str, scopes: Vec<Scope>, id: u128) -> AccessKey {
        AccessKey {
            id: format!("01935f7a-0000-7000-8000-{id:012x}")
                .parse::<AccessKeyId>()
                .unwrap(),
            name: KeyName::new(name).unwrap(),
            scopes,
            created_at: at(-86_400),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }
    }

    fn keys() -> Vec<AccessKey> {
        let primary = Scope::Token(ApiName::new("PRIMARY").unwrap());
        let living = AccessKey {
            last_used_at: Some(at(-60)),
            ..key("trader", vec![Scope::Status, primary], 1)
        };
        let expired = AccessKey {
            expires_at: Some(at(0)),
            ..key("nightly", vec![Scope::Runs], 2)
        };
        let revoked = AccessKey {
            revoked_at: Some(at(-5)),
            expires_at: Some(at(86_400)),
            ..key("old", vec![Scope::Admin], 3)
        };
        vec![living, expired, revoked]
    }

    #[test]
    fn keys_are_listed_wide_narrow_and_for_programs() {
        insta::assert_snapshot!("keys_wide", as_table(&keys(), at(0)));
        insta::assert_snapshot!("keys_narrow", as_lines(&keys(), at(0)));
        let unfit = UnfitKey {
            id: keys()[0].id,
            names: vec!["algo".into()],
        };
        insta::assert_json_snapshot!("keys_json", KeysView::of(&keys(), &[unfit], at(0)));
    }
}
