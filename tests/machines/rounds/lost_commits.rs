//! The database server dies at any moment of a sign-in, and a standby takes its place that has not got the last commits: the loss is noticed
//! and told, what was served goes on and is put back, nothing that was open is resumed, and nobody is asked for an OTP before a window has
//! passed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::process::Child;
use tokio::time::{Instant, sleep};
use vega_tests::{Ran, Server, let_go_on};

use crate::lost::Lost;
use crate::moment::Moment;
use crate::pair::{Pair, Roles, ended, time_until};
use crate::rounds::failed_over::until_written;
use crate::rounds::out_of_reach::{BACK, Reads, read_on};

/// An OTP window, and more.
const WINDOW_MINUTES: i64 = 12;
/// What `vega` ends with when the budget is used up.
const BUDGET_USED_UP: i32 = 4;
/// What it ends with when the database gives no connection.
const DATABASE_AWAY: i32 = 9;
/// What it says when there is nothing to sign in for.
const ALL_VALID: &str = "no sign-in is needed";
/// 10 s until a server looks for what was left open, and room for a busy computer.
const CLEARED_UP: Duration = Duration::from_secs(35);

/// A server asks each second what it has not heard.
const HEARD: Duration = Duration::from_secs(2);

/// What is drawn for a round.
#[derive(Debug)]
struct Drawn {
    /// The token that is served is among what is lost.
    is_hot_lost: bool,
    /// The machine that signs in is held up until others have seen to everything.
    is_late: bool,
    /// The standby stops following at one, and the server dies at the other.
    moments: (Moment, Moment),
}

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let roles = pair.roles();
    let apis = pair.apis();
    let (hot, new) = (apis[0].as_str(), apis[1].as_str());
    let drawn = Drawn {
        is_hot_lost: pair.random.bool(),
        is_late: pair.random.bool(),
        moments: Moment::one_after_the_other(&mut pair.random),
    };
    let standby = tokio::task::block_in_place(|| pair.standby(false));
    let stops_following = || tokio::task::block_in_place(|| standby.stops_following());
    let (server, key) = pair.server(roles.other).await?;
    if drawn.is_hot_lost {
        tokio::task::block_in_place(|| standby.catches_up_with(pair.database.server()));
        stops_following();
    }
    let first = pair
        .vega(roles.other, &["--yes", "--no-wait", "--again", hot, hot])
        .await?;
    ensure!(first.code == Some(0), "no token to serve: {first:?}");
    let token = pair.promises.newest(&pair.upstox, hot).await?;
    let mut reads = Reads::of(token.clone());
    let path = |api: &str| format!("/api/v1/apis/{api}/token");
    let brings = async |api: &str, token: &Option<String>| {
        let answer = server.get(&path(api), &key).await;
        let token = token.as_deref();
        answer.is_ok_and(|answer| token.is_some_and(|token| answer.text.contains(token)))
    };
    let arrived = time_until(BACK, async || brings(hot, &token).await).await;
    ensure!(arrived.is_some(), "{hot} is not served: {}", server.log());

    let arguments = ["--yes", "--no-wait", "--again", new, new];
    let one = &pair.machines[roles.one];
    let (mut vega, mut is_held) = drawn.moments.0.hold(one, &arguments).await?;
    if !drawn.is_hot_lost {
        stops_following();
    }
    if is_held {
        is_held = drawn.moments.1.hold_next(one, &mut vega).await?;
    }
    if pair.database.has_all_of_it(&standby) {
        // Between some moments nothing is written; the server hears of this one.
        let name = format!("lost{}", fastrand::u32(..));
        let made = pair
            .vega(roles.other, &["key", "add", &name, "--scope", "status"])
            .await?;
        ensure!(made.code == Some(0), "no key: {made:?}");
        sleep(HEARD).await;
    }
    let newest = pair.promises.newest(&pair.upstox, new).await?;
    let is_new_served = brings(new, &newest).await;

    let happens = async {
        let lost = Lost::of(&pair.database, &standby, &mut pair.promises)?;
        let replaced = tokio::task::block_in_place(|| pair.fails_over_to(standby));
        let (signed_in, took) = goes_on(pair, roles, &drawn, &lost, vega, is_held).await?;
        anyhow::Ok((replaced, lost, signed_in, took))
    };
    let hot_path = path(hot);
    let (_replaced, lost, signed_in, took) = tokio::select! {
        ended = happens => ended?,
        () = read_on(&server, &hot_path, &key, &mut reads) => unreachable!("it reads on and on"),
    };
    pair.promises.figures.took("written after a loss", took);
    pair.promises.expect(took < BACK, || {
        format!("nothing is written {took:?} after another server took the place")
    });
    lost.look(&pair.database, &mut pair.promises)?;
    reads.tell(&mut pair.promises, &server);
    pair.promises
        .expect(!is_new_served || brings(new, &newest).await, || {
            format!(
                "{new} was served before the loss, and is not after it: {}",
                server.log()
            )
        });
    is_put_back(pair, roles, hot, token.as_deref(), &drawn, &server).await;
    server.stop().await?;
    let verified = verdict(pair, roles.other).await?;
    pair.promises
        .expect(verified.stderr.contains("had not got the last commits"), || {
            format!("the verdict on the trail does not tell the loss: {verified:?}")
        });
    let told = waits_for_the_window(pair, roles).await?;
    lost.ends(&pair.database, &mut pair.promises)?;
    Ok(format!(
        "{roles:?}, {:?}, {drawn:?}, {is_held}, {lost:?}: {signed_in:?}, then {told}",
        pair.hosts
    ))
}

/// A process that served nothing finds the token: it is in the database again.
/// What Vega says about the trail. Vega gives the database three seconds, and a busy computer may take longer.
async fn verdict(pair: &Pair, machine: usize) -> Result<Ran> {
    let until = Instant::now() + BACK;
    loop {
        let verified = pair.vega(machine, &["audit", "--verify"]).await?;
        if verified.code != Some(DATABASE_AWAY) || Instant::now() > until {
            return Ok(verified);
        }
    }
}

async fn is_put_back(
    pair: &mut Pair,
    roles: Roles,
    hot: &str,
    token: Option<&str>,
    drawn: &Drawn,
    server: &Server,
) {
    let is_given = async || {
        let given = pair.vega(roles.one, &["token", hot]).await;
        given.is_ok_and(|given| Some(given.stdout.trim()) == token)
    };
    let back = time_until(BACK, is_given).await;
    if drawn.is_hot_lost {
        let figures = &mut pair.promises.figures;
        figures.took("put back after a loss", back.unwrap_or(BACK));
    }
    pair.promises.expect(back.is_some(), || {
        format!(
            "the token of {hot} was served, and is not in the database {BACK:?} after the loss: {}",
            server.log()
        )
    });
}

/// Until somebody can write, and the loss is noticed. Returns what became of the sign-in that was held up.
async fn goes_on(
    pair: &mut Pair,
    roles: Roles,
    drawn: &Drawn,
    lost: &Lost,
    vega: Child,
    is_held: bool,
) -> Result<(Ran, Duration)> {
    let began = Instant::now();
    let is_late = drawn.is_late && is_held;
    if is_held && !is_late {
        let_go_on(&vega)?;
    }
    let took = until_written(pair, roles.other).await?;
    let database = &pair.database;
    let noticed = time_until(BACK, async || lost.is_noticed(database)).await;
    if noticed.is_some() {
        pair.promises
            .figures
            .took("noticed after a failover", began.elapsed());
    }
    if is_late {
        let cleared = time_until(CLEARED_UP, async || {
            database.found().is_ok_and(|found| found["left_open"] == 0)
        });
        let cleared = cleared.await;
        pair.promises.expect(cleared.is_some(), || {
            format!("what was open is not cleared up {CLEARED_UP:?} after the loss")
        });
        pair.promises.wakes(&pair.upstox).await?;
        let_go_on(&vega)?;
    }
    let signed_in = ended(vega).await?;
    if is_late {
        let was_before_the_call = drawn.moments.1.is_before_the_call();
        pair.promises.has_woken(&pair.upstox, was_before_the_call).await?;
        pair.promises.goes_on();
    }
    // To Upstox the window of a sign-in that came to no end is open.
    pair.promises.held_windows = u64::from(signed_in.code != Some(0));
    Ok((signed_in, took))
}

/// Nobody presses before a window has passed, and then everything goes on.
async fn waits_for_the_window(pair: &mut Pair, roles: Roles) -> Result<String> {
    // What its spool took comes home with its next start.
    let next = pair.vega(roles.one, &["status"]).await?;
    pair.promises.tally.take_in(&pair.upstox).await?;
    let presses = pair.promises.tally.presses;
    let at_once = pair.sign_in(roles.other).await?;
    pair.promises.tally.take_in(&pair.upstox).await?;
    let more = pair.promises.tally.presses - presses;
    pair.promises.expect(more == 0, || {
        format!("P3: {more} presses before a window has passed after the loss: {at_once:?}")
    });
    let needs_nothing = at_once.code == Some(0) && at_once.stderr.contains(ALL_VALID);
    let waits = at_once.code == Some(BUDGET_USED_UP);
    pair.promises.expect(needs_nothing || waits, || {
        format!("a sign-in right after the loss ended otherwise: {at_once:?}")
    });
    pair.minutes_pass(WINDOW_MINUTES).await?;
    let later = pair.sign_in(roles.other).await?;
    pair.promises
        .expect(later.code == Some(0), || format!("nobody goes on: {later:?}"));
    Ok(format!("{next:?}, {at_once:?} and {later:?}"))
}
