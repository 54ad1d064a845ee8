//! The stable names of what ends a request for tokens without its run, or breaks a run off.

/// Why nothing was begun, or why a run broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeCode {
    /// Every chosen token is valid.
    AllValid,
    /// None is known to be dead, but some could not be checked.
    OnlyUnknown,
    /// The operator said no to the plan.
    Declined,
    /// Nobody said yes to it.
    Unanswered,
    /// It was cancelled.
    Cancelled,
    /// Upstox answers nobody.
    Unreachable,
    /// This computer's clock is too far off.
    ClockOff,
    /// Sign-ins are closed around 03:30 IST.
    ClosedHours,
    /// Another process signs in.
    HeldElsewhere,
    /// Something that a sign-in needs is not there.
    PreflightFailed,
    /// Each account cools down or has used up its OTP budget.
    NobodyCanBegin,
    /// The database does not do what it must.
    Storage,
    /// Vega itself failed.
    Unexpected,
}

impl OutcomeCode {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllValid => "all_valid",
            Self::OnlyUnknown => "only_unknown",
            Self::Declined => "declined",
            Self::Unanswered => "unanswered",
            Self::Cancelled => "cancelled",
            Self::Unreachable => "unreachable",
            Self::ClockOff => "clock_off",
            Self::ClosedHours => "closed_hours",
            Self::HeldElsewhere => "held_elsewhere",
            Self::PreflightFailed => "preflight_failed",
            Self::NobodyCanBegin => "nobody_can_begin",
            Self::Storage => "storage",
            Self::Unexpected => "unexpected",
        }
    }
}
