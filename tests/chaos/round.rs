//! One round: `vega` signs in for what has no token, dies somewhere, perhaps dies again while it recovers, and recovers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tokio::time::{Instant, timeout};
use vega_tests::{Deeds, Desk, Human, Promises, Ran, Screen, Upstox, say};

use crate::calendar::Calendar;
use crate::kill_time::KillTime;

/// Enough for "one and the other", and quick.
const APPS: usize = 2;
/// Nothing here takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(90);

/// A desk, its Upstox, its human, and what is known of them.
pub(crate) struct ChaosFixture {
    upstox: Upstox,
    desk: Desk,
    deeds: Arc<Mutex<Deeds>>,
    calendar: Calendar,
    promises: Promises,
    random: Rng,
    kills: u32,
    ends: u32,
    /// What a sign-in for all apps and a verification took when nobody killed them.
    lives: (Duration, Duration),
    /// Starts that may have taken a press since an OTP window passed.
    presses: u32,
    /// Apps whose last sign-in of this day has spent an OTP that brought no token.
    unresolved: BTreeSet<String>,
    /// Vega left something out that needs a yes of its own.
    is_yes_wanted: bool,
}

/// How one start of `vega` went.
struct Went {
    code: Option<i32>,
    announced: Vec<String>,
    /// The apps for which a link was followed, oldest first.
    opened: Vec<String>,
    shown: String,
}

impl Went {
    /// Whether the answer for the newest sign-in came: it is verified only when it is sealed.
    fn is_answered(&self) -> bool {
        let newest = self.opened.last();
        newest.is_some_and(|api| self.shown.contains(&format!("{api}: verifying the token")))
    }
}

impl ChaosFixture {
    pub(crate) async fn start(seed: u64, defect: Option<&str>) -> Result<Self> {
        let upstox = Upstox::start_with_apps(APPS).await?;
        let mut desk = Desk::with_test_hooks(&upstox)?;
        desk.set("VEGA__SIGN_IN__HUMAN_TIMEOUT", "20s");
        desk.trust_one()?;
        let calendar = Calendar::of_a_morning(&upstox, &desk).await?;
        let deeds = Arc::default();
        let mut fixture = Self {
            promises: Promises::new(&deeds),
            upstox,
            desk,
            deeds,
            calendar,
            random: Rng::with_seed(seed),
            kills: 0,
            ends: 0,
            lives: (PATIENCE, PATIENCE),
            presses: 0,
            unresolved: BTreeSet::new(),
            is_yes_wanted: false,
        };
        // One morning without a death shows how long it takes; a defect comes after it.
        let began = Instant::now();
        let all = fixture.sign_in(&["--yes"], &KillTime::After(PATIENCE)).await?;
        fixture.lives.0 = began.elapsed();
        ensure!(
            all.code == Some(0),
            "a morning without a death fails: {}",
            all.shown
        );
        let began = Instant::now();
        fixture.recover(&KillTime::After(PATIENCE)).await?;
        fixture.lives.1 = began.elapsed();
        fixture
            .promises
            .after_recovery(&fixture.upstox, &fixture.desk)
            .await?;
        if let Some(defect) = defect {
            fixture.desk.inject(defect)?;
        }
        Ok(fixture)
    }

    pub(crate) fn kills(&self) -> u32 {
        self.kills
    }

    pub(crate) fn tell(&self, took: Duration) {
        say(&format!(
            "{} kills in {:.0} s ({:.2} s each), {} starts that ended by themselves, {} tokens, {} OTP presses",
            self.kills,
            took.as_secs_f64(),
            took.as_secs_f64() / f64::from(self.kills.max(1)),
            self.ends,
            self.promises.tokens(),
            self.deeds(|deeds| deeds.presses),
        ));
    }

    /// Returns what was found broken.
    pub(crate) async fn round(&mut self) -> Result<Vec<String>> {
        let mut broken = self.promises.broken();
        self.prepare().await?;
        let (arguments, is_standing) = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let open = self.open_apps();
        let life = if open.len() < APPS {
            self.lives.0.mul_f64(0.75)
        } else {
            self.lives.0
        };
        let kill_time = KillTime::of_a_sign_in(&mut self.random, &open, life);
        let went = self.sign_in(&arguments, &kill_time).await?;
        if is_standing {
            let again = went.opened.iter().filter(|api| self.unresolved.contains(*api));
            broken.extend(
                again.map(|api| {
                    format!("P3: a standing yes signed in for {api}, whose outcome is unresolved")
                }),
            );
        }
        self.is_yes_wanted = matches!(went.code, Some(3 | 5));
        // 3, 5: what has an unresolved outcome was left out. 4: the budget is used up.
        if !matches!(went.code, None | Some(0 | 3..=5)) {
            broken.push(format!("vega ended with {:?}: {}", went.code, went.shown));
        }
        self.promises
            .after_an_end(&self.upstox, &self.desk, &went.announced)
            .await?;
        let dies_again = went.code.is_none() && self.random.u32(..4) == 0;
        if dies_again {
            let kill_time = KillTime::of(&mut self.random, self.lives.1);
            self.recover(&kill_time).await?;
            self.promises.after_an_end(&self.upstox, &self.desk, &[]).await?;
        }
        let recovered = self.recover(&KillTime::After(PATIENCE)).await?;
        if !matches!(recovered.code, Some(0 | 3)) {
            broken.push(format!("recovery ended with {:?}: {recovered:?}", recovered.code));
        }
        self.promises.after_recovery(&self.upstox, &self.desk).await?;
        let is_answered = went.is_answered() || (kill_time.is_after_the_code() && !dies_again);
        if went.code.is_none() && is_answered {
            let attempt = self.promises.newest_attempt(&self.desk).await?;
            if attempt["status"] != "stored" {
                broken.push(format!(
                    "P1: died at {kill_time:?}, and the token did not come home: {attempt}"
                ));
            }
        }
        self.note_unresolved(&went);
        broken.extend(self.promises.broken());
        if !broken.is_empty() {
            say(&format!(
                "it died at {kill_time:?}; {arguments:?} showed:\n{}",
                went.shown
            ));
        }
        Ok(broken)
    }

    /// Makes sure that there is something to sign in for, and now and then room in the budget.
    async fn prepare(&mut self) -> Result<()> {
        let mut is_new_day = false;
        // Mostly before the budget is used up, now and then only after it held something up.
        self.presses += 1;
        if self.presses > 3 && self.random.u32(..4) != 0 {
            self.presses = 0;
            is_new_day = self.calendar.pass_a_window(&self.upstox, &self.desk).await?;
        }
        if self.open_apps().is_empty() && !is_new_day {
            if self.random.bool() {
                if self.random.u32(..8) != 0 {
                    self.calendar.pass_two_minutes(&self.upstox, &self.desk).await?;
                }
                self.upstox.revoke_tokens().await?;
                self.promises.tokens_died();
            } else {
                self.calendar.pass_the_night(&self.upstox, &self.desk).await?;
                is_new_day = true;
            }
        }
        if is_new_day {
            self.promises.tokens_died();
            self.unresolved.clear();
        }
        Ok(())
    }

    /// What `vega` is told, and whether that is a yes that covers no unresolved outcome.
    fn arguments(&mut self) -> (Vec<String>, bool) {
        let mut arguments = vec!["--yes".to_owned(), "--no-wait".to_owned()];
        let is_standing = !self.is_yes_wanted && self.random.bool();
        if !is_standing {
            for api in self.open_apps() {
                // The unresolved outcome has its yes, even if this start dies before it used the answer.
                self.unresolved.remove(&api);
                arguments.extend(["--again".to_owned(), api]);
            }
        }
        (arguments, is_standing)
    }

    /// The apps that have no token.
    fn open_apps(&self) -> Vec<String> {
        let apps = self.upstox.apps().filter(|api| !self.promises.is_held(api));
        apps.map(str::to_owned).collect()
    }

    /// One start that signs in, with the human at a browser of their own.
    async fn sign_in(&mut self, arguments: &[&str], kill_time: &KillTime) -> Result<Went> {
        kill_time.prepare(&self.desk)?;
        let before = self.deeds(|deeds| deeds.opened.len());
        let arguments = [&["--route", "own-browser"], arguments].concat();
        let (mut vega, screen) = self.desk.start_at_screen(&[], &arguments)?;
        let human = tokio::spawn(at_the_desk(
            Human::of(&self.upstox, &self.deeds),
            screen.beside(),
            format!("{}/v2/login/authorization/dialog", self.upstox.base_url()),
        ));
        let ended = kill_time.await_end(&mut vega, Some(screen.beside()));
        let code = timeout(PATIENCE, ended).await.context("vega does not end")??;
        let shown = timeout(PATIENCE, screen.to_its_end()).await?;
        timeout(PATIENCE, human).await???;
        self.count(code);
        self.desk.crash_at(None)?;
        let opened = self.deeds(|deeds| deeds.opened[before..].to_vec());
        let apps = &self.upstox.seed().accounts[0].apps;
        let name_of = |client_id: &str| {
            let app = apps.iter().find(|app| app.client_id == client_id);
            app.map(|app| app.name.clone())
        };
        Ok(Went {
            code,
            announced: announced(&shown),
            opened: opened
                .iter()
                .filter_map(|opened| name_of(&opened.client_id))
                .collect(),
            shown,
        })
    }

    /// `vega verify`, which recovers before it asks Upstox.
    async fn recover(&mut self, kill_time: &KillTime) -> Result<Ran> {
        let mut vega = self.desk.start(&["verify"])?;
        let code = timeout(PATIENCE, kill_time.await_end(&mut vega, None))
            .await
            .context("vega verify does not end")??;
        self.count(code);
        let mut ran = Ran::to_its_end(vega).await?;
        ran.code = code;
        Ok(ran)
    }

    /// What the human pressed for and did not get must not be asked for again by itself today.
    fn note_unresolved(&mut self, went: &Went) {
        self.unresolved.retain(|api| !self.promises.is_held(api));
        let opened = self.deeds(|deeds| deeds.opened.clone());
        let newest = opened.len() - went.opened.len();
        for (api, opened) in went.opened.iter().zip(&opened[newest..]) {
            if opened.pressed && !self.promises.is_held(api) {
                self.unresolved.insert(api.clone());
            }
        }
    }

    fn count(&mut self, code: Option<i32>) {
        if code.is_none() {
            self.kills += 1;
        } else {
            self.ends += 1;
        }
    }

    fn deeds<T>(&self, look: impl FnOnce(&Deeds) -> T) -> T {
        look(&self.deeds.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Follows every link until the screen is dark.
async fn at_the_desk(mut human: Human, mut screen: Screen, base: String) -> Result<()> {
    while let Some(link) = screen.next_link(&base).await {
        // That somebody died meanwhile is no reason to stop looking at the screen.
        (human, _) = human.sign_in(link).await?;
    }
    Ok(())
}

/// The apps whose token is said to be stored.
fn announced(shown: &str) -> Vec<String> {
    let lines = shown
        .lines()
        .filter(|line| line.contains("token stored and verified"));
    let words = lines.filter_map(|line| line.split("token stored").next()?.split_whitespace().last());
    words.map(str::to_owned).collect()
}
