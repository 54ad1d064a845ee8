//! The other machine's server hears no notification. It serves a token that is stored elsewhere all the same, and stops serving one that is
//! revoked elsewhere: it asks each second.

use std::time::Duration;

use anyhow::Result;

use crate::pair::{Pair, time_until};

/// It asks each second; the rest is room for a busy computer.
const SOON: Duration = Duration::from_secs(4);

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let api = pair.apis()[0].clone();
    // Vega asks itself at its start whether notifications come through.
    let (server, key) = pair.server(roles.other).await?;
    pair.machines[roles.other].link.lose_news();
    let path = format!("/api/v1/apis/{api}/token");
    let is_so = async |status: u16| {
        let answer = server.get(&path, &key).await;
        answer.is_ok_and(|answer| answer.status == status)
    };

    let signed_in = pair.sign_in(roles.one).await?;
    pair.promises.expect(signed_in.code == Some(0), || {
        format!("nobody signed in: {signed_in:?}")
    });
    let newest = pair.promises.newest(&pair.upstox, &api).await?;
    let arrived = time_until(SOON, async || {
        let answer = server.get(&path, &key).await;
        answer.is_ok_and(|answer| newest.as_ref().is_some_and(|token| answer.text.contains(token)))
    });
    let arrived = arrived.await;
    pair.promises
        .figures
        .took("served without news", arrived.unwrap_or(SOON));
    pair.promises.expect(arrived.is_some(), || {
        format!(
            "without news the new token is not served after {SOON:?}: {}",
            server.log()
        )
    });
    let revoked = pair.vega(roles.one, &["revoke", &api, "--yes"]).await?;
    pair.promises
        .expect(revoked.code == Some(0), || format!("not revoked: {revoked:?}"));
    let refused = time_until(SOON, async || is_so(409).await).await;
    pair.promises
        .figures
        .took("refused without news", refused.unwrap_or(SOON));
    pair.promises.expect(refused.is_some(), || {
        format!(
            "without news a revoked token is served after {SOON:?}: {}",
            server.log()
        )
    });
    server.stop().await?;
    pair.machines[roles.other].link.let_go();
    Ok(format!("{roles:?}: {signed_in:?}, then {revoked:?}"))
}
