//! The process that signs in is held up for longer than others wait, and goes on at the moment when another machine takes over: its write
//! waits behind the take-over for the lock, and finds that it is another one's turn.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use vega_tests::{Ran, let_go_on};

use crate::moment::Moment;
use crate::pair::{PATIENCE, Pair, ended, time_until};

/// What `vega` ends with when another one took over.
const TAKEN_OVER: i32 = 11;
/// Each of these is in front of a write whose entry is nobody's first one.
const POINTS: [&str; 2] = ["before_attempt_opened", "before_otp_recorded"];
/// Those entries.
const LATE: [&str; 2] = ["attempt_opened", "otp_requested"];
/// Until whatever waited is written.
const WRITTEN: Duration = Duration::from_secs(1);
/// Until its write waits for the lock. A session that does nothing within a write ends after 3 s.
const COMES_TO_THE_LOCK: Duration = Duration::from_millis(1_200);

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let moment = Moment::Point(POINTS[pair.random.usize(..POINTS.len())], 1);
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (vega, is_held) = moment.hold(&pair.machines[roles.one], &arguments).await?;
    pair.promises.expect(is_held, || {
        format!("nobody was held up at {moment:?}, so this round proves nothing")
    });
    pair.promises.held_windows = 1;

    // The first thing that it writes is that it has the lease.
    let link = &pair.machines[roles.other].link;
    link.hold_before_a_commit(0);
    let other = pair.machines[roles.other].desk.start(&arguments)?;
    let takes_over = time_until(PATIENCE, async || link.is_held()).await;
    pair.promises.expect(takes_over.is_some(), || {
        "the other machine never took over".to_owned()
    });
    // Else what it hears of its lease ends the write that waits.
    pair.machines[roles.one].link.hold_heartbeats();
    let_go_on(&vega)?;
    sleep(COMES_TO_THE_LOCK).await;
    let waits = pair.database.writes_that_wait();
    link.let_go();
    sleep(WRITTEN).await;
    pair.machines[roles.one].link.let_go();
    pair.promises
        .figures
        .counted("writes that waited behind a take-over", waits);

    pair.promises.expect(waits > 0, || {
        "no write waited behind the take-over, so this round proves nothing".to_owned()
    });
    let (first, other) = tokio::join!(ended(vega), ended(other));
    let (first, other): (Ran, Ran) = (first?, other?);
    pair.promises.expect(first.code == Some(TAKEN_OVER), || {
        format!("it was taken over and ended with {:?}: {first:?}", first.code)
    });
    // It was next at the lock.
    let next = pair.database.written_behind_the_take_over();
    let is_late = LATE.contains(&&*next);
    pair.promises.figures.counted("late writes", u32::from(is_late));
    pair.promises.expect(!is_late, || {
        format!("P4: it waited behind the take-over, and then wrote {next}")
    });
    pair.promises.tally.take_in(&pair.upstox).await?;
    // The other one may have been refused while the first one had the row.
    let then = pair.sign_in(roles.other).await?;
    pair.promises
        .expect(then.code == Some(0), || format!("nobody goes on: {then:?}"));
    Ok(format!(
        "{roles:?}, held at {moment:?}, {waits} waited: {first:?}, {other:?}, then {then:?}"
    ))
}
