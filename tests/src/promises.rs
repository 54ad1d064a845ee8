//! The promises of Vega, looked at from outside: what Upstox counted, what the human did, what `vega token` gives and what
//! the database holds must fit together after every death. It starts programs, and drives none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::desk::Desk;
use crate::examination::Examination;
use crate::human::Deeds;
use crate::upstox::Upstox;

/// So many presses in so much time, as Vega is set by default.
const BUDGET: usize = 4;
const WINDOW: Duration = Duration::from_mins(11);

/// One token that Upstox gave out.
#[derive(Debug, Clone)]
struct Issued {
    api: String,
    token: String,
    /// Of the attempt that its code came from.
    state: String,
}

/// Whether each token that Upstox gave out is where it must be.
pub struct Promises {
    deeds: Arc<Mutex<Deeds>>,
    issued: Vec<Issued>,
    /// So many of them died with a day or by their owner's hand.
    dead: usize,
    /// So many of them were found to be where they must be for ever.
    settled: usize,
    /// What `vega token` must give, or a newer one.
    held: BTreeMap<String, usize>,
    broken: Vec<String>,
}

impl Promises {
    /// For a desk whose human notes everything in `deeds`.
    pub fn new(deeds: &Arc<Mutex<Deeds>>) -> Self {
        Self {
            deeds: Arc::clone(deeds),
            issued: Vec::new(),
            dead: 0,
            settled: 0,
            held: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// What was found broken since the last time, in words.
    pub fn broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    /// How many tokens Upstox gave out so far.
    pub fn tokens(&self) -> usize {
        self.issued.len()
    }

    /// Whether `vega token` must give a token for this API now.
    pub fn is_held(&self, api: &str) -> bool {
        self.held.contains_key(api)
    }

    /// Every token that was given out so far is dead.
    pub fn tokens_died(&mut self) {
        self.dead = self.issued.len();
        self.held.clear();
    }

    /// Right after an end of `vega`, before anything is recovered. What it `announced` as stored must be there.
    pub async fn after_an_end(&mut self, upstox: &Upstox, desk: &Desk, announced: &[String]) -> Result<()> {
        self.learn(upstox).await?;
        let found = Examination::of(desk).await?;
        self.expect(
            found.integrity() == "ok" && found.broken_references() == 0,
            || format!("P1: the database is damaged: {found:?}"),
        );
        self.presses(upstox, &found).await?;
        let known: Vec<&str> = upstox.apps().collect();
        // Where nothing was there before and nothing is said to be there, nothing can be missing yet.
        let expected = known
            .into_iter()
            .filter(|api| self.is_held(api) || announced.iter().any(|name| name == api));
        let expected: Vec<String> = expected.map(str::to_owned).collect();
        let given = self.given(desk, &expected).await?;
        for api in announced {
            let newest = self.newest(api);
            self.expect(given.get(api) == newest.as_ref() && newest.is_some(), || {
                format!("P1: the token of {api} was announced as stored, and is not given before a recovery")
            });
        }
        self.exchanges(upstox).await
    }

    /// After a start that recovered whatever there was.
    pub async fn after_recovery(&mut self, upstox: &Upstox, desk: &Desk) -> Result<()> {
        self.learn(upstox).await?;
        let found = Examination::of(desk).await?;
        self.expect(found.integrity() == "ok", || {
            format!("P1: the database is damaged: {found:?}")
        });
        self.expect(found.left_open() == 0, || {
            format!("P2: recovery left something open: {found:?}")
        });
        self.presses(upstox, &found).await?;
        for at in self.settled..self.issued.len() {
            self.came_home(at, &found);
        }
        self.settled = self.issued.len();
        let all: Vec<String> = upstox.apps().map(str::to_owned).collect();
        let (given, audit) = tokio::join!(self.given(desk, &all), desk.vega(&["audit", "--verify"]));
        given?;
        let audit = audit?;
        self.exchanges(upstox).await?;
        self.expect(audit.code == Some(0), || {
            format!("P5: the audit trail does not verify: {audit:?}")
        });
        Ok(())
    }

    /// What became of the newest sign-in: its attempt, as the database has it.
    pub async fn newest_attempt(&self, desk: &Desk) -> Result<Value> {
        let state = self.with(|deeds| deeds.opened.last().map(|opened| opened.state.clone()));
        let found = Examination::of(desk).await?;
        let attempt = state.and_then(|state| found.attempt(&state).cloned());
        Ok(attempt.unwrap_or_default())
    }

    /// P2 of one token: stored, or its attempt owns up to not knowing.
    fn came_home(&mut self, at: usize, found: &Examination) {
        let Issued { api, state, .. } = self.issued[at].clone();
        let attempt = found.attempt(&state);
        let says = |field: &str| attempt.and_then(|attempt| attempt[field].as_str()).unwrap_or("-");
        match (says("status"), says("failure")) {
            ("stored", _) => {
                if at >= self.dead {
                    self.held.insert(api, at);
                }
            }
            ("closed", "outcome_unknown") => {}
            other => self.broken.push(format!(
                "P2: Upstox gave out a token of {api} and its attempt is {other:?}"
            )),
        }
    }

    /// P1: what was given once is given still, or a newer one is.
    async fn given(&mut self, desk: &Desk, apis: &[String]) -> Result<BTreeMap<String, String>> {
        let mut running = Vec::new();
        for api in apis {
            running.push((api.clone(), desk.start(&["token", api])?));
        }
        let mut given = BTreeMap::new();
        for (api, vega) in running {
            let ran = crate::Ran::to_its_end(vega).await?;
            if ran.code == Some(0) {
                given.insert(api, ran.stdout.trim().to_owned());
            } else if let Some(&held) = self.held.get(&api) {
                self.broken.push(format!(
                    "P1: token {held} of {api} was there and is not given any more: {ran:?}"
                ));
            }
        }
        for (api, token) in &given {
            let at = self.issued.iter().position(|issued| issued.token == *token);
            let held = self.held.get(api).copied();
            match at {
                Some(at) if at >= self.dead => {
                    self.expect(held.is_none_or(|held| at >= held), || {
                        format!("P1: {api} fell back from token {held:?} to {at}")
                    });
                    self.held.insert(api.clone(), at);
                }
                // Dead, but nobody asked Upstox about it yet.
                Some(_) => {}
                None => self
                    .broken
                    .push(format!("P1: nobody gave out what is given for {api}")),
            }
        }
        Ok(given)
    }

    /// P3: nobody presses but the human, who is shown a link only when a press is on record, within the budget.
    async fn presses(&mut self, upstox: &Upstox, found: &Examination) -> Result<()> {
        let seen = upstox.count("otp_presses").await?;
        let made = self.with(|deeds| deeds.presses);
        self.expect(seen == made && found.presses() >= made, || {
            format!(
                "P3: {made} presses were asked for, Upstox saw {seen}, on record are {}",
                found.presses()
            )
        });
        let newest = found.newest_presses();
        let too_many = newest.windows(BUDGET + 1).any(|presses| {
            let length = presses[BUDGET] - presses[0];
            u128::from(length) < WINDOW.as_millis()
        });
        self.expect(!too_many, || {
            format!("P3: more than {BUDGET} presses within {WINDOW:?}: {newest:?}")
        });
        Ok(())
    }

    /// P4.
    async fn exchanges(&mut self, upstox: &Upstox) -> Result<()> {
        let of_one_code = upstox.count("max_exchanges_of_one_code").await?;
        self.expect(of_one_code <= 1, || {
            format!("P4: a code was sent {of_one_code} times")
        });
        Ok(())
    }

    /// Which tokens Upstox gave out meanwhile, and to which attempts.
    async fn learn(&mut self, upstox: &Upstox) -> Result<()> {
        let secrets = upstox.secrets().await?;
        let issued = secrets["issued"].as_array().context("issued")?;
        for new in issued.iter().skip(self.issued.len()) {
            let text = |name: &str| new[name].as_str().unwrap_or_default().to_owned();
            let code = text("code");
            let state = self.with(|deeds| {
                let of_code = deeds
                    .opened
                    .iter()
                    .rev()
                    .find(|opened| opened.code.as_ref() == Some(&code));
                of_code.map(|opened| opened.state.clone())
            });
            self.issued.push(Issued {
                api: text("app"),
                token: text("access_token"),
                state: state.context("a code that the human did not bring")?,
            });
        }
        Ok(())
    }

    fn newest(&self, api: &str) -> Option<String> {
        let mut of_api = self.issued.iter().rev().filter(|issued| issued.api == api);
        of_api.next().map(|issued| issued.token.clone())
    }

    fn expect(&mut self, is_so: bool, words: impl FnOnce() -> String) {
        if !is_so {
            self.broken.push(words());
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Deeds) -> T) -> T {
        look(&self.deeds.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
