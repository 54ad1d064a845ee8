//! What happens on one day, drawn before it begins: who starts what when and where, what fails, who dies or is held up, how clocks
//! are set. What belongs to several machines alone is drawn in `machines`.

mod machines;

use std::time::Duration;

use chrono::TimeDelta;
use vega_domain::account::Account;
use vega_domain::accounts::ApiSelection;
use vega_domain::ids::ApiName;

use crate::fault_state::{Reach, Storage};
use crate::process::{Fate, Manner};
use crate::process_session::{Generate, Task};
use crate::seeded_rng::SeededRng;
use crate::upstox::AppTrouble;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum ScheduledEvent {
    Start {
        machine: usize,
        manner: Manner,
        fate: Fate,
        task: Task,
    },
    /// One of the living processes is killed.
    Kill,
    /// The power of this machine fails.
    StartAnew(usize),
    /// The clock of this machine, or that of the database that machines share, is set.
    SetClock(usize, TimeDelta),
    /// This machine does not reach the database, or does again.
    CutOff(usize, bool),
    Storage(Storage),
    Spool {
        fails: bool,
    },
    Reach(Reach),
    Browser {
        missing: bool,
    },
    Human {
        there: bool,
    },
    /// A token is made in Upstox's console, which kills the one that Vega has.
    TokenMadeElsewhere(String),
    /// The static IP is changed, which kills all.
    AllTokensDie,
    /// An OTP is asked for on the phone.
    OtpElsewhere(String),
    AppTrouble(String, AppTrouble),
    Dormant(String),
}

/// When after 03:30 IST.
pub(crate) type At = Duration;

const HOUR: u32 = 3600;
/// Everything that is drawn for the day lies before the evening, but for what belongs to the night.
pub(crate) const EVENING: Duration = Duration::from_mins(17 * 60 + 30);
const NIGHT: (u32, u32) = (19 * HOUR, 24 * HOUR);

struct Draw<'a> {
    rng: &'a SeededRng,
    accounts: &'a [Account],
    machines: usize,
    all: Vec<(At, ScheduledEvent)>,
}

/// What happens on a desk with so many machines, in order.
pub(crate) fn draw(rng: &SeededRng, accounts: &[Account], machines: usize) -> Vec<(At, ScheduledEvent)> {
    let mut draw = Draw {
        rng,
        accounts,
        machines,
        all: Vec::new(),
    };
    let morning = rng.between(17_000..=21_000);
    draw.morning(morning);
    draw.rest_of_the_day();
    draw.night();
    draw.troubles(morning);
    if machines > 1 {
        draw.several_machines(morning);
    }
    draw.all.sort_by_key(|(at, _)| *at);
    draw.all
}

impl Draw<'_> {
    fn add(&mut self, at: Duration, what: ScheduledEvent) {
        self.all.push((at, what));
    }

    fn at(&self, from: u32, to: u32) -> Duration {
        self.rng.seconds(from..=to)
    }

    fn manner(&self) -> Manner {
        *self.rng.pick(&[
            Manner::Terminal,
            Manner::Terminal,
            Manner::Terminal,
            Manner::StandingYes,
            Manner::StandingYes,
            Manner::Timer,
            Manner::TimerWithoutYes,
        ])
    }

    fn dies_after(&self) -> Option<u32> {
        self.rng.permille(350).then(|| self.rng.between(0..=130))
    }

    fn fate(&self) -> Fate {
        Fate {
            dies_after: self.dies_after(),
            held_up: self.held_up(),
        }
    }

    fn starts(&mut self, at: Duration, manner: Manner, fate: Fate, task: Task) {
        let machine = self.machine();
        let start = ScheduledEvent::Start {
            machine,
            manner,
            fate,
            task,
        };
        self.add(at, start);
    }

    fn some_apis(&self) -> Vec<ApiName> {
        let apis = self.accounts.iter().flat_map(|account| &account.apis);
        let apis = apis.filter(|_| self.rng.permille(500));
        apis.map(|api| api.name.clone()).collect()
    }

    fn generate(&self) -> Generate {
        let rng = self.rng;
        Generate {
            apis: if rng.permille(150) {
                ApiSelection::named(self.some_apis())
            } else {
                ApiSelection::All
            },
            again: if rng.permille(60) {
                self.some_apis()
            } else {
                Vec::new()
            },
            force: rng.permille(80),
            leaves: rng.permille(300),
            stopped_after: rng.permille(120).then(|| rng.seconds(1..=400)),
        }
    }

    fn start(&mut self, at: Duration, task: Task) {
        let (manner, fate) = (self.manner(), self.fate());
        self.starts(at, manner, fate, task);
        if self.rng.permille(150) {
            let task = Task::Generate(self.generate());
            let (manner, fate) = (self.manner(), self.fate());
            let at = at + self.rng.millis(0..=5000);
            self.starts(at, manner, fate, task);
        }
        if self.rng.permille(150) {
            let at = at + self.at(2, 500);
            self.starts(at, Manner::Terminal, Fate::default(), Task::Cancel);
        }
        if self.rng.permille(150) {
            self.add(at + self.at(0, 300), ScheduledEvent::Kill);
        }
    }

    fn morning(&mut self, morning: u32) {
        let mut at = Duration::from_secs(morning.into());
        for _ in 0..self.rng.between(1..=4) {
            let task = Task::Generate(self.generate());
            self.start(at, task);
            at += self.at(20, 1500);
        }
    }

    fn rest_of_the_day(&mut self) {
        for _ in 0..self.rng.between(0..=3) {
            let at = self.at(60, 17 * HOUR);
            let task = Task::Generate(self.generate());
            self.start(at, task);
        }
        for _ in 0..self.rng.between(0..=2) {
            let at = self.at(0, 17 * HOUR);
            self.starts(at, Manner::TimerWithoutYes, Fate::default(), Task::Read);
        }
        if self.rng.permille(300) {
            let requests = (0..self.rng.between(2..=6))
                .map(|_| (self.at(30, 1800), self.generate()))
                .collect();
            let at = self.at(4 * HOUR, 8 * HOUR);
            self.start(at, Task::Serve(requests));
            // Somebody else makes tokens beside the server, which must hear of them.
            if self.rng.permille(600) {
                let task = Task::Generate(Generate {
                    force: self.rng.permille(400),
                    ..self.generate()
                });
                let at = at + self.at(30, 2400);
                self.start(at, task);
            }
        }
    }

    /// Around 03:30 IST.
    fn night(&mut self) {
        let (from, to) = NIGHT;
        if self.rng.permille(250) {
            let near = if self.rng.permille(600) { to - 1800 } else { from };
            let at = self.at(near, to);
            let task = Task::Generate(self.generate());
            self.start(at, task);
        }
        if self.rng.permille(150) {
            let requests = (0..self.rng.between(1..=6))
                .map(|_| (self.at(10, 1800), self.generate()))
                .collect();
            let at = self.at(to - 5400, to - 600);
            self.start(at, Task::Serve(requests));
        }
    }

    /// For a while, around a time.
    fn for_a_while(&mut self, around: u32, longest: u32, begins: ScheduledEvent, ends: ScheduledEvent) {
        let at = self.at(around.saturating_sub(600), around + 3000);
        let length = self.at(1, longest);
        self.add(at, begins);
        self.add(at + length, ends);
    }

    fn troubles(&mut self, morning: u32) {
        let rng = self.rng;
        if rng.permille(280) {
            let how = *rng.pick(&[Storage::TakesNothing, Storage::TakesNothing, Storage::Fails]);
            let works = ScheduledEvent::Storage(Storage::Works);
            self.for_a_while(morning, 240, ScheduledEvent::Storage(how), works);
        }
        if rng.permille(150) {
            let (begins, ends) = (
                ScheduledEvent::Spool { fails: true },
                ScheduledEvent::Spool { fails: false },
            );
            self.for_a_while(morning, 1800, begins, ends);
        }
        if rng.permille(250) {
            let how = *rng.pick(&[Reach::Down, Reach::NoNetwork, Reach::Throttles]);
            self.for_a_while(
                morning,
                900,
                ScheduledEvent::Reach(how),
                ScheduledEvent::Reach(Reach::Works),
            );
        }
        if rng.permille(40) {
            let begins = ScheduledEvent::Browser { missing: true };
            self.for_a_while(morning, 1200, begins, ScheduledEvent::Browser { missing: false });
        }
        if rng.permille(300) {
            let begins = ScheduledEvent::Human { there: false };
            self.for_a_while(morning, 3600, begins, ScheduledEvent::Human { there: true });
        }
        if rng.permille(80) {
            self.unresolved(morning);
        }
        self.clocks(morning);
        self.elsewhere(morning);
    }

    /// One dies past the press, perhaps, and two operators are asked about that at the same time, of whom one dies, too.
    fn unresolved(&mut self, morning: u32) {
        let mut at = self.at(morning, morning + 3600);
        let rng = self.rng;
        let generate = || Task::Generate(Generate::default());
        let dies = || Fate {
            dies_after: Some(rng.between(15..=60)),
            held_up: None,
        };
        self.starts(at, Manner::Terminal, dies(), generate());
        at += rng.seconds(120..=900);
        self.starts(at, Manner::Terminal, dies(), generate());
        at += rng.seconds(0..=40);
        self.starts(at, Manner::Terminal, Fate::default(), generate());
    }

    fn clocks(&mut self, morning: u32) {
        if self.rng.permille(250) {
            let off = if self.rng.permille(500) {
                Duration::from_secs(280)
            } else {
                self.at(15, 3 * HOUR)
            };
            let off = TimeDelta::from_std(off).unwrap_or_default();
            let off = if self.rng.permille(500) { off } else { -off };
            let which = self.clock();
            let right = ScheduledEvent::SetClock(which, TimeDelta::zero());
            self.for_a_while(morning, 3000, ScheduledEvent::SetClock(which, off), right);
        }
        if self.rng.permille(120) {
            let at = self.at(morning, morning + 4000);
            let machine = self.machine();
            self.add(at, ScheduledEvent::StartAnew(machine));
        }
    }

    fn elsewhere(&mut self, morning: u32) {
        let rng = self.rng;
        let account = rng.pick(self.accounts);
        let digits = account.mobile_number.digits().to_owned();
        let client = rng.pick(&account.apis).client_id.to_string();
        if rng.permille(250) {
            let at = self.at(morning, 17 * HOUR);
            self.add(at, ScheduledEvent::TokenMadeElsewhere(client.clone()));
        }
        if rng.permille(40) {
            let at = self.at(morning, 17 * HOUR);
            self.add(at, ScheduledEvent::AllTokensDie);
        }
        if rng.permille(250) {
            for _ in 0..rng.between(1..=4) {
                let at = self.at(morning.saturating_sub(300), morning + 600);
                self.add(at, ScheduledEvent::OtpElsewhere(digits.clone()));
            }
        }
        if rng.permille(60) {
            let trouble = *rng.pick(&[AppTrouble::Rejected, AppTrouble::Inactive]);
            self.add(Duration::ZERO, ScheduledEvent::AppTrouble(client, trouble));
        }
        if rng.permille(30) {
            self.add(Duration::ZERO, ScheduledEvent::Dormant(digits));
        }
    }
}
