//! One day of a desk, from 03:30 IST to 03:30 IST: what was drawn happens, and in the evening, when nothing is wrong any
//! more, there must be a way back to good tokens.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use vega_domain::ports::Clock;

use crate::fault_state::FaultState;
use crate::here::Here;
use crate::process::{Fate, Manner};
use crate::process_session::{Came, Generate, play};
use crate::program::Program;
use crate::rules::Rule;
use crate::schedule::{self, EVENING, ScheduledEvent};
use crate::world::World;

/// So many starts with an operator who says yes must do.
const ROUNDS: u32 = 6;

/// Lets one day happen. Ends early when a rule is broken.
pub(crate) async fn live(world: &Arc<World>, begins: DateTime<Utc>, sessions: &mut JoinSet<()>) {
    let usual = FaultState {
        storm: *world.rng.pick(&[0, 0, 8, 25, 70]),
        slips: *world.rng.pick(&[5, 30, 100]),
        ..FaultState::CALM
    };
    world.tell(&format!(
        "the day begins: storm {}, slips {}",
        usual.storm, usual.slips
    ));
    world.change_faults(|faults| *faults = usual);
    let mut is_evening_over = false;
    for (after, what) in schedule::draw(&world.rng, &world.accounts, world.machines.len()) {
        if after >= EVENING && !std::mem::replace(&mut is_evening_over, true) {
            sleep_until(world.time.instant(begins + offset(EVENING))).await;
            evening(world).await;
            world.change_faults(|faults| *faults = usual);
        }
        sleep_until(world.time.instant(begins + offset(after))).await;
        collect(sessions);
        if world.is_any_rule_broken() {
            return;
        }
        happen(world, what, sessions);
    }
    if !is_evening_over {
        sleep_until(world.time.instant(begins + offset(EVENING))).await;
        evening(world).await;
    }
    sleep_until(world.time.instant(begins + TimeDelta::days(1))).await;
    collect(sessions);
    world.look();
    world.forget_old();
}

fn offset(after: Duration) -> TimeDelta {
    TimeDelta::from_std(after).unwrap_or_default()
}

/// A panic of a process session is a panic of the campaign.
fn collect(sessions: &mut JoinSet<()>) {
    while let Some(ended) = sessions.try_join_next() {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn happen(world: &Arc<World>, what: ScheduledEvent, sessions: &mut JoinSet<()>) {
    let now = world.time.truth();
    match what {
        ScheduledEvent::Start {
            machine,
            manner,
            fate,
            task,
        } => {
            sessions.spawn(play(Here::starting(world, machine, manner, fate), task));
            return;
        }
        ScheduledEvent::Kill => {
            let living = world.living();
            if !living.is_empty() {
                let process = world.rng.pick(&living);
                world.dies(process, "is killed from outside");
            }
            return;
        }
        ScheduledEvent::StartAnew(machine) => {
            for process in world.living() {
                if process.machine.number == machine {
                    world.dies(&process, "dies with the power");
                }
            }
            world.machines[machine].time.start_anew();
        }
        ScheduledEvent::SetClock(which, ahead) => world.clock(which).set_ahead(ahead),
        ScheduledEvent::CutOff(machine, is_cut_off) => world.machines[machine].cut_off(is_cut_off),
        ScheduledEvent::Storage(storage) => world.change_faults(|faults| faults.storage = storage),
        ScheduledEvent::Spool { fails } => world.change_faults(|faults| faults.spool_fails = fails),
        ScheduledEvent::Reach(reach) => world.change_faults(|faults| faults.reach = reach),
        ScheduledEvent::Browser { missing } => world.change_faults(|faults| faults.browser_missing = missing),
        ScheduledEvent::Human { there } => world.change_faults(|faults| faults.human_is_there = there),
        ScheduledEvent::TokenMadeElsewhere(ref client) => world.upstox.books().kill(client),
        ScheduledEvent::AllTokensDie => world.upstox.books().kill_all(),
        ScheduledEvent::OtpElsewhere(ref digits) => {
            world.upstox.books().login(digits).request_otp(now);
        }
        ScheduledEvent::AppTrouble(ref client, trouble) => {
            world.upstox.books().troubles.insert(client.clone(), trouble);
        }
        ScheduledEvent::Dormant(ref digits) => world.upstox.books().login(digits).is_dormant = true,
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
    world.change_faults(|faults| *faults = FaultState::CALM);
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
    world.machines.iter().for_each(|machine| machine.cut_off(false));
    world.tell("-- evening: all is well");
    if world.has_several_machines() {
        spools_come_home(world).await;
    }
    let mut came = None;
    for _ in 0..ROUNDS {
        sleep(Duration::from_secs(130)).await;
        let machine = world.rng.pick(&world.machines).number;
        let here = Here::starting(world, machine, Manner::Terminal, Fate::default());
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

/// What a machine keeps beside the database comes home when a program starts there.
async fn spools_come_home(world: &Arc<World>) {
    for machine in 0..world.machines.len() {
        let here = Here::starting(world, machine, Manner::TimerWithoutYes, Fate::default());
        if let Err(error) = Program::start(here.clone()).await {
            here.tell(&format!("cannot start: {error}"));
        }
        world.ends(&here.process);
    }
}

/// What is called valid is what Upstox takes, and programs get it.
fn check_good_tokens(world: &World, here: &Here) {
    let now = world.time.truth();
    for (_, api) in world.accounts.apis() {
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
