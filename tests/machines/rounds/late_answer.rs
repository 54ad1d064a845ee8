//! The machine that signs in is cut off from the database with an answer of Upstox's in its hands. The answer waits in its spool while the
//! other machine clears up, and comes home with the first one: it is stored, or on record as late where somebody signed in again.

use anyhow::Result;
use vega_tests::{let_go_on, until};

use crate::moment::Moment;
use crate::pair::{Pair, ended};

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let is_signed_in_again = pair.random.bool();
    let arguments = pair.yes_to_all();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let moment = Moment::Point("before_answer_sealed", pair.random.u32(1..=2));
    let one = &pair.machines[roles.one];
    let (vega, is_held) = moment.hold(one, &arguments).await?;
    if is_held {
        one.link.cut();
        let_go_on(&vega)?;
    }
    let first = ended(vega).await?;
    let is_dark = until(async || one.desk.processes().is_empty()).await;
    pair.promises
        .expect(is_dark, || "its browser lives on".to_owned());
    pair.promises.tally.take_in(&pair.upstox).await?;
    pair.promises.has_received = is_held;

    let other = if is_signed_in_again {
        pair.sign_in(roles.other).await?
    } else {
        pair.vega(roles.other, &["verify"]).await?
    };
    let expected = if is_signed_in_again { Some(0) } else { Some(3) };
    let is_so = other.code == expected || (!is_signed_in_again && other.code == Some(5));
    pair.promises
        .expect(is_so, || format!("the other machine did not clear up: {other:?}"));
    pair.machines[roles.one].link.let_go();
    let home = pair.vega(roles.one, &["verify"]).await?;
    Ok(format!(
        "{roles:?}, cut off at {moment:?}, {is_signed_in_again}: {first:?}, then {other:?}, and home: {home:?}"
    ))
}
