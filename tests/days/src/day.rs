//! One day of a desk, from 03:30 IST to 03:30 IST: what was drawn happens, and in the evening, when nothing is wrong any
//! more, there must be a way back to good tokens.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use vega_domain::ports::Clock;

use crate::process::Manner;
use crate::program::Program;
use crate::rules::Rule;
use crate::schedule::{self, EVENING, Happening};
use crate::visit::{Came, Generate, visit};
use crate::weather::Weather;
use crate::world::World;

/// So many starts with an operator who says yes must do.
const ROUNDS: u32 = 6;

/// Lets one day happen. Ends early when a rule is broken.
pub(crate) async fn live(world: &Arc<World>, begins: DateTime<Utc>, visits: &mut JoinSet<()>) {
    let usual = Weather {
        storm: *world.chance.pick(&[0, 0, 8, 25, 70]),
        slips: *world.chance.pick(&[5, 30, 100]),
        ..Weather::CALM
    };
    world.tell(&format!(
        "the day begins: storm {}, slips {}",
        usual.storm, usual.slips
    ));
    world.change_weather(|weather| *weather = usual);
    let mut is_evening_over = false;
    for (after, what) in schedule::draw(&world.chance, &world.accounts) {
        if after >= EVENING && !std::mem::replace(&mut is_evening_over, true) {
            sleep_until(world.time.instant(begins + offset(EVENING))).await;
            evening(world).await;
            world.change_weather(|weather| *weather = usual);
        }
        sleep_until(world.time.instant(begins + offset(after))).await;
        collect(visits);
        if world.is_any_rule_broken() {
            return;
        }
        happen(world, what, visits);
    }
    if !is_evening_over {
        sleep_until(world.time.instant(begins + offset(EVENING))).await;
        evening(world).await;
    }
    sleep_until(world.time.instant(begins + TimeDelta::days(1))).await;
    collect(visits);
    world.look();
    world.forget_old();
}

fn offset(after: Duration) -> TimeDelta {
    TimeDelta::from_std(after).unwrap_or_default()
}

/// A panic of a visit is a panic of the campaign.
fn collect(visits: &mut JoinSet<()>) {
    while let Some(ended) = visits.try_join_next() {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn happen(world: &Arc<World>, what: Happening, visits: &mut JoinSet<()>) {
    let now = world.time.truth();
    match what {
        Happening::Start {
            manner,
            dies_after,
            wish,
        } => {
            visits.spawn(visit(world.process(manner, dies_after), wish));
            return;
        }
        Happening::Kill => {
            let living = world.living();
            if !living.is_empty() {
                let process = world.chance.pick(&living);
                world.dies(process, "is killed from outside");
            }
            return;
        }
        Happening::StartAnew => {
            kill_all(world, "dies with the power");
            world.time.start_anew();
        }
        Happening::SetClock(ahead) => world.time.set_ahead(ahead),
        Happening::Storage(storage) => world.change_weather(|weather| weather.storage = storage),
        Happening::Spool { fails } => world.change_weather(|weather| weather.spool_fails = fails),
        Happening::Reach(reach) => world.change_weather(|weather| weather.reach = reach),
        Happening::Browser { missing } => world.change_weather(|weather| weather.browser_missing = missing),
        Happening::Human { there } => world.change_weather(|weather| weather.human_is_there = there),
        Happening::TokenMadeElsewhere(ref client) => world.upstox.books().kill(client),
        Happening::AllTokensDie => world.upstox.books().kill_all(),
        Happening::OtpElsewhere(ref digits) => {
            world.upstox.books().login(digits).request_otp(now);
        }
        Happening::AppTrouble(ref client, trouble) => {
            world.upstox.books().troubles.insert(client.clone(), trouble);
        }
        Happening::Dormant(ref digits) => world.upstox.books().login(digits).is_dormant = true,
    }
    world.tell(&format!("-- {what:?}"));
}

fn kill_all(world: &World, how: &str) {
    for process in world.living() {
        world.dies(&process, how);
    }
}

/// Nothing is wrong any more, the clock is right, the operator is there and says yes.
async fn evening(world: &Arc<World>) {
    kill_all(world, "is ended for the evening");
    world.change_weather(|weather| *weather = Weather::CALM);
    if world.time.now() != world.time.truth() {
        world.time.set_ahead(TimeDelta::zero());
    }
    {
        let mut books = world.upstox.books();
        books.troubles.clear();
        books
            .logins
            .values_mut()
            .for_each(crate::upstox::Login::is_mended);
    }
    world.tell("-- evening: all is well");
    let mut came = None;
    for _ in 0..ROUNDS {
        sleep(Duration::from_secs(130)).await;
        let here = world.process(Manner::Terminal, None);
        let outcome = match Program::start(here.clone()).await {
            Ok(program) => program.generate(&Generate::default()).await,
            Err(error) => Err(Arc::new(error.into())),
        };
        let is_well = matches!(outcome, Ok(Came::AllValid));
        came = Some(outcome);
        if is_well {
            check_good_tokens(world, &here);
        }
        world.ends(&here.process);
        if is_well || world.is_any_rule_broken() {
            break;
        }
    }
    match came {
        Some(Ok(Came::AllValid)) => world.check_evening(),
        _ if world.is_any_rule_broken() => {}
        other => world.broken(Rule::Stuck, &format!("after {ROUNDS} starts: {other:?}")),
    }
}

/// What is called valid is what Upstox takes, and programs get it.
fn check_good_tokens(world: &World, here: &crate::process::Here) {
    let now = world.time.truth();
    for api in world.accounts.iter().flat_map(|account| &account.apis) {
        let served = here
            .process
            .registry
            .get()
            .and_then(|registry| registry.get(&api.name));
        let is_good = served.is_some_and(|token| {
            let books = world.upstox.books();
            let issued = books.token(token.access_token.expose());
            issued.is_some_and(|issued| issued.is_alive(now) && issued.client == api.client_id.as_str())
        });
        if !is_good {
            world.broken(Rule::Stuck, &format!("{} is called valid, and is not", api.name));
        }
    }
}
