//! Defects to inject into the adapters: they prove that the rules can be broken, and that this is noticed.

use std::fmt;
use std::str::FromStr;

use crate::rules::Rule;

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $($rule:ident)|+;)*) => {
        /// A defect to inject.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum InjectedDefect {
            $($(#[$doc])* $variant,)*
        }

        impl InjectedDefect {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The rules that it breaks.
            pub fn breaks(self) -> &'static [Rule] {
                match self { $(Self::$variant => &[$(Rule::$rule,)+],)* }
            }
        }
    };
}

defects! {
    /// The token goes into the hot registry before the database has it.
    PublishBeforeCommit = "publish-before-commit", ServedEarly;
    /// Now and then an OTP press or an intended exchange is not written, and nobody is told.
    DropJournalWrite = "drop-journal-write", SecondPress | BeyondBudget | CodeTwice | TokenLost | TokenDropped;
    /// A refused PIN is typed again.
    RetryPin = "retry-pin", FactorRetried;
    /// A token call whose answer was lost is made again.
    SecondPost = "second-post", CodeTwice;
    /// Cooldowns and stops are not written.
    ForgetCooldown = "forget-cooldown", ClosedAccount | FactorRetried | NobodyAsked;
    /// The lease is given to everybody.
    LeaseForAll = "lease-for-all", TwoAtOnce | LateWrite;
    /// A profile call that could not be made counts as a 401.
    OutageIsDeath = "outage-is-death", SignInForLiving;
    /// A profile call that could not be made counts as a profile.
    OutageIsLife = "outage-is-life", ServedUnverified;
    /// Nobody is told what another process stored.
    MissChanges = "miss-changes", ServedOld | ServedDead;
    /// Recovery does not learn that "Get OTP" was pressed.
    ForgetPress = "forget-press", PressAfterCrash;
    /// Runs end as completed whatever became of their steps.
    CompleteAll = "complete-all", CompletedWithout | Stuck;
    /// What leaves the spool does not arrive in the database.
    SpoolForgets = "spool-forgets", TokenLost | TokenDropped | ServedEarly;
    /// The audit entry of a code has the code in it.
    CodeInAudit = "code-in-audit", SecretShown;
    /// Some changes are written without their audit entry.
    SkipAudit = "skip-audit", Unaudited;
    /// Tokens are erased that did not die a day ago.
    EraseLiving = "erase-living", ErasedLiving;
    /// A cooldown never ends.
    EndlessCooldown = "endless-cooldown", ClosedTooLong | Stuck;
    /// Writes do not compare the lease's epoch.
    EpochNotCompared = "epoch-not-compared", LateWrite;
    /// A holder counts as silent by the machines' wall clocks.
    LeaseByWallClock = "lease-by-wall-clock", TakenFromLiving;
    /// The OTP ledger takes its times from the machine's clock.
    LedgerByMachineClock = "ledger-by-machine-clock", BeyondBudget;
    /// A late answer is erased, and nobody is told.
    ConflictClearsSpool = "conflict-clears-spool", TokenLost | TokenDropped | ServedEarly;
}

impl fmt::Display for InjectedDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for InjectedDefect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|defect| defect.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|defect| defect.name()).collect();
            format!("is not one of {}", names.join(", "))
        })
    }
}
