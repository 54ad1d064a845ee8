//! The database crashes right after it acknowledged a token, while a server of the other machine serves another one: what was acknowledged is
//! there when it is back, and no read fails meanwhile.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use vega_tests::let_go_on;

use crate::moment::Moment;
use crate::pair::{Pair, ended, time_until};
use crate::rounds::out_of_reach::{BACK, Reads, read_on};

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let apis = pair.apis();
    let (hot, new) = (apis[0].as_str(), apis[1].as_str());
    let first = pair
        .vega(roles.other, &["--yes", "--no-wait", "--again", hot, hot])
        .await?;
    pair.promises
        .expect(first.code == Some(0), || format!("no token to serve: {first:?}"));
    let (server, key) = pair.server(roles.other).await?;
    let hot_path = format!("/api/v1/apis/{hot}/token");
    let new_path = format!("/api/v1/apis/{new}/token");

    let moment = Moment::Point("after_token_stored", 1);
    let arguments = ["--yes", "--no-wait", "--again", new, new];
    let (vega, is_held) = moment.hold(&pair.machines[roles.one], &arguments).await?;
    let away = Duration::from_millis(pair.random.u64(500..3_000));
    let crash = async {
        let database = pair.database.server();
        tokio::task::block_in_place(|| database.crash());
        if is_held {
            let_go_on(&vega)?;
        }
        sleep(away).await;
        tokio::task::block_in_place(|| database.start_again());
        ended(vega).await
    };
    let mut reads = Reads::default();
    let signed_in = tokio::select! {
        signed_in = crash => signed_in?,
        () = read_on(&server, &hot_path, &key, &mut reads) => unreachable!("it reads on and on"),
    };
    let newest = pair.promises.newest(&pair.upstox, new).await?;
    let given = pair.vega(roles.other, &["token", new]).await?;
    pair.promises.expect(!is_held || Some(given.stdout.trim()) == newest.as_deref(), || {
        format!("P1: the token of {new} was acknowledged before the crash, and is not given after it: {given:?}")
    });
    let back = time_until(BACK, async || {
        let answer = server.get(&new_path, &key).await;
        answer.is_ok_and(|answer| answer.status == 200)
    });
    let back = back.await;
    pair.promises.expect(back.is_some() || !is_held, || {
        format!(
            "the new token is not served {BACK:?} after the database is back: {}",
            server.log()
        )
    });
    pair.promises
        .figures
        .took("served after a crash", back.unwrap_or(BACK));
    reads.tell(&mut pair.promises, &server);
    server.stop().await?;
    // Whatever the first one left open.
    let other = pair.sign_in(roles.other).await?;
    pair.promises
        .expect(other.code == Some(0), || format!("nobody goes on: {other:?}"));
    Ok(format!(
        "{roles:?}, crashed for {away:?}: {signed_in:?}, then {other:?}"
    ))
}
