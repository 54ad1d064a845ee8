//! The process that signs in dies while a server runs on the other machine: the server clears up by itself, and asks nobody.

use std::time::Duration;

use anyhow::Result;
use vega_tests::{Ran, until};

use crate::moment::Moment;
use crate::pair::{Pair, time_until};

/// 15 s of silence and 10 s until the next look, and room for a busy computer.
const AT_MOST: Duration = Duration::from_secs(35);

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let (server, _) = pair.server(roles.other).await?;
    let moment = Moment::of(&mut pair.random, pair.life);
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let one = &pair.machines[roles.one];
    let (vega, _) = moment.kill(one, &arguments).await?;
    let first = Ran::to_its_end(vega).await?;
    let is_dark = until(async || one.desk.processes().is_empty()).await;
    pair.promises
        .expect(is_dark, || "its browser lives on".to_owned());
    pair.promises.tally.take_in(&pair.upstox).await?;

    let presses = pair.promises.tally.presses;
    let database = &pair.database;
    let cleared = time_until(AT_MOST, async || {
        database.found().is_ok_and(|found| found["left_open"] == 0)
    });
    let cleared = cleared.await;
    pair.promises
        .figures
        .took("cleared up by a server", cleared.unwrap_or(AT_MOST));
    pair.promises.expect(cleared.is_some(), || {
        format!("the server did not clear up within {AT_MOST:?}: {}", server.log())
    });
    pair.promises.tally.take_in(&pair.upstox).await?;
    let new = pair.promises.tally.presses - presses;
    pair.promises
        .expect(new == 0, || format!("P3: {new} presses that nobody asked for"));
    server.stop().await?;
    let other = pair.sign_in(roles.other).await?;
    pair.promises.expect(other.code == Some(0), || {
        format!("the other machine did not go on: {other:?}")
    });
    Ok(format!(
        "{roles:?}, killed at {moment:?}: {first:?}, then {other:?}"
    ))
}
