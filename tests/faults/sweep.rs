//! All cases: every write that a sign-in without a fault makes, with every error, alone and from then on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::Instant;
use vega_tests::say;

use crate::Options;
use crate::case::{Outcome, Stand};
use crate::fault::{self, ERRORS, Fault, Reach};

/// How cases ended.
#[derive(Debug, Default)]
struct Tally {
    outcomes: BTreeMap<Outcome, u32>,
    broken: Vec<String>,
}

/// Whether promises were broken.
pub(crate) async fn run(options: &Options) -> Result<bool> {
    let stand = Stand::new().await?;
    let all = cases(&stand).await?;
    let of_all = all.len();
    let chosen = all.into_iter().filter(|fault| {
        let words = fault.to_string();
        options.only.as_ref().is_none_or(|only| words.contains(only))
    });
    let chosen: Arc<Vec<Fault>> = Arc::new(chosen.step_by(options.every.max(1)).collect());
    say(&format!("{} of {of_all} cases", chosen.len()));

    let (began, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..options.jobs.max(1) {
        let (chosen, next) = (Arc::clone(&chosen), Arc::clone(&next));
        workers.spawn(async move {
            let stand = Stand::new().await?;
            let mut tally = Tally::default();
            while let Some(fault) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                match stand.play(fault).await? {
                    Ok(outcome) => *tally.outcomes.entry(outcome).or_default() += 1,
                    Err(words) => {
                        say(&format!("BROKEN: {words}"));
                        tally.broken.push(words);
                    }
                }
            }
            anyhow::Ok(tally)
        });
    }
    let mut whole = Tally::default();
    while let Some(tally) = workers.join_next().await {
        let tally = tally??;
        for (outcome, count) in tally.outcomes {
            *whole.outcomes.entry(outcome).or_default() += count;
        }
        whole.broken.extend(tally.broken);
    }
    say(&format!(
        "{} cases in {:.0} s: {:?}, {} broken",
        chosen.len(),
        began.elapsed().as_secs_f64(),
        whole.outcomes,
        whole.broken.len()
    ));
    Ok(!whole.broken.is_empty())
}

/// Every case, as many as a sign-in without a fault has writes.
async fn cases(stand: &Stand) -> Result<Vec<Fault>> {
    let log = tempfile::NamedTempFile::new()?;
    let desk = stand.used.copy()?;
    let went = stand
        .sign_in(&desk, &fault::counting_tracer(&desk, log.path()))
        .await?;
    anyhow::ensure!(
        went.code == Some(0),
        "a sign-in that is watched fails: {}",
        went.shown
    );
    stand.upstox.revoke_tokens().await?;
    let mut cases = Vec::new();
    for (call, count) in fault::counted(log.path())? {
        say(&format!("{count} calls of {call}"));
        for number in 1..=count {
            for error in ERRORS {
                let reaches: &[Reach] = if fault::is_of_database(&call) {
                    &[Reach::Once, Reach::FromThenOn, Reach::SpoolToo]
                } else {
                    &[Reach::Once, Reach::FromThenOn]
                };
                cases.extend(reaches.iter().map(|reach| Fault {
                    call: call.clone(),
                    number,
                    error,
                    reach: *reach,
                }));
            }
        }
    }
    Ok(cases)
}
