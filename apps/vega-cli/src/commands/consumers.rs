//! `vega consumers`: which programs use which token, as servers saw them, and the operator's word that one of them gets nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use vega_api_types::codes::ConsumerState;
use vega_api_types::{ConsumerView, ConsumersView};
use vega_bootstrap::{KnownConsumer, Vega};
use vega_domain::consumer::{Consumer, ConsumerIdentity, ConsumerStop};
use vega_domain::expiry::in_ist;
use vega_domain::overview::Statuses;
use vega_domain::plan::ForceReason;

use crate::command_error::CommandError;
use crate::command_line::program_arguments::{ChangeConsumer, Consumers};
use crate::command_line::suggestion::{alike, did_you_mean, some_of};
use crate::commands::audit::undone_by_an_older_file;
use crate::exit::Exit;
use crate::terminal::output;

/// Who stops and opens, for the audit trail.
const BY: &str = "`vega consumers`";

pub(crate) async fn run(vega: &Vega, wanted: &Consumers) -> Result<Exit, CommandError> {
    vega.consumers.catch_up().await?;
    match &wanted.change {
        None => list(vega, wanted.json).await,
        Some(change) => self::change(vega, change).await,
    }
}

async fn list(vega: &Vega, as_json: bool) -> Result<Exit, CommandError> {
    let views = views(vega).await?;
    if as_json {
        output::data_json(&ConsumersView {
            v: 1,
            consumers: views,
        })?;
        return Ok(Exit::Ok);
    }
    if views.is_empty() {
        output::say(
            "No program was seen to use a token within a month. A server notes who gets tokens from it; programs that read the \
             database themselves are not seen.",
        );
    } else {
        output::data(&as_table(&views));
    }
    for line in behind(&views) {
        output::say(&line);
    }
    for stop in unseen_stops(vega, &views) {
        output::say(&stop);
    }
    Ok(Exit::Ok)
}

async fn views(vega: &Vega) -> Result<Vec<ConsumerView>, CommandError> {
    let Statuses { apis, analytics } = vega.stored.validity.all_statuses().await?;
    let now = vega.clock.now();
    let view = |known: KnownConsumer| {
        let mut statuses = apis.iter().chain(&analytics);
        let status = statuses.find(|status| status.api == known.seen.api);
        let newest = status.and_then(|status| status.generation);
        // Whether it listens only its server knows.
        ConsumerView::of(&known.seen, newest, false, known.stop.as_deref(), now)
    };
    Ok(vega.consumers.known().into_iter().map(view).collect())
}

/// For each API of which somebody has an older token: how many have moved, and who has not.
fn behind(views: &[ConsumerView]) -> Vec<String> {
    let apis: BTreeSet<&str> = views
        .iter()
        .filter(|view| view.is_behind())
        .map(|view| &*view.api)
        .collect();
    let line = |api: &str| {
        let of_api = || views.iter().filter(|view| view.api == api);
        let behind: Vec<&str> = of_api()
            .filter(|view| view.is_behind())
            .map(|view| &*view.name)
            .collect();
        let moved = of_api()
            .filter(|view| view.state == ConsumerState::Current)
            .count();
        format!(
            "{moved} of {} have the newest token of {api}. Not yet: {}",
            moved + behind.len(),
            some_of(&behind)
        )
    };
    apis.into_iter().map(line).collect()
}

/// Whoever is stopped and was not seen since.
fn unseen_stops(vega: &Vega, views: &[ConsumerView]) -> Vec<String> {
    let stops = vega.consumers.stops().into_iter();
    let unseen = stops.filter(|stop| {
        let identity = stop.identity.to_string();
        views.iter().all(|view| view.consumer != identity)
    });
    unseen
        .map(|stop| {
            let since = in_ist(stop.since).format("%d %b %H:%M");
            format!("{} is stopped since {since} IST", stop.name)
        })
        .collect()
}

fn as_table(views: &[ConsumerView]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "NAME",
            "KNOWN AS",
            "BY",
            "API",
            "TOKEN",
            "STATE",
            "MOVED (IST)",
            "LAST SEEN (IST)",
        ]);
    for view in views {
        let time = |at: Option<i64>| {
            let at = at.and_then(|at| DateTime::<Utc>::from_timestamp(at, 0));
            at.map_or("never".to_owned(), |at| {
                in_ist(at).format("%d %b %H:%M:%S").to_string()
            })
        };
        let token = match (view.generation, view.newest_generation) {
            (None, _) => "none".to_owned(),
            (Some(has), Some(newest)) if has != newest => format!("{has}, newest {newest}"),
            (Some(has), _) => has.to_string(),
        };
        let state = if view.stopped.is_some() {
            "stopped"
        } else {
            view.state.as_str()
        };
        table.add_row([
            view.name.clone(),
            view.known_as.clone(),
            view.access_path.as_str().to_owned(),
            view.api.clone(),
            token,
            state.to_owned(),
            time(view.moved_at_unix),
            time(Some(view.last_seen_at_unix)),
        ]);
    }
    table.to_string()
}

async fn change(vega: &Vega, change: &ChangeConsumer) -> Result<Exit, CommandError> {
    let (ChangeConsumer::Stop { name, .. } | ChangeConsumer::Open { name }) = change;
    let (identity, called) = match found(vega, name).await? {
        Ok(found) => found,
        Err(words) => {
            output::problem(&words);
            return Ok(Exit::Usage);
        }
    };
    let consumers = &vega.consumers;
    let words = match change {
        ChangeConsumer::Stop { reason, .. } => {
            let reason = reason.as_ref().map(ForceReason::to_string);
            let reason = reason.unwrap_or_default();
            if consumers.stop(&identity, &called, BY, &reason).await? {
                format!(
                    "{called} gets nothing from any server of this installation, until `vega consumers open {called}`. Programs that \
                     read the database themselves are not kept from it."
                )
            } else {
                format!("{called} is stopped already.")
            }
        }
        ChangeConsumer::Open { .. } => {
            let lifted = consumers.open(&identity, &called, BY).await?;
            opened(
                &called,
                &identity,
                lifted.as_deref(),
                consumers.stop_of(&identity).as_deref(),
            )
        }
    };
    output::say(&words);
    Ok(undone_by_an_older_file(vega.maintenance.missing_checkpoint().await).unwrap_or(Exit::Ok))
}

/// What was lifted, and what is still in force: a stop of a whole user is for each of its programs.
fn opened(
    called: &str,
    identity: &ConsumerIdentity,
    lifted: Option<&ConsumerStop>,
    left: Option<&ConsumerStop>,
) -> String {
    let others = match lifted {
        Some(stop) if stop.identity != *identity => format!(
            " The stop was one of {}, and is lifted for all its programs.",
            stop.identity
        ),
        _ => String::new(),
    };
    match (lifted, left) {
        (_, Some(stop)) => format!(
            "{called} still gets nothing: {} is stopped, and {called} with it. `vega consumers open {}` lifts that, too.",
            stop.identity, stop.identity
        ),
        (Some(_), None) => format!("{called} gets tokens again.{others}"),
        (None, None) => format!("{called} is not stopped."),
    }
}

/// Who is meant, and what that is called; or why nobody is.
async fn found(
    vega: &Vega,
    wanted: &str,
) -> Result<Result<(ConsumerIdentity, String), String>, CommandError> {
    let seen: Vec<Consumer> = vega
        .consumers
        .known()
        .into_iter()
        .map(|known| known.seen.consumer)
        .collect();
    let mut all: BTreeSet<(ConsumerIdentity, String)> = seen
        .iter()
        .map(|consumer| (consumer.identity.clone(), consumer.identity_name.clone()))
        .collect();
    let stops = vega.consumers.stops().into_iter();
    all.extend(stops.map(|stop| (stop.identity.clone(), stop.name.clone())));
    // Also a key that was never shown.
    let now = vega.clock.now();
    let keys = vega.access.keys().await?.into_iter();
    let keys = keys.filter(|key| key.is_live(now));
    all.extend(keys.map(|key| (ConsumerIdentity::Key(key.id), key.name.to_string())));
    Ok(meant(wanted, &all, &seen))
}

fn meant(
    wanted: &str,
    all: &BTreeSet<(ConsumerIdentity, String)>,
    seen: &[Consumer],
) -> Result<(ConsumerIdentity, String), String> {
    let is_meant =
        |(identity, name): &&(ConsumerIdentity, String)| name == wanted || identity.to_string() == wanted;
    match &*all.iter().filter(is_meant).collect::<Vec<_>>() {
        [one] => return Ok((*one).clone()),
        [] => {}
        several => {
            let ids: Vec<String> = several.iter().map(|(identity, _)| identity.to_string()).collect();
            return Err(format!(
                "{wanted} is the name of several. Say which: {}",
                ids.join(", ")
            ));
        }
    }
    // A user, of whom programs may come under any name.
    if let Ok(ConsumerIdentity::Program(user)) = wanted.parse()
        && user.is_whole_user()
    {
        let name = user.name();
        return Ok((ConsumerIdentity::Program(user), name));
    }
    let own_name = |consumer: &&Consumer| {
        let own = consumer.own_name.as_ref();
        own.is_some_and(|own| own.as_str() == wanted)
    };
    if let Some(consumer) = seen.iter().find(own_name) {
        let known_as = &consumer.identity_name;
        let together: BTreeSet<&str> = seen
            .iter()
            .filter(|other| other.identity == consumer.identity)
            .map(Consumer::name)
            .collect();
        let together: Vec<&str> = together.into_iter().collect();
        return Err(format!(
            "{wanted} is what {known_as} calls itself, and whoever comes as {known_as} can take any name: it is stopped as a whole. \
             `vega consumers stop {known_as}` is for all of: {}",
            some_of(&together)
        ));
    }
    let known: BTreeSet<&str> = all.iter().map(|(_, name)| &**name).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let close: Vec<String> = alike(wanted, known.iter().copied())
        .into_iter()
        .map(str::to_owned)
        .collect();
    let known = if known.is_empty() {
        "No program was seen, and there are no access keys".to_owned()
    } else {
        format!("Known are: {}", some_of(&known))
    };
    Err(format!(
        "no program is known as {wanted}. {}{known}",
        did_you_mean(&close)
    ))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use vega_domain::consumer::{AccessPath, ConsumerUse, LocalProgram};
    use vega_domain::ids::{AccessKeyId, ApiName, ConsumerName, Generation};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-23T08:45:00+05:30")
            .unwrap()
            .to_utc()
            + TimeDelta::seconds(seconds)
    }

    fn program(name: &str, own_name: Option<&str>) -> Consumer {
        Consumer {
            identity: ConsumerIdentity::Program(LocalProgram::new(1_000, Some(name), None)),
            identity_name: name.into(),
            own_name: own_name.map(|name| ConsumerName::new(name).unwrap()),
            access_path: AccessPath::Socket,
        }
    }

    fn key(name: &str) -> Consumer {
        Consumer {
            identity: ConsumerIdentity::Key(
                "01935f7a-0000-7000-8000-000000000001"
                    .parse::<AccessKeyId>()
                    .unwrap(),
            ),
            identity_name: name.into(),
            own_name: None,
            access_path: AccessPath::Http,
        }
    }

    fn view(consumer: Consumer, has: Option<u32>, seen: i64) -> ConsumerView {
        let generation = |number| Generation::new(number).unwrap();
        let stop = ConsumerStop {
            identity: consumer.identity.clone(),
            name: consumer.identity_name.clone(),
            since: at(-5),
            reason: "too many orders".into(),
        };
        let is_stopped = consumer.identity_name == "runaway.service";
        let seen = ConsumerUse {
            consumer,
            api: ApiName::new("PRIMARY").unwrap(),
            generation: has.map(generation),
            moved_at: has.map(|_| at(seen - 60)),
            last_seen_at: at(seen),
        };
        ConsumerView::of(
            &seen,
            Some(generation(3)),
            false,
            is_stopped.then_some(&stop),
            at(0),
        )
    }

    fn views() -> Vec<ConsumerView> {
        vec![
            view(key("backtest"), None, -3),
            view(program("python3.11", Some("strategy-a")), Some(3), -1),
            view(program("python3.11", Some("strategy-b")), Some(2), -1),
            view(program("runaway.service", None), Some(3), -30),
            view(program("old.service", None), Some(1), -100_000),
        ]
    }

    #[test]
    fn who_has_not_moved_is_named() {
        insta::assert_snapshot!("consumers", as_table(&views()));
        assert_eq!(
            behind(&views()),
            ["2 of 3 have the newest token of PRIMARY. Not yet: strategy-b"]
        );
        insta::assert_json_snapshot!(
            "consumers_json",
            ConsumersView {
                v: 1,
                consumers: views()
            }
        );
    }

    /// Who opens one program of a user that is stopped as a whole opens all of them; and one that is stopped twice stays so.
    #[test]
    fn whoever_opens_is_told_what_is_open_and_what_is_not() {
        let (bot, user) = (
            LocalProgram::new(1_001, Some("bot"), None),
            LocalProgram::new(1_001, None, None),
        );
        let [bot, user] = [bot, user].map(|program| ConsumerStop {
            name: program.name(),
            identity: ConsumerIdentity::Program(program),
            since: at(0),
            reason: String::new(),
        });
        let told = [
            (Some(&bot), None),
            (Some(&user), None),
            (Some(&bot), Some(&user)),
            (None, None),
        ]
        .map(|(lifted, left)| opened("bot", &bot.identity, lifted, left));
        insta::assert_snapshot!("consumers_opened", told.join("\n"));
    }

    #[test]
    fn a_stop_is_for_what_a_program_cannot_choose() {
        let seen = [
            program("python3.11", Some("strategy-a")),
            program("python3.11", Some("strategy-b")),
            key("trader"),
            program("trader", None),
        ];
        let all: BTreeSet<_> = seen
            .iter()
            .map(|consumer| (consumer.identity.clone(), consumer.identity_name.clone()))
            .collect();
        let told: Vec<String> = [
            "python3.11",
            "user:1000/trader",
            "user:1001",
            "trader",
            "strategy-a",
            "pyton3.11",
        ]
        .into_iter()
        .map(|wanted| match meant(wanted, &all, &seen) {
            Ok((identity, name)) => format!("{wanted}: {name}, {identity}"),
            Err(words) => format!("{wanted}: {words}"),
        })
        .collect();
        insta::assert_snapshot!("consumers_meant", told.join("\n"));
        let nobody = meant("x", &BTreeSet::new(), &[]).unwrap_err();
        assert!(nobody.contains("there are no access keys"), "{nobody}");
    }
}
