//! The process that signs in is held up for longer than others wait, at any moment; the other machine signs in meanwhile. When the first one
//! goes on it writes nothing more, and ends as taken over.

use anyhow::Result;
use tokio::time::{Instant, timeout};
use vega_tests::{Ran, let_go_on, until};

use crate::moment::Moment;
use crate::pair::{PATIENCE, Pair, ended};

/// What `vega` ends with when another one took over.
const TAKEN_OVER: i32 = 11;
/// What it says when there is nothing to sign in for.
const ALL_VALID: &str = "no sign-in is needed";

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let moment = Moment::of_a_hold_up(&mut pair.random, pair.life);
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (vega, is_held) = moment.hold(&pair.machines[roles.one], &arguments).await?;
    let had_the_lease = is_held && pair.database.holder() == vega.id();
    pair.promises.held_windows = u64::from(is_held);
    pair.promises.has_received = had_the_lease && moment.is_with_an_answer();

    let began = Instant::now();
    let other = pair.sign_in(roles.other).await?;
    pair.promises.figures.took("taken over", began.elapsed());
    pair.promises.expect(other.code == Some(0), || {
        format!("the other machine did not go on: {other:?}")
    });

    // From one that has signed in for all of them, and is about to give its lease back, nobody takes it.
    let was_taken_over = had_the_lease && pair.database.holder() != vega.id();
    let needs_nothing = other.stderr.contains(ALL_VALID);
    pair.promises
        .expect(was_taken_over || needs_nothing || !had_the_lease, || {
            format!("nobody took the lease over, held at {moment:?}: {other:?}")
        });

    pair.promises.wakes(&pair.upstox).await?;
    let before = pair.database.rows();
    let trail = pair.database.newest_entries();
    if is_held {
        let_go_on(&vega)?;
    }
    pair.machines[roles.one].link.let_go();
    let began = Instant::now();
    let first = timeout(PATIENCE, Ran::to_its_end(vega)).await??;
    if was_taken_over {
        pair.promises.figures.took("held up and woken", began.elapsed());
        let was_before_the_call = moment.is_before_the_call();
        pair.promises.has_woken(&pair.upstox, was_before_the_call).await?;
        let differ = before.differ(&pair.database.rows());
        pair.promises
            .figures
            .counted("late writes", u32::from(!differ.is_empty()));
        let entries = (trail, pair.database.newest_entries());
        pair.promises.expect(differ.is_empty(), || {
            format!(
                "late writes: {differ:?} changed when it went on; before:\n{}\nafter:\n{}",
                entries.0, entries.1
            )
        });
        pair.promises.expect(first.code == Some(TAKEN_OVER), || {
            format!("it was taken over and ended with {:?}: {first:?}", first.code)
        });
    }
    let desk = &pair.machines[roles.one].desk;
    let is_dark = until(async || desk.processes().is_empty()).await;
    pair.promises
        .expect(is_dark, || "its browser lives on".to_owned());
    // What lies in its spool comes home with its next start.
    let next = ended(desk.start(&["status"])?).await?;
    Ok(format!(
        "{roles:?}, held at {moment:?} ({had_the_lease}): {other:?}, then the first one {first:?}, and {next:?}"
    ))
}
