//! The promises, looked at from outside after each round: by what Upstox counted and gave out, by `psql`, and by both machines' words, which
//! must be the same. It drives nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use vega_tests::{Ran, Upstox};

use crate::database::{Database, hash_of};
use crate::figures::Figures;
use crate::pair::{Machine, ended};
use crate::tally::Tally;

/// So many presses in so much time, as Vega is set by default.
const BUDGET: usize = 4;
const WINDOW: TimeDelta = TimeDelta::minutes(11);
/// What is dated by the installation's time is not further away.
const NEAR: TimeDelta = TimeDelta::seconds(30);

/// One token that Upstox gave out.
#[derive(Debug, Clone)]
struct Issued {
    api: String,
    token: String,
    /// Of the attempt that its code came from.
    state: String,
}

/// What is known of one desk.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) tally: Tally,
    pub(crate) figures: Figures,
    issued: Vec<Issued>,
    /// So many of them died with a day or by Upstox's hand.
    dead: usize,
    /// How many windows were held up with their machine in this round: to Upstox they are open.
    pub(crate) held_windows: u64,
    /// How many tokens Upstox had given out when a machine that lost the lease went on.
    issued_before_waking: Option<usize>,
    /// What Vega had received in this round when something happened to it: stored, or on record as late, is each of these.
    pub(crate) has_received: bool,
    /// Answers on record that came too late.
    pub(crate) late: u64,
    /// Presses that were on record and were lost with a database server.
    pub(crate) lost_presses: u64,
    /// Attempts of which something was lost so.
    pub(crate) lost_attempts: BTreeSet<String>,
    /// Presses on record that were looked at.
    dated: usize,
    began: DateTime<Utc>,
    broken: Vec<String>,
}

impl Promises {
    /// How many tokens Upstox gave out so far.
    pub(crate) fn tokens(&self) -> usize {
        self.issued.len()
    }

    pub(crate) async fn round_begins(&mut self, upstox: &Upstox, now: DateTime<Utc>) -> Result<()> {
        self.learn(upstox).await?;
        self.tally.take_in(upstox).await?;
        self.tally.parallel = 0;
        (self.held_windows, self.has_received) = (0, false);
        self.issued_before_waking = None;
        (self.dead, self.began) = (self.issued.len(), now);
        Ok(())
    }

    /// The token that Upstox gave out last for this API, if it is alive.
    pub(crate) async fn newest(&mut self, upstox: &Upstox, api: &str) -> Result<Option<String>> {
        self.learn(upstox).await?;
        let living = self.issued.iter().skip(self.dead).rev();
        let mut of_api = living.filter(|issued| issued.api == api);
        Ok(of_api.next().map(|issued| issued.token.clone()))
    }

    /// Before a machine that lost the lease goes on: what Upstox sees from now on are effects of it.
    pub(crate) async fn wakes(&mut self, upstox: &Upstox) -> Result<()> {
        self.learn(upstox).await?;
        self.tally.take_in(upstox).await?;
        self.issued_before_waking = Some(self.issued.len());
        Ok(())
    }

    /// When it has ended. One effect may come late: the one whose commit was acknowledged just before it was held up, but for a token
    /// call, before which it asks whose the sign-in is.
    pub(crate) async fn has_woken(&mut self, upstox: &Upstox, was_before_the_call: bool) -> Result<()> {
        let presses = self.tally.presses;
        self.tally.take_in(upstox).await?;
        self.learn(upstox).await?;
        let posts = self.issued.len() - self.issued_before_waking.unwrap_or(self.issued.len());
        self.expect(!was_before_the_call || posts == 0, || {
            "P4: one that was taken over still sent its code".to_owned()
        });
        let effects = posts as u64 + self.tally.presses - presses;
        self.figures
            .counted("late effects", u32::try_from(effects).unwrap_or(u32::MAX));
        self.expect(effects <= 1, || {
            format!("P4: one that was taken over still did {effects} things at Upstox")
        });
        Ok(())
    }

    /// What Upstox gives out from now on counts, though one has woken before.
    pub(crate) fn goes_on(&mut self) {
        self.issued_before_waking = None;
    }

    /// When everybody is done with the round.
    pub(crate) async fn look(
        &mut self,
        upstox: &Upstox,
        machines: &[Machine; 2],
        database: &Database,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>> {
        self.learn(upstox).await?;
        self.tally.take_in(upstox).await?;
        let found = database.found()?;
        self.counted();
        self.trail(&found);
        self.presses(&found, now);
        self.came_home(&found);
        self.same_words(machines).await?;
        Ok(std::mem::take(&mut self.broken))
    }

    /// P3, P4: what Upstox saw.
    fn counted(&mut self) {
        let (times, refused) = (self.tally.exchanges_of_one_code(), self.tally.refused);
        self.expect(times <= 1, || format!("P4: a code was sent {times} times"));
        self.expect(refused == 0, || {
            format!("P3: Upstox refused {refused} presses: the budget was not kept")
        });
        let (windows, allowed) = (self.tally.parallel, 1 + self.held_windows);
        self.expect(windows <= allowed, || {
            format!("P4: {windows} sign-ins at once, {allowed} may be open")
        });
    }

    /// P5: one trail without a gap, and nothing left open.
    fn trail(&mut self, found: &Value) {
        let number = |name: &str| found[name].as_u64();
        let (entries, last, counted) = (number("entries"), number("last_entry"), number("counted"));
        self.expect(entries == last && last == counted, || {
            format!("P5: {entries:?} entries, the last is {last:?}, counted are {counted:?}")
        });
        let open = number("left_open");
        self.expect(open == Some(0), || {
            format!("P2: {open:?} runs and attempts are left open")
        });
    }

    /// P3: each press is on record, dated by the time of the installation, within the budget.
    fn presses(&mut self, found: &Value, now: DateTime<Utc>) {
        let on_record = found["presses"].as_array().into_iter().flatten();
        let times: Vec<DateTime<Utc>> = on_record
            .filter_map(|at| DateTime::parse_from_rfc3339(at.as_str()?).ok())
            .map(|at| at.to_utc())
            .collect();
        let (seen, recorded, lost) = (self.tally.presses, times.len() as u64, self.lost_presses);
        self.expect(seen <= recorded + lost, || {
            format!("P3: Upstox saw {seen} presses, on record are {recorded}, and {lost} were lost")
        });
        let (from, to) = (self.began - NEAR, now + NEAR);
        let wrong: Vec<_> = times
            .iter()
            .skip(self.dated)
            .filter(|at| !(from..to).contains(at))
            .collect();
        let broken = (!wrong.is_empty() && self.dated > 0)
            .then(|| format!("P3: presses between {from} and {to} are dated {wrong:?}"));
        self.broken.extend(broken);
        self.dated = times.len();
        let too_many = times
            .windows(BUDGET + 1)
            .any(|presses| presses[BUDGET] - presses[0] < WINDOW);
        self.expect(!too_many, || {
            format!("P3: more than {BUDGET} presses within {WINDOW}: {times:?}")
        });
    }

    /// P2: each token that Upstox gave out is stored, or its attempt owns up to not knowing. What Vega had received is stored, or on record
    /// as late. Of an attempt that was lost with a database server there may be nothing.
    fn came_home(&mut self, found: &Value) {
        let late = found["late"].as_u64().unwrap_or_default();
        let mut unknown = 0;
        for at in 0..self.issued.len() {
            let Issued { api, state, .. } = self.issued[at].clone();
            let attempt = &found["attempts"][&hash_of(&state)];
            let (status, failure) = (attempt["status"].as_str(), attempt["failure"].as_str());
            match (status, failure) {
                (Some("stored"), _) => {}
                (None, _) if self.lost_attempts.contains(&hash_of(&state)) => {}
                (Some("closed"), Some("outcome_unknown")) => unknown += u64::from(at >= self.dead),
                other => self.broken.push(format!(
                    "P2: Upstox gave out a token of {api}, and its attempt is {other:?}"
                )),
            }
        }
        let (new, has_received) = (late - self.late, self.has_received);
        self.late = late;
        self.expect(!has_received || new >= unknown, || {
            format!("P2: Vega had received an answer, {unknown} were never stored, and {new} are on record as late")
        });
    }

    /// Both machines say the same, and what they say is so.
    async fn same_words(&mut self, machines: &[Machine; 2]) -> Result<()> {
        let [one, other] = machines;
        let (one, other) = tokio::join!(words(one), words(other));
        let (one, other) = (one?, other?);
        for words in [&one, &other] {
            let verified = &words.verified;
            self.expect(verified.code == Some(0), || {
                format!("P5: the audit trail does not verify: {verified:?}")
            });
        }
        self.expect(one.statuses == other.statuses, || {
            format!("the machines differ: {:?} and {:?}", one.statuses, other.statuses)
        });
        // What came of a late effect is nobody's.
        let issued = self.issued_before_waking.unwrap_or(self.issued.len());
        for (api, token) in one.tokens.iter().chain(&other.tokens) {
            let newest = self.issued[self.dead..issued]
                .iter()
                .rev()
                .find(|issued| issued.api == *api);
            let is_newest = newest.is_some_and(|newest| newest.token == *token);
            self.expect(is_newest, || {
                format!("P1: what is given for {api} is not what Upstox gave out last")
            });
        }
        Ok(())
    }

    /// Which tokens Upstox gave out meanwhile, and to which attempts.
    async fn learn(&mut self, upstox: &Upstox) -> Result<()> {
        let secrets = upstox.secrets().await?;
        let issued = secrets["issued"].as_array().context("issued")?;
        for new in issued.iter().skip(self.issued.len()) {
            let text = |name: &str| Some(new[name].as_str()?.to_owned());
            self.issued.push(Issued {
                api: text("app").context("an app")?,
                token: text("access_token").context("a token")?,
                state: text("state").context("a code of a dialog without a state")?,
            });
        }
        Ok(())
    }

    pub(crate) fn expect(&mut self, is_so: bool, words: impl FnOnce() -> String) {
        if !is_so {
            self.broken.push(words());
        }
    }
}

/// What one machine says.
struct Words {
    verified: Ran,
    /// Status by API.
    statuses: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
}

async fn words(machine: &Machine) -> Result<Words> {
    let desk = &machine.desk;
    let verified = ended(desk.start(&["audit", "--verify"])?).await?;
    let status = ended(desk.start(&["status", "--json"])?).await?;
    let report = status.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let apis = report["apis"].as_array().context("apis")?;
    let statuses: BTreeMap<String, String> = apis
        .iter()
        .map(|api| (text(&api["api"]), text(&api["status"])))
        .collect();
    let mut tokens = BTreeMap::new();
    for (api, _) in statuses.iter().filter(|(_, status)| *status == "valid") {
        let given = ended(desk.start(&["token", api])?).await?;
        anyhow::ensure!(
            given.code == Some(0),
            "{api} is valid, and no token is given: {given:?}"
        );
        tokens.insert(api.clone(), given.stdout.trim().to_owned());
    }
    Ok(Words {
        verified,
        statuses,
        tokens,
    })
}
