//! The database server dies at any moment of a sign-in, and a standby that has everything takes its place under the same name: nothing that
//! was acknowledged is lost, hot tokens go on, and soon everything is written there.

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
    let standby = tokio::task::block_in_place(|| pair.database.standby());
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
        tokio::task::block_in_place(|| pair.database.fails_over_to(standby));
        for machine in &pair.machines {
            machine.link.leads_to(pair.database.server().socket());
        }
        let began = Instant::now();
        if is_held {
            let_go_on(&vega)?;
        }
        let desk = &pair.machines[roles.other].desk;
        let name = format!("writer{}", fastrand::u32(..));
        while began.elapsed() < BACK {
            let made = ended(desk.start(&["key", "add", &name, "--scope", "status"])?).await?;
            if made.code == Some(0) {
                break;
            }
        }
        let took = began.elapsed();
        anyhow::Ok((took, ended(vega).await?))
    };
    let (took, signed_in) = tokio::select! {
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
    let other = pair.sign_in(roles.other).await?;
    pair.promises
        .expect(other.code == Some(0), || format!("nobody goes on: {other:?}"));
    let lost = pair.database.count("commits_lost");
    pair.promises.expect(lost == 0, || {
        format!("{lost} losses are on record, and the standby had everything")
    });
    Ok(format!(
        "{roles:?}, held at {moment:?} ({is_held}): {signed_in:?}, then {next:?} and {other:?}"
    ))
}
