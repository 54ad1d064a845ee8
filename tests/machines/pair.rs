//! Two machines with one database, their Upstox, and what a round needs of them. What a round does is `rounds`', what is looked at after it
//! `promises`'.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use fastrand::Rng;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};
use vega_testing::{PostgresLink, PostgresServer};
use vega_tests::{Caller, Desk, Ran, Server, Upstox, say};

use crate::calendar::Calendar;
use crate::database::Database;
use crate::promises::Promises;

/// Enough for "one and the other", and quick.
const APPS: usize = 2;
/// As Upstox allows in ten minutes, and Vega is set by default.
const PRESSES: u32 = 4;
/// Nothing here takes longer, however busy the computer is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// So far the second machine's clock is wrong, in minutes.
const WRONG_CLOCKS: [i64; 3] = [-10, 0, 10];

/// Where the other host's way leads while there is no other one: both to one server would look like two that take writes.
const NO_SERVER: &str = "no-server";

/// One machine: a home of its own, and its ways to the database.
pub(crate) struct Machine {
    pub(crate) desk: Desk,
    /// The way to the server that takes writes.
    pub(crate) link: PostgresLink,
    /// The way to the other host, where the URL names two.
    beside: PostgresLink,
}

impl Machine {
    /// Names one host, or both in either order.
    fn names(&mut self, database: &str, hosts: Hosts) {
        let (link, beside) = (self.link.address(), self.beside.address());
        let url = match hosts {
            Hosts::OneName => self.link.url(database),
            Hosts::Both => format!("postgres://vega@{link},{beside}/{database}"),
            Hosts::BothTurned => format!("postgres://vega@{beside},{link}/{database}"),
        };
        self.desk.use_database(&url);
    }
}

/// How a machine's URL names the database servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// By a name that is given to whichever server takes writes.
    OneName,
    /// As two hosts.
    Both,
    /// The same in the other order.
    BothTurned,
}

/// Who has the round's work, and who is the other one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles {
    pub(crate) one: usize,
    pub(crate) other: usize,
}

/// Two machines.
pub(crate) struct Pair {
    pub(crate) upstox: Upstox,
    pub(crate) machines: [Machine; 2],
    pub(crate) database: Database,
    pub(crate) promises: Promises,
    pub(crate) random: Rng,
    pub(crate) hosts: Hosts,
    calendar: Calendar,
    /// What a sign-in took when nothing happened to it.
    pub(crate) life: Duration,
}

impl Pair {
    /// Makes the desk and signs in once; a defect comes after that.
    pub(crate) async fn start(seed: u64, defect: Option<&str>) -> Result<Self> {
        let upstox = Upstox::start_with_apps(APPS).await?;
        upstox.otp_limit(PRESSES).await?;
        let database = tokio::task::spawn_blocking(Database::start).await?;
        let machines = [
            machine(&upstox, &database, "one").await?,
            machine(&upstox, &database, "other").await?,
        ];
        let calendar = Calendar::of_a_morning(&upstox, [&machines[0].desk, &machines[1].desk]).await?;
        let first = machines[0].desk.vega(&["status"]).await?;
        ensure!(first.code == Some(3), "nothing is there yet: {first:?}");
        machines[0].desk.give_key(&machines[1].desk)?;
        let mut pair = Self {
            upstox,
            machines,
            database,
            promises: Promises::default(),
            random: Rng::with_seed(seed),
            hosts: Hosts::OneName,
            calendar,
            life: PATIENCE,
        };
        let began = Instant::now();
        let ran = pair.vega(0, &["--yes"]).await?;
        pair.life = began.elapsed();
        ensure!(
            ran.code == Some(0),
            "a morning on which nothing happens fails: {ran:?}"
        );
        let broken = pair.look().await?;
        ensure!(
            broken.is_empty(),
            "a morning on which nothing happens: {broken:?}"
        );
        if let Some(defect) = defect {
            for machine in &pair.machines {
                machine.desk.inject(defect)?;
            }
        }
        Ok(pair)
    }

    /// All tokens are dead, the budget is whole, the second machine has another clock than before, and the servers are named anew.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        let hosts = [Hosts::OneName, Hosts::Both, Hosts::BothTurned];
        self.hosts = hosts[self.random.usize(..hosts.len())];
        for machine in &mut self.machines {
            machine.names(self.database.name(), self.hosts);
        }
        let desks = [&self.machines[0].desk, &self.machines[1].desk];
        let is_new_day = self.calendar.pass_a_window(&self.upstox, desks).await?;
        if !is_new_day {
            self.upstox.revoke_tokens().await?;
        }
        let wrong = TimeDelta::minutes(WRONG_CLOCKS[self.random.usize(..WRONG_CLOCKS.len())]);
        self.machines[1].desk.set_machine_clock_wrong(wrong)?;
        let now = self.calendar.now(&self.upstox).await?;
        self.promises.round_begins(&self.upstox, now).await
    }

    /// Who signs in, drawn.
    pub(crate) fn roles(&mut self) -> Roles {
        let one = self.random.usize(..2);
        Roles { one, other: 1 - one }
    }

    /// A standby that has whatever the server acknowledges from now on, or only what it did so far.
    pub(crate) fn standby(&self, is_synchronous: bool) -> PostgresServer {
        let standby = self.database.standby(is_synchronous);
        for machine in &self.machines {
            machine.beside.leads_to(standby.socket());
        }
        standby
    }

    /// The server dies, and its standby takes its place. Returns the one that was replaced.
    pub(crate) fn fails_over_to(&mut self, standby: PostgresServer) -> PostgresServer {
        let replaced = self.database.fails_over_to(standby);
        for machine in &mut self.machines {
            match self.hosts {
                Hosts::OneName => {
                    machine.link.leads_to(self.database.server().socket());
                    machine.beside.leads_to(NO_SERVER.into());
                }
                Hosts::Both | Hosts::BothTurned => std::mem::swap(&mut machine.link, &mut machine.beside),
            }
        }
        replaced
    }

    /// Sets the second machine's clock wrong by so many minutes.
    pub(crate) fn clocks_are_apart(&self, minutes: i64) -> Result<()> {
        let desk = &self.machines[1].desk;
        desk.set_machine_clock_wrong(TimeDelta::minutes(minutes))
    }

    pub(crate) async fn minutes_pass(&mut self, minutes: i64) -> Result<()> {
        let desks = [&self.machines[0].desk, &self.machines[1].desk];
        let by = TimeDelta::minutes(minutes);
        self.calendar.pass(by, &self.upstox, desks).await
    }

    /// Runs `vega` on a machine to its end.
    pub(crate) async fn vega(&self, machine: usize, arguments: &[&str]) -> Result<Ran> {
        ended(self.machines[machine].desk.start(arguments)?).await
    }

    /// The names of the APIs.
    pub(crate) fn apis(&self) -> Vec<String> {
        self.upstox.apps().map(str::to_owned).collect()
    }

    /// A yes that also covers what has an unresolved outcome.
    pub(crate) fn yes_to_all(&self) -> Vec<String> {
        let mut arguments = vec!["--yes".to_owned(), "--no-wait".to_owned()];
        for api in self.upstox.apps() {
            arguments.extend(["--again".to_owned(), api.to_owned()]);
        }
        arguments
    }

    /// Signs in for everything that has no token. While somebody clears up, it is tried again.
    pub(crate) async fn sign_in(&self, machine: usize) -> Result<Ran> {
        let arguments = self.yes_to_all();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.vega(machine, &arguments).await
    }

    /// A server on a machine, and a program that may read each token.
    pub(crate) async fn server(&self, machine: usize) -> Result<(Server, Caller)> {
        let desk = &self.machines[machine].desk;
        let server = Server::start(desk).await?;
        let name = format!("reader{}", fastrand::u32(..));
        let scopes: Vec<String> = self.upstox.apps().map(|api| format!("token:{api}")).collect();
        let mut arguments = vec!["key", "add", &name];
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        let made = self.vega(machine, &arguments).await?;
        ensure!(made.code == Some(0), "no key: {made:?}");
        let key = Caller::Key(made.stdout.trim().to_owned());
        Ok((server, key))
    }

    /// What is found broken now.
    pub(crate) async fn look(&mut self) -> Result<Vec<String>> {
        let now = self.calendar.now(&self.upstox).await?;
        let Self {
            upstox,
            machines,
            database,
            promises,
            ..
        } = self;
        promises.look(upstox, machines, database, now).await
    }

    pub(crate) fn tell(&self, rounds: u32, took: Duration) {
        let tally = &self.promises.tally;
        say(&format!(
            "{rounds} rounds in {:.0} s ({:.1} s each), {} tokens, {} OTP presses, {} answers that came late; {}",
            took.as_secs_f64(),
            took.as_secs_f64() / f64::from(rounds.max(1)),
            self.promises.tokens(),
            tally.presses,
            self.promises.late,
            self.promises.figures,
        ));
    }
}

async fn machine(upstox: &Upstox, database: &Database, name: &str) -> Result<Machine> {
    let link = PostgresLink::open(database.server().socket()).await?;
    // To a host that is not there, until a standby is.
    let beside = PostgresLink::open(NO_SERVER.into()).await?;
    let mut desk = Desk::with_test_hooks(upstox)?;
    desk.trust_one()?;
    desk.use_database(&link.url(database.name()));
    desk.is_another_computer(name)?;
    Ok(Machine { desk, link, beside })
}

/// Waits for a program to end.
pub(crate) async fn ended(vega: Child) -> Result<Ran> {
    let ran = timeout(PATIENCE, Ran::to_its_end(vega));
    ran.await.context("vega does not end")?
}

/// How long it took until this was so; `None` when it did not come within `at_most`.
pub(crate) async fn time_until<F: Future<Output = bool>>(
    at_most: Duration,
    is_so: impl Fn() -> F,
) -> Option<Duration> {
    let began = Instant::now();
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(at_most, wait).await.is_ok();
    came.then(|| began.elapsed())
}
