//! The database server dies at any moment of a sign-in, and a standby that has everything takes its place, under the same name or as
//! another host: nothing that was acknowledged is lost, hot tokens go on, and soon everything is written there. The server that was replaced
//! may come back, and is never used again.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use vega_tests::let_go_on;

use crate::moment::Moment;
use crate::pair::{Pair, ended};
use crate::rounds::out_of_reach::{Reads, read_on};

/// Promised are 5 s; the rest is for a busy computer, and for what is asked in between.
const BACK: Duration = Duration::from_secs(20);

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let apis = pair.apis();
    let (hot, new) = (apis[0].as_str(), apis[1].as_str());
    let losses = pair.database.losses().len();
    let standby = tokio::task::block_in_place(|| pair.standby(true));
    let first = pair
        .vega(roles.other, &["--yes", "--no-wait", "--again", hot, hot])
        .await?;
    pair.promises
        .expect(first.code == Some(0), || format!("no token to serve: {first:?}"));
    let (server, key) = pair.server(roles.other).await?;
    let hot_path = format!("/api/v1/apis/{hot}/token");

    let moment = Moment::of(&mut pair.random, pair.life);
    let arguments = ["--yes", "--no-wait", "--again", new, new];
    let (vega, is_held) = moment.hold(&pair.machines[roles.one], &arguments).await?;
    let mut reads = Reads::default();
    let fails_over = async {
        let replaced = tokio::task::block_in_place(|| pair.fails_over_to(standby));
        if is_held {
            let_go_on(&vega)?;
        }
        let took = until_written(pair, roles.other).await?;
        anyhow::Ok((replaced, took, ended(vega).await?))
    };
    let (replaced, took, signed_in) = tokio::select! {
        ended = fails_over => ended?,
        () = read_on(&server, &hot_path, &key, &mut reads) => unreachable!("it reads on and on"),
    };
    // To Upstox the window of a sign-in that came to no end is open.
    pair.promises.held_windows = u64::from(signed_in.code != Some(0));
    pair.promises.figures.took("written after a failover", took);
    pair.promises.expect(took < BACK, || {
        format!("nothing is written {took:?} after another server took the place")
    });
    reads.tell(&mut pair.promises, &server);
    server.stop().await?;
    // What its spool took comes home with its next start.
    let next = pair.vega(roles.one, &["status"]).await?;
    let comes_back = pair.random.bool();
    let had = comes_back.then(|| {
        tokio::task::block_in_place(|| replaced.start_again());
        pair.database.last_entry_of(&replaced)
    });
    let other = pair.sign_in(roles.other).await?;
    pair.promises
        .expect(other.code == Some(0), || format!("nobody goes on: {other:?}"));
    if let Some(had) = had {
        let has = pair.database.last_entry_of(&replaced);
        pair.promises.expect(had == has, || {
            format!("the server that was replaced had {had} entries when it came back, and then {has}")
        });
    }
    let lost = pair.database.losses().len() - losses;
    pair.promises.expect(lost == 0, || {
        format!("{lost} losses are on record, and the standby had everything")
    });
    Ok(format!(
        "{roles:?}, {:?}, held at {moment:?} ({is_held}): {signed_in:?}, then {next:?} and {other:?}",
        pair.hosts
    ))
}

/// How long a machine cannot write after another server took the place.
pub(crate) async fn until_written(pair: &Pair, machine: usize) -> Result<Duration> {
    let began = Instant::now();
    let name = format!("writer{}", fastrand::u32(..));
    while began.elapsed() < BACK {
        let made = pair
            .vega(machine, &["key", "add", &name, "--scope", "status"])
            .await?;
        if made.code == Some(0) {
            break;
        }
    }
    Ok(began.elapsed())
}
