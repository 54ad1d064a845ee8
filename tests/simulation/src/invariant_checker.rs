//! Checks that nothing has happened that must never happen, from what the disk, Upstox and the ground truth say.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use vega_domain::account::{Account, Api};
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry;
use vega_domain::failure::FailureReason;
use vega_domain::ids::ApiName;
use vega_domain::plan::{Plan, SignInCause};
use vega_domain::ports::{Answer, Clock};
use vega_domain::run::{RunRecord, RunState};
use vega_domain::secret::OAuthState;
use vega_domain::token::{StoredToken, TokenStatus};
use vega_testing::memory_store::AttemptRow;

use crate::desk::{BUDGET, COOLDOWN};
use crate::ground_truth::UnresolvedOutcome;
use crate::here::Here;
use crate::locked::locked;
use crate::process::Process;
use crate::rules::Rule;
use crate::world::World;

/// Between what Vega writes down and what is done about it there are calls that take their time.
const LEEWAY: TimeDelta = TimeDelta::seconds(3);
/// A process that follows the disk has what is there at the latest after so long.
const FOLLOWS_WITHIN: TimeDelta = TimeDelta::seconds(2);

fn cooldown() -> TimeDelta {
    TimeDelta::from_std(COOLDOWN).unwrap_or_default()
}

impl World {
    /// What programs would get now, from every living process.
    pub(crate) fn look(&self) {
        for process in self.living() {
            // Who stands still serves nobody.
            if process.stands_until().is_some() {
                continue;
            }
            let Some(registry) = process.registry.get() else {
                continue;
            };
            for (_, api) in self.accounts.apis() {
                if let Some(token) = registry.get(&api.name) {
                    self.check_served(&process, &token);
                }
            }
        }
    }

    fn check_served(&self, process: &Process, token: &StoredToken) {
        let (api, generation) = (&token.api, token.generation);
        let broken = |rule, words: &str| {
            let words = format!("P{} serves {api} {generation}: {words}", process.number);
            self.broken(rule, &words);
        };
        let text = token.access_token.expose();
        let truth = self.time.truth();
        // It came home too late and is not kept any more. Who follows the disk hears of it.
        let is_late;
        if token.valid_until - process.clock.now() <= expiry::LAST_SECONDS {
            broken(Rule::ServedDead, "its time is over");
        }
        {
            let books = self.upstox.books();
            let Some(issued) = books.token(text) else {
                drop(books);
                return broken(Rule::ServedDead, "Upstox never issued it");
            };
            let (is_over, is_confirmed) = (truth >= issued.dies_at, issued.is_confirmed);
            is_late = self.truth(|truth| truth.late.contains(&issued.state));
            let owner = books.logins.iter().find(|(_, login)| login.user == issued.user);
            let is_the_accounts = owner.is_some_and(|(digits, _)| {
                self.account(&token.account)
                    .is_some_and(|account| account.mobile_number.digits() == digits)
            });
            drop(books);
            if is_over && process.clock.is_right() {
                broken(Rule::ServedDead, "it died at 03:30 IST");
            }
            if !is_confirmed {
                broken(Rule::ServedUnverified, "Upstox never confirmed it");
            }
            if !is_the_accounts {
                broken(Rule::ServedStranger, "it is another person's");
            }
        }
        let newest = locked(&process.knows).get(api).copied();
        if newest.is_some_and(|newest| newest > generation) {
            broken(Rule::ServedOld, "a newer one was made");
        }
        self.check_follows(process, token);
        let is_announced = locked(&process.in_memory).contains(&(api.clone(), generation));
        if !is_announced && !is_late && !self.disk.has_token(text) {
            broken(
                Rule::ServedEarly,
                "it is neither in the database nor in the spool",
            );
        }
    }

    /// Another process may have made a newer one, or found this one dead.
    fn check_follows(&self, process: &Process, served: &StoredToken) {
        if !process.follows.load(Ordering::Relaxed) {
            return;
        }
        let changed = self.truth(|truth| truth.token_changed.get(&served.api).copied());
        let known = changed.zip(self.answers_since(process));
        let is_known =
            known.is_some_and(|(changed, since)| self.time.truth() - changed.max(since) > FOLLOWS_WITHIN);
        let row = self.disk.newest_token(process.machine.number, &served.api);
        let Some(row) = row.filter(|_| is_known) else {
            return;
        };
        let words = format!(
            "P{} serves {} {}: ",
            process.number, served.api, served.generation
        );
        if row.token.generation > served.generation {
            self.broken(Rule::ServedOld, &format!("{words}a newer one is stored"));
        } else if row.token.generation == served.generation && row.token.rejected_at.is_some() {
            self.broken(Rule::ServedDead, &format!("{words}it was found dead"));
        }
    }

    /// Words that go to disk or to people.
    pub(crate) fn check_text(&self, text: &str) {
        let hex = text
            .split(|c: char| !c.is_ascii_hexdigit())
            .any(|run| run.len() >= 40);
        let mut numbers = self.accounts.iter().map(|account| account.mobile_number.digits());
        if hex || text.contains("CANARY") || numbers.any(|digits| text.contains(digits)) {
            let shown: String = text.chars().take(40).collect();
            self.broken(Rule::SecretShown, &format!("in \"{shown}…\""));
        }
    }

    /// A process dies: who signed in past the press is not signed in for again without a yes.
    pub(crate) fn crash_is_noted(&self, process: &Process) {
        let now = self.time.now();
        let crashed: Vec<(ApiName, UnresolvedOutcome)> = self.disk.read(|tables| {
            let holders = locked(&self.disk.holders);
            let held = |run| holders.get(&run) == Some(&process.number);
            let open = tables.attempts.iter().filter(|row| row.is_open());
            open.filter(|row| held(row.new.run) && tables.is_pressed(row.new.id))
                .map(|row| {
                    let outcome = UnresolvedOutcome {
                        stored: now,
                        reason: FailureReason::InterruptedPastPress,
                        attempt: Some(row.new.id),
                    };
                    (row.new.api.clone(), outcome)
                })
                .collect()
        });
        self.truth(|truth| truth.crashed.extend(crashed));
    }

    /// A cooldown is written: it begins now.
    pub(crate) fn closed_on_disk(&self, cooldown: &Cooldown) {
        let now = self.time.truth();
        if !cooldown.is_stop() {
            let digits = cooldown.mobile_number.digits().to_owned();
            self.truth(|truth| truth.cooling.insert(digits, now));
        }
    }

    /// These accounts are closed now, as Vega says.
    pub(crate) fn check_closed(&self, closed: &[Cooldown]) {
        let now = self.time.truth();
        for closed in closed.iter().filter(|closed| !closed.is_stop()) {
            let digits = closed.mobile_number.digits();
            let Some(since) = self.truth(|truth| truth.cooling.get(digits).copied()) else {
                continue;
            };
            if now - since > cooldown() + LEEWAY && !self.lost_count_of(since) {
                let words = format!(
                    "account {} since {} minutes",
                    closed.account,
                    (now - since).num_minutes()
                );
                self.broken(Rule::ClosedTooLong, &words);
            }
        }
    }

    /// When all is well again: every token that Upstox issued is somewhere, and nothing is left half done.
    pub(crate) fn check_evening(&self) {
        let issued = self.upstox.books().tokens.clone();
        for token in issued.iter().filter(|token| !self.disk.had_token(&token.text)) {
            let failure = self.disk.read(|tables| {
                let mut attempts = tables.attempts.iter();
                let row = attempts.find(|row| row.new.state.expose() == token.state)?;
                row.failure.as_ref().map(|failure| failure.reason)
            });
            let is_safe = self.truth(|truth| truth.safe.contains(&token.state));
            let is_late = self.truth(|truth| truth.late.contains(&token.state));
            let is_told = match failure {
                Some(FailureReason::OutcomeUnknown) => !is_safe || is_late,
                Some(FailureReason::NeedsReview | FailureReason::WrongUser | FailureReason::Superseded) => {
                    true
                }
                _ => false,
            };
            if !is_told {
                let why = failure.map_or("open", FailureReason::code);
                self.broken(
                    Rule::TokenLost,
                    &format!("of {}; its attempt is {why}", token.client),
                );
            }
        }
        let now = self.time.now();
        let left = self.disk.read(|tables| {
            let active = tables.runs.iter().any(|row| row.record.state.is_active());
            let overdue = tables.runs.iter().any(|row| {
                row.record.state == RunState::Incomplete && row.record.started_at < expiry::day_start(now)
            });
            let open = tables.attempts.iter().any(AttemptRow::is_open);
            [
                (active, "an active run"),
                (overdue, "a run of an earlier day"),
                (open, "an open attempt"),
            ]
        });
        for (_, what) in left.into_iter().filter(|(is_left, _)| *is_left) {
            self.broken(Rule::IllegalState, &format!("{what} is left"));
        }
    }
}

impl Here {
    /// A sign-in for this API begins.
    pub(crate) fn check_sign_in(&self, account: &Account, api: &Api) {
        let world = &self.world;
        let number = self.process.number;
        if !self.has_lease() {
            self.broken(Rule::TwoAtOnce, "signs in without the lease");
        }
        // It was told of nothing since, and what it does without a commit is counted.
        if self.is_taken_over() {
            return;
        }
        if world.signs_in_beside(number) {
            self.broken(Rule::TwoAtOnce, "another process signs in, too");
        }
        self.check_token(account, api);
        self.check_account(account);
        let now = self.process.clock.now();
        let outcome = world.truth(|truth| truth.unresolved.get(&api.name).cloned());
        let outcome = outcome.filter(|outcome| outcome.stored >= expiry::day_start(now));
        if let Some(outcome) = outcome.filter(|outcome| !self.has_a_yes_for(&api.name, outcome)) {
            self.broken(
                Rule::Unresolved,
                &format!("{} after {}", api.name, outcome.reason),
            );
        }
    }

    /// A plan was made. `--again` is a word about the unresolved outcomes that it knows.
    pub(crate) fn planned(&self, again: &[ApiName]) {
        let told = locked(&self.process.told).clone();
        let sees = |outcome: &UnresolvedOutcome, api: &ApiName| outcome.attempt.as_ref() == told.get(api);
        self.world.truth(|truth| {
            let is_left =
                |api: &ApiName, outcome: &mut UnresolvedOutcome| !(again.contains(api) && sees(outcome, api));
            truth.unresolved.retain(is_left);
            truth.crashed.retain(is_left);
        });
        *locked(&self.process.told_in_plan) = told;
    }

    /// Whether this operator's yes was to a plan that told of this very outcome. A standing yes covers no plan that does,
    /// unless the API was named to be signed in for again.
    fn has_a_yes_for(&self, api: &ApiName, outcome: &UnresolvedOutcome) -> bool {
        let plan = locked(&self.process.confirmed);
        plan.as_ref()
            .is_some_and(|plan| self.tells_of(plan, api, outcome))
    }

    /// Whether a plan of this process, its last one, tells of this outcome and of no other one in the same words.
    fn tells_of(&self, plan: &Plan, api: &ApiName, outcome: &UnresolvedOutcome) -> bool {
        let mut planned = plan.apis().iter();
        let is_told = planned.any(|planned| {
            let known = planned.last_failure.as_ref();
            planned.api == *api && known.is_some_and(|known| known.reason == outcome.reason)
        });
        is_told && locked(&self.process.told_in_plan).get(api) == outcome.attempt.as_ref()
    }

    fn check_token(&self, account: &Account, api: &Api) {
        let (time, clock) = (&self.world.time, &self.process.clock);
        let lately = TimeDelta::minutes(2);
        if time.was_set_within(lately) || clock.was_set_within(lately) {
            return;
        }
        let now = clock.now();
        let plan = locked(&self.process.confirmed).clone();
        let is_forced = plan.as_ref().is_some_and(|plan| plan.force().is_some());
        let is_closed = |at| expiry::closed_until(at).is_some();
        if is_closed(now) && is_closed(now - TimeDelta::seconds(30)) && !is_forced {
            self.broken(Rule::ClosedHours, &format!("for {}", api.name));
        }
        let Some(row) = self.newest_token(&api.name) else {
            return;
        };
        // It died long ago, whatever a clock that was set back says.
        if row.is_erased {
            return;
        }
        let token = row.token;
        let is_of_others = token.client_id != api.client_id
            || account
                .user_id
                .as_ref()
                .is_some_and(|user| *user != token.user_id);
        let is_to_be_replaced = plan.is_some_and(|plan| {
            let mut forced = plan.apis().iter();
            forced.any(|planned| {
                planned.api == api.name
                    && planned.cause == SignInCause::Forced
                    && planned.replaces == Some(token.generation)
            })
        });
        if is_of_others || is_to_be_replaced {
            return;
        }
        let status = token.status(now);
        let truth = time.truth();
        let is_alive = {
            let books = self.world.upstox.books();
            let issued = books.token(token.access_token.expose());
            issued.is_some_and(|issued| issued.is_alive(truth) && token.valid_until >= issued.dies_at)
        };
        let words = format!("{} {} is {status}", api.name, token.generation);
        if status == TokenStatus::Unknown {
            self.broken(Rule::SignInForUnknown, &words);
        } else if status == TokenStatus::Valid || is_alive && clock.is_right() {
            self.broken(Rule::SignInForLiving, &words);
        }
    }

    fn check_account(&self, account: &Account) {
        let world = &self.world;
        let digits = account.mobile_number.digits();
        let closed = world.truth(|truth| truth.closed.get(digits).cloned());
        let Some(closed) = closed.filter(|closed| closed.is_known_to(self.process.run())) else {
            return;
        };
        let words = format!("account {} after {}", account.id, closed.reason);
        let cools = world.time.truth() - closed.since < cooldown();
        if closed.is_stop() || cools && !world.lost_count_of(closed.since) {
            self.broken(Rule::ClosedAccount, &words);
        } else if closed.needs_yes {
            self.broken(Rule::NobodyAsked, &words);
        }
    }

    /// Vega presses "Get OTP" now, or has put on record that it is pressed.
    pub(crate) fn check_press(&self, account: &Account, api: &Api, state: &OAuthState) {
        let world = &self.world;
        self.check_effect(&format!("Get OTP is pressed for {}", api.name));
        // It counts from when it was put on record; whoever was held up makes it later.
        let granted_at = locked(&self.process.granted_at).take();
        let (true_now, now) = (granted_at.unwrap_or_else(|| world.time.truth()), world.time.now());
        let window = TimeDelta::from_std(BUDGET.window).unwrap_or_default() - LEEWAY;
        let mobile = &account.mobile_number;
        let before = world.truth(|truth| truth.presses_within(mobile, window, true_now));
        let budget = usize::try_from(BUDGET.presses).unwrap_or(usize::MAX);
        if before.len() >= budget && !before.iter().any(|at| world.lost_count_of(*at)) {
            let words = format!("press {} for account {}", before.len() + 1, account.id);
            self.broken(Rule::BeyondBudget, &words);
        }
        let crashed = world.truth(|truth| truth.crashed.get(&api.name).cloned());
        let crashed = crashed.filter(|outcome| outcome.stored >= expiry::day_start(now));
        let crashed = crashed.filter(|_| !self.is_taken_over());
        if crashed.is_some_and(|outcome| !self.has_a_yes_for(&api.name, &outcome)) {
            self.broken(Rule::PressAfterCrash, &format!("for {}", api.name));
        }
        let is_second = world.truth(|truth| {
            truth.pressed(mobile, true_now);
            !truth.pressed_for.insert(state.expose().to_owned())
        });
        if is_second {
            self.broken(Rule::SecondPress, &format!("for {}", api.name));
        }
    }

    /// An OTP or PIN is entered now.
    pub(crate) fn check_factor(&self, account: &Account) {
        let digits = account.mobile_number.digits();
        let closed = self.world.truth(|truth| truth.closed.get(digits).cloned());
        let is_refused = closed.is_some_and(|closed| {
            let refused = matches!(
                closed.reason,
                FailureReason::OtpRefused | FailureReason::PinRefused
            );
            refused && closed.is_known_to(self.process.run())
        });
        if is_refused && !self.is_taken_over() {
            self.broken(Rule::FactorRetried, &format!("for account {}", account.id));
        }
    }

    /// The operator answers a plan that was shown at `shown`. Returns what of it the answer covers.
    pub(crate) fn answered(&self, plan: &Plan, answer: Answer, shown: DateTime<Utc>) -> Option<Plan> {
        let covered = match answer {
            Answer::Yes => Some(plan.clone()),
            Answer::StandingYes => plan.clone().for_a_standing_yes(),
            Answer::No | Answer::NobodyToAsk => None,
        }?;
        let world = &self.world;
        world.truth(|truth| {
            for account in covered.accounts().into_iter().filter_map(|id| world.account(id)) {
                let digits = account.mobile_number.digits();
                let Some(closed) = truth.closed.get_mut(digits) else {
                    continue;
                };
                closed.needs_yes = false;
                let sees_stop =
                    closed.since <= shown && covered.stopped().iter().any(|stop| stop.account == account.id);
                if closed.is_stop() && sees_stop {
                    truth.closed.remove(digits);
                }
            }
            if answer == Answer::Yes {
                // A yes answers the unresolved outcomes that its plan told of, also when its process dies before it uses it.
                let is_left =
                    |api: &ApiName, outcome: &mut UnresolvedOutcome| !self.tells_of(&covered, api, outcome);
                truth.unresolved.retain(is_left);
                truth.crashed.retain(is_left);
            }
        });
        Some(covered)
    }

    /// A run is called completed.
    pub(crate) fn check_completed(&self, run: &RunRecord) {
        let now = self.process.clock.now();
        for step in &run.steps {
            let token = self.newest_token(&step.api);
            let is_there = token.is_some_and(|row| {
                let token = row.token;
                !row.is_erased
                    && token.verified_at.is_some()
                    && token.rejected_at.is_none()
                    && token.valid_until > now
            });
            if !is_there || !step.state.is_settled() {
                let words = format!("{} is {}", step.api, step.state.as_str());
                self.broken(Rule::CompletedWithout, &words);
            }
        }
    }
}
