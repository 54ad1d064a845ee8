//! When something happens to the machine that signs in: after so many milliseconds, at a named point of the test hooks, or within a write.

use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use vega_tests::{end_at_once, hold_up, is_held_up, let_go_on};

use crate::pair::{Machine, PATIENCE};

/// Points of a sign-in, in the order in which it passes them.
const POINTS: &[&str] = &[
    "before_attempt_opened",
    "after_attempt_opened",
    "before_otp_recorded",
    "after_otp_recorded",
    "before_code_sealed",
    "after_code_sealed",
    "before_exchange",
    "after_exchange",
    "before_answer_sealed",
    "after_answer_sealed",
    "before_token_stored",
    "after_token_stored",
    "token_published",
];
/// Here an answer was received, and the database does not have it yet.
const WITH_AN_ANSWER: &[&str] = &["after_exchange", "before_answer_sealed"];
/// Writes of a sign-in of two APIs.
const WRITES: u32 = 14;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// When.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    After(Duration),
    /// When it is reached for the so-manyeth time.
    Point(&'static str, u32),
    /// The next write after so many has its lock: the way to the database is held then.
    WithinAWrite(u32),
}

impl Moment {
    /// A random one in a life that takes so long.
    pub(crate) fn of(random: &mut Rng, life: Duration) -> Self {
        match random.u32(..10) {
            0..6 => Self::Point(POINTS[random.usize(..POINTS.len())], random.u32(1..=2)),
            _ => Self::After(life.mul_f64(random.f64())),
        }
    }

    /// Two points, the earlier one first.
    pub(crate) fn one_after_the_other(random: &mut Rng) -> (Self, Self) {
        let later = random.usize(1..POINTS.len());
        let earlier = random.usize(..later);
        (Self::Point(POINTS[earlier], 1), Self::Point(POINTS[later], 1))
    }

    /// The same, with those that only a machine has that is held up or cut off.
    pub(crate) fn of_a_hold_up(random: &mut Rng, life: Duration) -> Self {
        match random.u32(..6) {
            0 => Self::WithinAWrite(random.u32(..WRITES)),
            _ => Self::of(random, life),
        }
    }

    /// Whether Vega has an answer of Upstox's in its hands.
    pub(crate) fn is_with_an_answer(&self) -> bool {
        matches!(self, Self::Point(point, _) if WITH_AN_ANSWER.contains(point))
    }

    /// Whether its next step is the token call, before which it asks whose the sign-in is.
    pub(crate) fn is_before_the_call(&self) -> bool {
        matches!(self, Self::Point("after_code_sealed", _))
    }

    fn point(&self) -> Option<String> {
        match self {
            Self::Point(point, times) => Some(format!("{point} {times}")),
            Self::After(_) | Self::WithinAWrite(_) => None,
        }
    }

    /// Kills `vega` then. `false` where it ended before.
    pub(crate) async fn kill(&self, machine: &Machine, arguments: &[&str]) -> Result<(Child, bool)> {
        machine.desk.crash_at(self.point().as_deref())?;
        let mut vega = machine.desk.start(arguments)?;
        let is_over = if let Self::After(time) = self {
            timeout(*time, vega.wait()).await.is_ok()
        } else {
            let ended = timeout(PATIENCE, vega.wait());
            let ended = ended.await.context("vega does not end")??;
            ended.code().is_some()
        };
        if !is_over && vega.id().is_some() {
            end_at_once(&vega)?;
        }
        machine.desk.crash_at(None)?;
        Ok((vega, !is_over))
    }

    /// Holds `vega` up then. `false` where it ended before.
    pub(crate) async fn hold(&self, machine: &Machine, arguments: &[&str]) -> Result<(Child, bool)> {
        self.prepare(machine)?;
        let mut vega = machine.desk.start(arguments)?;
        let is_held = self.come(machine, &mut vega).await?;
        Ok((vega, is_held))
    }

    /// The same for one that is held up now.
    pub(crate) async fn hold_next(&self, machine: &Machine, vega: &mut Child) -> Result<bool> {
        self.prepare(machine)?;
        let_go_on(vega)?;
        self.come(machine, vega).await
    }

    fn prepare(&self, machine: &Machine) -> Result<()> {
        machine.desk.stop_at(self.point().as_deref())?;
        if let Self::WithinAWrite(after) = self {
            machine.link.hold_within_a_write(*after);
        }
        Ok(())
    }

    /// Waits until it is so, and holds it up. `false` where it ended before.
    async fn come(&self, machine: &Machine, vega: &mut Child) -> Result<bool> {
        let came = async {
            match self {
                Self::After(time) => sleep(*time).await,
                Self::Point(..) => {
                    while !is_held_up(vega)? {
                        sleep(LOOK_EVERY).await;
                        if vega.try_wait()?.is_some() {
                            break;
                        }
                    }
                }
                Self::WithinAWrite(_) => {
                    while !machine.link.is_held() && vega.try_wait()?.is_none() {
                        sleep(LOOK_EVERY).await;
                    }
                }
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, came)
            .await
            .context("vega neither comes there nor ends")??;
        machine.desk.stop_at(None)?;
        let is_held = vega.try_wait()?.is_none();
        if is_held {
            hold_up(vega)?;
        }
        Ok(is_held)
    }
}
