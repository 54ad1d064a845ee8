//! The process that signs in dies at any moment; the other machine takes over, clears up, and signs in for what is left.

use anyhow::Result;
use tokio::time::Instant;
use vega_tests::{Ran, until};

use crate::moment::Moment;
use crate::pair::Pair;

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let moment = Moment::of(&mut pair.random, pair.life);
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let one = &pair.machines[roles.one];
    let (vega, is_killed) = moment.kill(one, &arguments).await?;
    let first = Ran::to_its_end(vega).await?;
    let is_dark = until(async || one.desk.processes().is_empty()).await;
    pair.promises.expect(is_dark, || {
        format!(
            "its browser lives on: {:?}",
            pair.machines[roles.one].desk.processes()
        )
    });
    // What the dead one had open is open no more.
    pair.promises.tally.take_in(&pair.upstox).await?;
    if is_killed {
        pair.promises.figures.counted("killed", 1);
    }

    let began = Instant::now();
    let taken_over = pair.sign_in(roles.other).await?;
    pair.promises.figures.took("taken over", began.elapsed());
    pair.promises.expect(taken_over.code == Some(0), || {
        format!("the other machine did not go on: {taken_over:?}")
    });
    Ok(format!(
        "{roles:?}, killed at {moment:?}: {first:?}, then {taken_over:?}"
    ))
}
