//! The database crashes again and again while both machines write: each write that was acknowledged is there in the end. Nobody signs in,
//! so that many crashes take little time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::sleep;

use crate::pair::Pair;

const CRASHES: u32 = 25;
/// At most so many milliseconds between two crashes, in which some writes begin and end, and so many without the server.
const BEFORE_AND_AWAY: [u64; 2] = [2_500, 200];

pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let pauses: Vec<[Duration; 2]> = (0..CRASHES)
        .map(|_| BEFORE_AND_AWAY.map(|most| Duration::from_millis(pair.random.u64(..most))))
        .collect();
    let (acknowledged, is_over) = (RefCell::new(Vec::new()), Cell::new(false));
    let write = |machine| write_on(pair, machine, &acknowledged, &is_over);
    let crashes = async {
        for [before, away] in &pauses {
            sleep(*before).await;
            let database = pair.database.server();
            tokio::task::block_in_place(|| database.crash());
            sleep(*away).await;
            tokio::task::block_in_place(|| database.start_again());
        }
        is_over.set(true);
    };
    // Two on each machine: a write is on its way at any moment.
    let ((), one, other, third, fourth) = tokio::join!(crashes, write(0), write(1), write(0), write(1));
    let refused: u32 = [one?, other?, third?, fourth?].iter().sum();
    let acknowledged = acknowledged.into_inner();
    let kept = names(pair).await?;
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !kept.contains(name)).collect();
    let (count, of) = (lost.len(), acknowledged.len());
    pair.promises.expect(of > 0, || {
        "no write was acknowledged, so nothing was seen".to_owned()
    });
    pair.promises.expect(lost.is_empty(), || {
        format!("P1: {count} of {of} acknowledged writes are gone after {CRASHES} crashes: {lost:?}")
    });
    let figures = &mut pair.promises.figures;
    figures.counted("crashes between writes", CRASHES);
    figures.counted("writes acknowledged between crashes", u32::try_from(of)?);
    figures.counted("writes refused or in doubt between crashes", refused);
    let signed_in = pair.sign_in(0).await?;
    pair.promises.expect(signed_in.code == Some(0), || {
        format!("nobody goes on: {signed_in:?}")
    });
    Ok(format!("{of} acknowledged, {refused} not, {pauses:?}"))
}

/// Makes one key after the other, and notes the names of those that were acknowledged. Returns how many were not.
async fn write_on(
    pair: &Pair,
    machine: usize,
    acknowledged: &RefCell<Vec<String>>,
    is_over: &Cell<bool>,
) -> Result<u32> {
    let mut refused = 0;
    while !is_over.get() {
        let name = format!("writer{machine}-{}", fastrand::u64(..));
        let made = pair
            .vega(machine, &["key", "add", &name, "--scope", "status"])
            .await?;
        if made.code == Some(0) {
            acknowledged.borrow_mut().push(name);
        } else {
            refused += 1;
        }
    }
    Ok(refused)
}

/// Of all keys.
async fn names(pair: &Pair) -> Result<Vec<String>> {
    let list = pair.vega(0, &["key", "list", "--json"]).await?;
    let list: Value = serde_json::from_str(&list.stdout).with_context(|| format!("{list:?}"))?;
    let keys = list["keys"].as_array().context("no keys in the list")?;
    let names = keys.iter().filter_map(|key| key["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}
