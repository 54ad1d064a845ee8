//! When a program dies: after so many milliseconds, at a named point of the test hooks, or when its screen says something.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::process::Child;
use vega_tests::{Desk, Screen, end_at_once};

/// Points of a sign-in, in the order in which it passes them.
const POINTS: &[&str] = &[
    "before_attempt_opened",
    "after_attempt_opened",
    "before_otp_recorded",
    "after_otp_recorded",
    "before_code_delivered",
    "after_code_delivered",
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

/// After these the human has done their part, and nothing was sent yet: whoever comes next sends the code.
const AFTER_THE_CODE: &[&str] = &["after_code_delivered", "before_code_sealed"];

/// When.
#[derive(Debug, Clone)]
pub(crate) enum KillTime {
    After(Duration),
    /// At a point, when it is reached for the so-manyeth time.
    Point(&'static str, usize),
    Words(String),
}

impl KillTime {
    /// A random one in the life of a sign-in for these apps that takes so long.
    pub(crate) fn of_a_sign_in(random: &mut Rng, apps: &[String], life: Duration) -> Self {
        let (app, number) = (random.choice(apps), random.usize(1..=apps.len().max(1)));
        match (random.u32(..10), app) {
            (0..3, _) => Self::Point(POINTS[random.usize(..POINTS.len())], number),
            (3..6, Some(app)) => Self::Words(match random.u32(..4) {
                0 => format!("Sign in for {app}"),
                1 => format!("{app}: exchanging the code"),
                2 => format!("{app}: verifying the token"),
                // Whoever reads this may use the token.
                _ => format!("{app:<14} token stored and verified"),
            }),
            _ => Self::of(random, life),
        }
    }

    /// A random time in a life that takes so long, and a little beyond.
    pub(crate) fn of(random: &mut Rng, life: Duration) -> Self {
        Self::After(life.mul_f64(1.1 * random.f64()))
    }

    /// Whether a death here leaves a code that was not sent.
    pub(crate) fn is_after_the_code(&self) -> bool {
        matches!(self, Self::Point(point, _) if AFTER_THE_CODE.contains(point))
    }

    /// Before the program starts.
    pub(crate) fn prepare(&self, desk: &Desk) -> Result<()> {
        match self {
            Self::Point(point, times) => desk.crash_at(Some(&format!("{point} {times}"))),
            Self::After(_) | Self::Words(_) => desk.crash_at(None),
        }
    }

    /// Lets the program live until its moment has come, or its end. Returns its exit code, if it came to one.
    pub(crate) async fn await_end(&self, vega: &mut Child, screen: Option<Screen>) -> Result<Option<i32>> {
        let came = async {
            let has_come = match (self, screen) {
                (Self::After(time), _) => {
                    tokio::time::sleep(*time).await;
                    true
                }
                (Self::Words(words), Some(mut screen)) => screen.shows(words).await,
                _ => false,
            };
            if !has_come {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            () = came => None,
            ended = vega.wait() => Some(ended?),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            end_at_once(vega)?;
            vega.wait().await?
        };
        Ok(ended.code())
    }
}
