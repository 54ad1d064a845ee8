//! What happens on one day, drawn before it begins: who starts what when, what fails, who dies, how the clock is set.

use std::time::Duration;

use chrono::TimeDelta;
use vega_domain::account::Account;
use vega_domain::ids::ApiName;

use crate::chance::Chance;
use crate::process::Manner;
use crate::upstox::AppTrouble;
use crate::visit::{Generate, Wish};
use crate::weather::{Reach, Storage};

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Start {
        manner: Manner,
        dies_after: Option<u32>,
        wish: Wish,
    },
    /// One of the living processes is killed.
    Kill,
    /// The power fails.
    StartAnew,
    SetClock(TimeDelta),
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
    chance: &'a Chance,
    accounts: &'a [Account],
    all: Vec<(At, Happening)>,
}

/// What happens, in order.
pub(crate) fn draw(chance: &Chance, accounts: &[Account]) -> Vec<(At, Happening)> {
    let mut draw = Draw {
        chance,
        accounts,
        all: Vec::new(),
    };
    let morning = chance.between(17_000..=21_000);
    draw.morning(morning);
    draw.rest_of_the_day();
    draw.night();
    draw.troubles(morning);
    draw.all.sort_by_key(|(at, _)| *at);
    draw.all
}

impl Draw<'_> {
    fn add(&mut self, at: Duration, what: Happening) {
        self.all.push((at, what));
    }

    fn at(&self, from: u32, to: u32) -> Duration {
        self.chance.seconds(from..=to)
    }

    fn manner(&self) -> Manner {
        *self.chance.pick(&[
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
        self.chance.permille(350).then(|| self.chance.between(0..=130))
    }

    fn some_apis(&self) -> Vec<ApiName> {
        let apis = self.accounts.iter().flat_map(|account| &account.apis);
        let apis = apis.filter(|_| self.chance.permille(500));
        apis.map(|api| api.name.clone()).collect()
    }

    fn generate(&self) -> Generate {
        let chance = self.chance;
        Generate {
            apis: if chance.permille(150) {
                self.some_apis()
            } else {
                Vec::new()
            },
            again: if chance.permille(60) {
                self.some_apis()
            } else {
                Vec::new()
            },
            force: chance.permille(80),
            leaves: chance.permille(300),
            stopped_after: chance.permille(120).then(|| chance.seconds(1..=400)),
        }
    }

    fn start(&mut self, at: Duration, wish: Wish) {
        let start = Happening::Start {
            manner: self.manner(),
            dies_after: self.dies_after(),
            wish,
        };
        self.add(at, start);
        if self.chance.permille(150) {
            let wish = Wish::Generate(self.generate());
            let second = Happening::Start {
                manner: self.manner(),
                dies_after: self.dies_after(),
                wish,
            };
            self.add(at + self.chance.millis(0..=5000), second);
        }
        if self.chance.permille(150) {
            let cancel = Happening::Start {
                manner: Manner::Terminal,
                dies_after: None,
                wish: Wish::Cancel,
            };
            self.add(at + self.at(2, 500), cancel);
        }
        if self.chance.permille(150) {
            self.add(at + self.at(0, 300), Happening::Kill);
        }
    }

    fn morning(&mut self, morning: u32) {
        let mut at = Duration::from_secs(morning.into());
        for _ in 0..self.chance.between(1..=4) {
            let wish = Wish::Generate(self.generate());
            self.start(at, wish);
            at += self.at(20, 1500);
        }
    }

    fn rest_of_the_day(&mut self) {
        for _ in 0..self.chance.between(0..=3) {
            let at = self.at(60, 17 * HOUR);
            let wish = Wish::Generate(self.generate());
            self.start(at, wish);
        }
        for _ in 0..self.chance.between(0..=2) {
            let read = Happening::Start {
                manner: Manner::TimerWithoutYes,
                dies_after: None,
                wish: Wish::Read,
            };
            let at = self.at(0, 17 * HOUR);
            self.add(at, read);
        }
        if self.chance.permille(300) {
            let wishes = (0..self.chance.between(2..=6))
                .map(|_| (self.at(30, 1800), self.generate()))
                .collect();
            let at = self.at(4 * HOUR, 8 * HOUR);
            self.start(at, Wish::Serve(wishes));
            // Somebody else makes tokens beside the server, which must hear of them.
            if self.chance.permille(600) {
                let wish = Wish::Generate(Generate {
                    force: self.chance.permille(400),
                    ..self.generate()
                });
                let at = at + self.at(30, 2400);
                self.start(at, wish);
            }
        }
    }

    /// Around 03:30 IST.
    fn night(&mut self) {
        let (from, to) = NIGHT;
        if self.chance.permille(250) {
            let near = if self.chance.permille(600) {
                to - 1800
            } else {
                from
            };
            let at = self.at(near, to);
            let wish = Wish::Generate(self.generate());
            self.start(at, wish);
        }
        if self.chance.permille(150) {
            let wishes = (0..self.chance.between(1..=6))
                .map(|_| (self.at(10, 1800), self.generate()))
                .collect();
            let at = self.at(to - 5400, to - 600);
            self.start(at, Wish::Serve(wishes));
        }
    }

    /// For a while, around a time.
    fn for_a_while(&mut self, around: u32, longest: u32, begins: Happening, ends: Happening) {
        let at = self.at(around.saturating_sub(600), around + 3000);
        let length = self.at(1, longest);
        self.add(at, begins);
        self.add(at + length, ends);
    }

    fn troubles(&mut self, morning: u32) {
        let chance = self.chance;
        if chance.permille(280) {
            let how = *chance.pick(&[Storage::TakesNothing, Storage::TakesNothing, Storage::Fails]);
            let works = Happening::Storage(Storage::Works);
            self.for_a_while(morning, 240, Happening::Storage(how), works);
        }
        if chance.permille(150) {
            let (begins, ends) = (
                Happening::Spool { fails: true },
                Happening::Spool { fails: false },
            );
            self.for_a_while(morning, 1800, begins, ends);
        }
        if chance.permille(250) {
            let how = *chance.pick(&[Reach::Down, Reach::NoNetwork, Reach::Throttles]);
            self.for_a_while(
                morning,
                900,
                Happening::Reach(how),
                Happening::Reach(Reach::Works),
            );
        }
        if chance.permille(40) {
            let begins = Happening::Browser { missing: true };
            self.for_a_while(morning, 1200, begins, Happening::Browser { missing: false });
        }
        if chance.permille(300) {
            let begins = Happening::Human { there: false };
            self.for_a_while(morning, 3600, begins, Happening::Human { there: true });
        }
        if chance.permille(80) {
            self.doubts(morning);
        }
        self.clocks(morning);
        self.elsewhere(morning);
    }

    /// One dies past the press, perhaps, and two operators are asked about that at the same time, of whom one dies, too.
    fn doubts(&mut self, morning: u32) {
        let mut at = self.at(morning, morning + 3600);
        let mut starts = |at, dies_after| {
            let start = Happening::Start {
                manner: Manner::Terminal,
                dies_after,
                wish: Wish::Generate(Generate::default()),
            };
            self.all.push((at, start));
        };
        let chance = self.chance;
        starts(at, Some(chance.between(15..=60)));
        at += chance.seconds(120..=900);
        starts(at, Some(chance.between(15..=60)));
        starts(at + chance.seconds(0..=40), None);
    }

    fn clocks(&mut self, morning: u32) {
        if self.chance.permille(250) {
            let off = if self.chance.permille(500) {
                Duration::from_secs(280)
            } else {
                self.at(15, 3 * HOUR)
            };
            let off = TimeDelta::from_std(off).unwrap_or_default();
            let off = if self.chance.permille(500) { off } else { -off };
            let right = Happening::SetClock(TimeDelta::zero());
            self.for_a_while(morning, 3000, Happening::SetClock(off), right);
        }
        if self.chance.permille(120) {
            let at = self.at(morning, morning + 4000);
            self.add(at, Happening::StartAnew);
        }
    }

    fn elsewhere(&mut self, morning: u32) {
        let chance = self.chance;
        let account = chance.pick(self.accounts);
        let digits = account.mobile_number.digits().to_owned();
        let client = chance.pick(&account.apis).client_id.to_string();
        if chance.permille(250) {
            let at = self.at(morning, 17 * HOUR);
            self.add(at, Happening::TokenMadeElsewhere(client.clone()));
        }
        if chance.permille(40) {
            let at = self.at(morning, 17 * HOUR);
            self.add(at, Happening::AllTokensDie);
        }
        if chance.permille(250) {
            for _ in 0..chance.between(1..=4) {
                let at = self.at(morning.saturating_sub(300), morning + 600);
                self.add(at, Happening::OtpElsewhere(digits.clone()));
            }
        }
        if chance.permille(60) {
            let trouble = *chance.pick(&[AppTrouble::Rejected, AppTrouble::Inactive]);
            self.add(Duration::ZERO, Happening::AppTrouble(client, trouble));
        }
        if chance.permille(30) {
            self.add(Duration::ZERO, Happening::Dormant(digits));
        }
    }
}
