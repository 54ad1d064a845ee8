//! The connection of a commit of the machine that signs in ends: after the server did it, or before it heard of it. What was done counts as
//! done, and what was not done has no effect.

use anyhow::Result;
use vega_testing::Around;

use crate::pair::Pair;

/// Commits that every sign-in makes.
const COMMITS: u32 = 18;

/// What Vega says where the database is not what it left.
const MISTRUST: &str = "`vega audit --verify`";

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let after = pair.random.u32(..COMMITS);
    let around = if pair.random.bool() {
        Around::After
    } else {
        Around::Before
    };
    pair.machines[roles.one].link.lose_a_commit(after, around);
    let first = pair.sign_in(roles.one).await?;
    let was_lost = pair.machines[roles.one].link.has_lost_it();
    pair.machines[roles.one].link.let_go();
    pair.promises.expect(was_lost, || {
        format!("no commit was lost, so this round proves nothing: {first:?}")
    });
    if around == Around::After {
        pair.promises.expect(first.code == Some(0), || {
            format!(
                "commit {after} was done, and its answer lost, and that was taken for a failure: {first:?}"
            )
        });
    }
    pair.promises.expect(!first.stderr.contains(MISTRUST), || {
        format!("commit {after} was lost, and that was taken for a change from outside: {first:?}")
    });
    pair.promises.tally.take_in(&pair.upstox).await?;
    let other = pair.sign_in(roles.other).await?;
    pair.promises.expect(other.code == Some(0), || {
        format!("the other machine did not go on: {other:?}")
    });
    Ok(format!(
        "{roles:?}, the connection of commit {after} ended {around:?} it: {first:?}, then {other:?}"
    ))
}
