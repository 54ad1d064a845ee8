//! What must never happen, one name per rule, and the violations that were seen.

use std::fmt;
use std::sync::Mutex;

use crate::locked::locked;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What must never happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $variant,)*
        }

        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $name,)* })
            }
        }
    };
}

rules! {
    /// Two sign-ins at once, or one without the lease.
    TwoAtOnce = "two sign-ins at once",
    /// An OTP press beyond the budget.
    BeyondBudget = "an OTP press beyond the budget",
    /// A second OTP press of Vega's in one attempt.
    SecondPress = "a second OTP press in one attempt",
    /// An OTP press after a death past the press, and nobody was asked.
    PressAfterCrash = "an automatic OTP press after a crash",
    /// A code that was sent twice.
    CodeTwice = "a code sent twice",
    /// An OTP or PIN after one that was refused, and nobody was asked.
    FactorRetried = "a second OTP or PIN after a refused one",
    /// A sign-in for a token that is valid, and nobody forced it.
    SignInForLiving = "a sign-in for a living token",
    /// A sign-in for a token that is unknown.
    SignInForUnknown = "a sign-in for an unknown token",
    /// A sign-in for an account that cools down or is stopped.
    ClosedAccount = "a sign-in for a closed account",
    /// A sign-in after a human timeout without a yes of its own.
    NobodyAsked = "a sign-in after a human timeout without a fresh yes",
    /// A sign-in for an API whose last one needs a yes of its own.
    Unresolved = "a sign-in in outcome without a yes of its own",
    /// A sign-in too near 03:30 IST that nobody forced.
    ClosedHours = "a sign-in in closed hours",
    /// A token served that is dead.
    ServedDead = "a dead token served",
    /// A token served that Upstox never confirmed.
    ServedUnverified = "an unverified token served",
    /// A token served that is another person's.
    ServedStranger = "another user's token served",
    /// A token served that is older than the newest.
    ServedOld = "an old token served",
    /// A token served before it was durable.
    ServedEarly = "a token served before it is stored",
    /// A token that Upstox issued and nobody knows of.
    TokenLost = "a token lost silently",
    /// A token that was received and dropped by a living process.
    TokenDropped = "a received token lost while the process lives",
    /// The bytes of a token erased that is alive.
    ErasedLiving = "a living token erased",
    /// A run called completed with a token missing.
    CompletedWithout = "a run completed with a token missing",
    /// A change without its audit entry, or with one that tells something else.
    Unaudited = "a change without its audit entry",
    /// A secret in an event, a failure or an audit entry.
    SecretShown = "a secret shown",
    /// A move that the states do not allow, or a run that nobody ended.
    IllegalState = "a run or step in an illegal state",
    /// An account that stays closed for longer than its cooldown.
    ClosedTooLong = "an account closed for longer than its cooldown",
    /// A task to end a run that nobody heeds.
    CancelIgnored = "a cancel that was not heeded",
    /// A program that does not end.
    Hangs = "a program that does not end",
    /// A write of a sign-in by somebody who was taken over, or without the lease.
    LateWrite = "a write of a sign-in by somebody without the lease",
    /// The lease taken from somebody who lives and can say so.
    TakenFromLiving = "the lease taken from a living holder",
    /// No way back to good tokens though nothing is wrong any more.
    Stuck = "no way back to good tokens",
}

/// One thing that happened and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What exactly.
    pub words: String,
}

/// Those of one day.
#[derive(Default)]
pub(crate) struct Violations(Mutex<Vec<Violation>>);

impl Violations {
    /// Whether it is another one than those that were seen.
    pub(crate) fn add(&self, violation: Violation) -> bool {
        let mut seen = locked(&self.0);
        let is_another = !seen.contains(&violation);
        if is_another {
            seen.push(violation);
        }
        is_another
    }

    pub(crate) fn any(&self) -> bool {
        !locked(&self.0).is_empty()
    }

    pub(crate) fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut locked(&self.0))
    }
}
