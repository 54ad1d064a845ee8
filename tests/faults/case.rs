//! One case: a copy of a used desk, one sign-in in which something fails, and what must hold at once and afterwards.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;
use vega_tests::{Deeds, Desk, Examination, Human, Upstox};

use crate::fault::{Fault, Reach};

pub(crate) const API: &str = "PRIMARY";
/// Nothing here takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(2);

/// One of the accounts that the cases are played at.
pub(crate) struct Stand {
    pub(crate) upstox: Upstox,
    deeds: Arc<Mutex<Deeds>>,
    /// A desk that was used before: its database is made, its token is dead, its spool has its room.
    pub(crate) used: Desk,
}

/// How a start of `vega` that signs in went.
pub(crate) struct Went {
    pub(crate) code: Option<i32>,
    pub(crate) shown: String,
    /// Get OTP was pressed.
    pub(crate) pressed: bool,
    /// What Upstox gave out, and the `state` of its attempt.
    pub(crate) issued: Option<(String, String)>,
}

/// What became of a case whose promises hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It was not noticed, or got over.
    WentOn,
    /// The token came, and the spool kept it.
    Spooled,
    /// Nothing was asked of anybody.
    RefusedBefore,
    /// It ended after the OTP and before a token, and said so.
    EndedLoudly,
    /// Neither database nor spool took what came, and Vega cried out.
    Alarmed,
}

impl Stand {
    pub(crate) async fn new() -> Result<Self> {
        let upstox = Upstox::start_with_apps(1).await?;
        let mut used = Desk::with_test_hooks(&upstox)?;
        used.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "20s");
        used.trust_one()?;
        let stand = Self {
            deeds: Arc::default(),
            upstox,
            used,
        };
        let first = stand.sign_in(&stand.used, &[]).await?;
        anyhow::ensure!(
            first.code == Some(0),
            "a sign-in fails without a fault: {}",
            first.shown
        );
        stand.upstox.revoke_tokens().await?;
        Ok(stand)
    }

    /// One start that signs in, run by `under`.
    pub(crate) async fn sign_in(&self, desk: &Desk, under: &[String]) -> Result<Went> {
        let (presses, tokens) = (self.deeds(|deeds| deeds.presses), self.tokens().await?.len());
        let arguments = ["--yes", "--no-wait", "--route", "own-browser", API];
        let (mut vega, screen) = desk.start_at_screen(under, &arguments)?;
        let mut links = screen.beside();
        let base = format!("{}/v2/login/authorization/dialog", self.upstox.base_url());
        let mut human = Human::of(&self.upstox, &self.deeds);
        let played = async {
            while let Some(link) = links.next_link(&base).await {
                (human, _) = human.sign_in(link).await?;
            }
            anyhow::Ok(vega.wait().await?)
        };
        let ended = timeout(PATIENCE, played).await.context("vega does not end")??;
        let shown = screen.to_its_end().await;
        let issued = self.tokens().await?.into_iter().nth(tokens);
        Ok(Went {
            code: ended.code(),
            shown,
            pressed: self.deeds(|deeds| deeds.presses) > presses,
            issued,
        })
    }

    /// Plays one case at a copy of the used desk. `Err` in the inner result says what was broken.
    pub(crate) async fn play(&self, fault: &Fault) -> Result<std::result::Result<Outcome, String>> {
        let desk = self.used.copy()?;
        let went = self.sign_in(&desk, &fault.tracer(&desk)).await?;
        let judged = self.judge(&desk, fault, &went).await?;
        self.upstox.revoke_tokens().await?;
        Ok(judged.map_err(|words| {
            format!(
                "{fault}: {words}\nvega ended with {:?}: {}",
                went.code, went.shown
            )
        }))
    }

    async fn judge(
        &self,
        desk: &Desk,
        fault: &Fault,
        went: &Went,
    ) -> Result<std::result::Result<Outcome, String>> {
        let Some((token, _)) = &went.issued else {
            return self.without_a_token(desk, went).await;
        };
        let spooled = went.shown.contains("sealed in the spool");
        let alarmed = went.shown.contains("ALARM");
        // As the next program finds the disk.
        let at_once = if fault.reach == Reach::Once {
            desk.vega(&["token", API]).await?
        } else {
            let lasting = fault.that_lasts().tracer(desk);
            desk.vega_under(&lasting, &["token", API]).await?
        };
        let is_given = at_once.code == Some(0) && at_once.stdout.trim() == token;
        let lost = fault.reach == Reach::SpoolToo && went.code == Some(9);
        if !is_given && !lost {
            return Ok(Err(format!(
                "the token that came is not given at once: {at_once:?}"
            )));
        }
        if let Err(words) = self.in_good_order(desk, went).await? {
            return Ok(Err(words));
        }
        let later = desk.vega(&["token", API]).await?;
        let is_home = later.code == Some(0) && later.stdout.trim() == token;
        let attempt = self.attempt(desk, went).await?;
        let owns_up = attempt["failure"] == "outcome_unknown" && lost;
        Ok(match (is_home, attempt["status"] == "stored") {
            (true, true) if alarmed => Ok(Outcome::Alarmed),
            (true, true) if spooled => Ok(Outcome::Spooled),
            (true, true) => Ok(Outcome::WentOn),
            _ if owns_up => Ok(Outcome::Alarmed),
            _ => Err(format!(
                "the token did not come home: {later:?}; its attempt is {attempt}"
            )),
        })
    }

    async fn without_a_token(
        &self,
        desk: &Desk,
        went: &Went,
    ) -> Result<std::result::Result<Outcome, String>> {
        if went.code != Some(9) {
            return Ok(Err("no token came, and the end is not loud (9)".into()));
        }
        if let Err(words) = self.in_good_order(desk, went).await? {
            return Ok(Err(words));
        }
        Ok(Ok(if went.pressed {
            Outcome::EndedLoudly
        } else {
            Outcome::RefusedBefore
        }))
    }

    /// The fault is gone: the next start leaves nothing half.
    pub(crate) async fn in_good_order(
        &self,
        desk: &Desk,
        went: &Went,
    ) -> Result<std::result::Result<(), String>> {
        let next = desk.vega(&["verify"]).await?;
        if !matches!(next.code, Some(0 | 3)) {
            return Ok(Err(format!("the next start fails: {next:?}")));
        }
        let found = Examination::of(desk).await?;
        if found.integrity() != "ok" || found.broken_references() != 0 {
            return Ok(Err(format!("the database is damaged: {found:?}")));
        }
        if found.left_open() != 0 {
            return Ok(Err(format!("something is left open: {found:?}")));
        }
        // One press of the first sign-in, and at least as many as were made since.
        if found.presses() < 1 + u64::from(went.pressed) {
            return Ok(Err(format!("a press is not on record: {found:?}")));
        }
        let sent = self.upstox.count("max_exchanges_of_one_code").await?;
        if sent > 1 {
            return Ok(Err(format!("a code was sent {sent} times")));
        }
        let audit = desk.vega(&["audit", "--verify"]).await?;
        if audit.code != Some(0) {
            return Ok(Err(format!("the audit trail does not verify: {audit:?}")));
        }
        Ok(Ok(()))
    }

    /// The attempt that the token came from, as the database has it.
    pub(crate) async fn attempt(&self, desk: &Desk, went: &Went) -> Result<serde_json::Value> {
        let found = Examination::of(desk).await?;
        let state = went.issued.as_ref().map(|(_, state)| state.as_str());
        let attempt = state.and_then(|state| found.attempt(state));
        Ok(attempt.cloned().unwrap_or_default())
    }

    /// Every token with the `state` of its attempt.
    async fn tokens(&self) -> Result<Vec<(String, String)>> {
        let secrets = self.upstox.secrets().await?;
        let issued = secrets["issued"].as_array().context("issued")?.iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let with_state = issued.map(|issued| {
            let code = text(&issued["code"]);
            let state = self.deeds(|deeds| {
                let mut opened = deeds.opened.iter();
                let of_code = opened.find(|opened| opened.code.as_ref() == Some(&code));
                of_code.map(|opened| opened.state.clone())
            });
            (text(&issued["access_token"]), state.unwrap_or_default())
        });
        Ok(with_state.collect())
    }

    fn deeds<T>(&self, look: impl FnOnce(&Deeds) -> T) -> T {
        look(&self.deeds.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
