//! The machines' clocks are ten minutes apart, and each presses in its turn: together they keep one budget, whose presses are as old on one
//! as on the other.

use anyhow::Result;

use crate::pair::Pair;

/// Used up, as Vega is set by default.
const PRESSES: usize = 4;
/// So that with the clocks ten minutes apart a press would look older than its window.
const BETWEEN: i64 = 2;
const APART: [i64; 2] = [-10, 10];
/// What `vega` ends with when the budget is used up.
const BUDGET_USED_UP: i32 = 4;

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let minutes = APART[pair.random.usize(..2)];
    pair.clocks_are_apart(minutes)?;
    let begins = pair.random.usize(..2);
    let api = pair.apis()[0].clone();
    let arguments = ["--yes", "--no-wait", "--again", &api, &api];
    let mut happened = vec![format!("{minutes} minutes apart, machine {begins} begins")];
    for press in 0..PRESSES {
        if press > 0 {
            pair.minutes_pass(BETWEEN).await?;
            pair.upstox.revoke_tokens().await?;
        }
        let ran = pair.vega((begins + press) % 2, &arguments).await?;
        pair.promises
            .expect(ran.code == Some(0), || format!("press {press}: {ran:?}"));
        happened.push(format!("{:?}", ran.code));
    }
    pair.minutes_pass(BETWEEN).await?;
    pair.upstox.revoke_tokens().await?;
    for machine in [begins, 1 - begins] {
        let refused = pair.vega(machine, &arguments).await?;
        pair.promises.expect(refused.code == Some(BUDGET_USED_UP), || {
            format!("the budget is used up, and machine {machine} does not say so: {refused:?}")
        });
        happened.push(format!("{refused:?}"));
    }
    // Of the API that nobody signed in for, Vega does not know yet that its token is dead.
    let verified = pair.vega(begins, &["verify"]).await?;
    happened.push(format!("{verified:?}"));
    Ok(happened.join("; "))
}
