//! The programs with switches for the whole-system stories: another time, a death at a named point, and defects for those
//! who prove that they find them. The switches are files in the folder that `VEGA_TEST_HOOKS` names, so that a story can
//! turn them while Vega runs; without that variable the programs behave like any other. Points lie around the ports, so
//! that no crate of the product knows of them.

mod defect;
mod exchange;
mod journal;
mod tokens;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use nix::sys::signal::{Signal, raise};
use vega_bootstrap::{Environment, PortDecorator, Undecorated};
use vega_domain::clock_reading::SinceBoot;
use vega_domain::event::Event;
use vega_domain::ports::{Clock, CodeDelivery, EventSink, SignInAttempts, UpstoxTokenRepository};
use vega_services::GenerationPorts;

use self::defect::{Defect, Injected};

/// Seconds to add to the system's time.
const CLOCK_OFFSET: &str = "clock_offset";
/// Seconds to add to the time since boot.
const BOOT_OFFSET: &str = "boot_offset";
/// Seconds by which this machine's clock is wrong, where the database's counts.
const MACHINE_OFFSET: &str = "machine_offset";
/// Which boot of which machine this is.
const BOOT: &str = "boot";
/// The defect to behave with.
const DEFECT: &str = "defect";
/// The point to die at, and at which time that it is reached: `token_published 4`; at the first without a number.
const CRASH_AT: &str = "crash_at";
/// The same for the point to be held up at.
const STOP_AT: &str = "stop_at";

/// Where the switches are.
#[derive(Clone)]
pub struct TestHooks {
    folder: PathBuf,
    /// How often each point was reached.
    reached: Arc<Mutex<HashMap<String, u32>>>,
    /// This machine's clock.
    machine: Arc<OnceLock<Arc<dyn Clock>>>,
}

impl TestHooks {
    /// What decorates the ports of the program: the hooks, if its environment asks for them.
    pub fn of_process() -> Arc<dyn PortDecorator> {
        match Environment::of_process().get("VEGA_TEST_HOOKS") {
            Some(folder) => {
                let hooks = Self {
                    folder: PathBuf::from(folder),
                    reached: Arc::default(),
                    machine: Arc::default(),
                };
                #[cfg(feature = "injected-defects")]
                if let Some(Injected::InStorage(defect)) = hooks.injected() {
                    defect.inject();
                }
                Arc::new(hooks)
            }
            None => Arc::new(Undecorated),
        }
    }

    fn injected(&self) -> Option<Injected> {
        self.switch(DEFECT).map(|name| Injected::named(&name))
    }

    fn defect(&self) -> Option<Defect> {
        match self.injected()? {
            Injected::AtPorts(defect) => Some(defect),
            #[cfg(feature = "injected-defects")]
            Injected::InStorage(_) => None,
        }
    }

    /// Dies like under `kill -9` when the file `crash_at` names this point, and is held up where `stop_at` does.
    fn reach(&self, point: &str) {
        let times = {
            let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
            let times = reached.entry(point.to_owned()).or_default();
            *times += 1;
            *times
        };
        // Nothing may run after it, as nothing does after a power cut, or while a machine is suspended.
        for (switch, signal) in [(CRASH_AT, Signal::SIGKILL), (STOP_AT, Signal::SIGSTOP)] {
            let wanted = self.switch(switch).unwrap_or_default();
            let (wanted, at) = wanted.split_once(' ').unwrap_or((&wanted, "1"));
            if wanted == point && at.parse() == Ok(times) {
                let _ = raise(signal);
            }
        }
    }

    fn switch(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join(name)).ok()?;
        Some(text.trim().to_owned())
    }

    fn number<N: std::str::FromStr + Default>(&self, name: &str) -> N {
        let text = self.switch(name);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

impl PortDecorator for TestHooks {
    /// Moved by the file `machine_offset`, and of the boot that the file `boot` names.
    fn machine_clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let machine: Arc<dyn Clock> = Arc::new(MachineClock(Hooked::new(clock, self)));
        let _ = self.machine.set(Arc::clone(&machine));
        machine
    }

    /// The system's clocks, moved by the files `clock_offset` and `boot_offset`.
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(Hooked::new(clock, self))
    }

    /// A point at the events that follow an effect outside.
    fn events(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        Arc::new(Hooked::new(events, self))
    }

    /// A point around the commit of each code that comes back.
    fn codes(&self, codes: Arc<dyn CodeDelivery>) -> Arc<dyn CodeDelivery> {
        Arc::new(Hooked::new(codes, self))
    }

    /// A point before and after each commit of an answer that the spool moves into the database.
    fn spooled_attempts(&self, attempts: Arc<dyn SignInAttempts>) -> Arc<dyn SignInAttempts> {
        let attempts: Arc<dyn SignInAttempts> = Arc::new(Hooked::new(attempts, self));
        match self.defect() {
            Some(defect) => defect.among_spooled(attempts),
            None => attempts,
        }
    }

    /// The same for each token.
    fn spooled_tokens(&self, tokens: Arc<dyn UpstoxTokenRepository>) -> Arc<dyn UpstoxTokenRepository> {
        Arc::new(Hooked::new(tokens, self))
    }

    /// A point before and after each durable change and each call that counts.
    fn generation(&self, ports: GenerationPorts) -> GenerationPorts {
        let ports = GenerationPorts {
            tokens: Arc::new(Hooked::new(ports.tokens, self)),
            attempts: Arc::new(Hooked::new(ports.attempts, self)),
            otp_ledger: Arc::new(Hooked::new(ports.otp_ledger, self)),
            exchange: Arc::new(Hooked::new(ports.exchange, self)),
            ..ports
        };
        match self.defect() {
            Some(defect) => defect.among(
                ports,
                self.machine.get().map(|machine| self.clock(Arc::clone(machine))),
            ),
            None => ports,
        }
    }

    /// A point at each step of a key rotation.
    fn rotating(&self, step: &'static str) {
        self.reach(step);
    }
}

/// A port with hooks around it.
struct Hooked<P: ?Sized> {
    port: Arc<P>,
    hooks: TestHooks,
}

impl<P: ?Sized> Hooked<P> {
    fn new(port: Arc<P>, hooks: &TestHooks) -> Self {
        let hooks = hooks.clone();
        Self { port, hooks }
    }

    /// Passes the two points of one call.
    async fn around<T>(&self, what: &str, call: impl Future<Output = T>) -> T {
        self.hooks.reach(&format!("before_{what}"));
        let result = call.await;
        self.hooks.reach(&format!("after_{what}"));
        result
    }
}

impl Clock for Hooked<dyn Clock> {
    fn now(&self) -> DateTime<Utc> {
        self.port.now() + TimeDelta::seconds(self.hooks.number(CLOCK_OFFSET))
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        let mut since_boot = self.port.since_boot()?;
        since_boot.elapsed += Duration::from_secs(self.hooks.number(BOOT_OFFSET));
        Some(since_boot)
    }
}

/// The clock of a machine whose time is wrong.
struct MachineClock(Hooked<dyn Clock>);

impl Clock for MachineClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.port.now() + TimeDelta::seconds(self.0.hooks.number(MACHINE_OFFSET))
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        let mut since_boot = self.0.port.since_boot()?;
        if let Some(boot) = self.0.hooks.switch(BOOT) {
            since_boot.boot = boot;
        }
        Some(since_boot)
    }
}

impl EventSink for Hooked<dyn EventSink> {
    fn emit(&self, event: Event) {
        match &event {
            Event::OtpRequested { .. } => self.hooks.reach("otp_requested"),
            Event::TokenPublished { .. } => self.hooks.reach("token_published"),
            Event::KeptInSpool { .. } => self.hooks.reach("kept_in_spool"),
            _ => {}
        }
        self.port.emit(event);
    }
}
