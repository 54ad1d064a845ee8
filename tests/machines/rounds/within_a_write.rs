//! The machine that signs in is cut off within a write, without a word. Its lock is gone after 3 s, and the others wait no longer.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::moment::Moment;
use crate::pair::{Pair, ended};

/// 3 s until the server ends the session, and room for a busy computer. A write waits 8 s for the lock.
const AT_MOST: Duration = Duration::from_secs(7);
/// Writes that every sign-in makes.
const WRITES: u32 = 6;

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let moment = Moment::WithinAWrite(pair.random.u32(..WRITES));
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (vega, is_held) = moment.hold(&pair.machines[roles.one], &arguments).await?;
    let began = Instant::now();
    let name = format!("writer{}", fastrand::u32(..));
    let made = pair
        .vega(roles.other, &["key", "add", &name, "--scope", "status"])
        .await?;
    let took = began.elapsed();
    if is_held {
        pair.promises
            .figures
            .took("writes behind one that was cut off", took);
        pair.promises.expect(made.code == Some(0) && took < AT_MOST, || {
            format!("a write waited {took:?} for one that was cut off at {moment:?}: {made:?}")
        });
        vega_tests::end_at_once(&vega)?;
    }
    pair.machines[roles.one].link.let_go();
    let first = ended(vega).await?;
    pair.promises.tally.take_in(&pair.upstox).await?;
    let other = pair.sign_in(roles.other).await?;
    pair.promises.expect(other.code == Some(0), || {
        format!("the other machine did not go on: {other:?}")
    });
    Ok(format!(
        "{roles:?}, cut off at {moment:?}: {first:?}, then {other:?}"
    ))
}
