//! Both machines begin to sign in at once: one of them does it, and the other one is refused or finds that everything is done.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::pair::Pair;

/// What `vega` ends with when another one signs in.
const HELD_ELSEWHERE: i32 = 11;

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let later = Duration::from_millis(pair.random.u64(..500));
    let (one, other) = tokio::join!(pair.sign_in(roles.one), async {
        sleep(later).await;
        pair.sign_in(roles.other).await
    });
    let (one, other) = (one?, other?);
    let codes = (one.code, other.code);
    let is_so = matches!(
        codes,
        (Some(0), Some(0 | HELD_ELSEWHERE)) | (Some(HELD_ELSEWHERE), Some(0))
    );
    pair.promises
        .expect(is_so, || format!("two at once ended with {codes:?}"));
    let presses = pair.upstox.count("otp_presses").await?;
    pair.promises.expect(presses == 1, || {
        format!("P3: two at once pressed {presses} times")
    });
    Ok(format!(
        "{roles:?}, the other one {later:?} later: {one:?}, {other:?}"
    ))
}
