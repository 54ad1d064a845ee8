//! What the workload commits, in which order, and what the database holds after so many of these commits. Each is one
//! durable commit with one audit entry, so the length of the audit trail tells how far a database came.

use std::collections::BTreeSet;

use vega_domain::audit::AuditKind;
use vega_domain::run::StepState;

/// Enough that SQLite copies its journal into the database in the midst of each.
pub(crate) const SESSIONS: u32 = 2;
const APIS: usize = 40;

/// A sign-in for one API: its token's generation is one more than the session's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SignIn {
    pub(crate) session: u32,
    pub(crate) api: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    RunBegun,
    Opened(SignIn),
    Pressed(SignIn),
    CodeSealed(SignIn),
    AnswerSealed(SignIn),
    Stored(SignIn),
    Step(SignIn, Reached),
    Checked(SignIn),
    RunCompleted,
}

/// How far a step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    SigningIn,
    Exchanging,
    Verifying,
    Done,
}

impl Reached {
    const ALL: [Self; 4] = [Self::SigningIn, Self::Exchanging, Self::Verifying, Self::Done];

    pub(crate) fn state(self) -> StepState {
        match self {
            Self::SigningIn => StepState::SigningIn,
            Self::Exchanging => StepState::Exchanging,
            Self::Verifying => StepState::Verifying,
            Self::Done => StepState::Done,
        }
    }
}

impl SignIn {
    pub(crate) fn name(self) -> String {
        format!("API{:02}", self.api)
    }

    pub(crate) fn generation(self) -> u32 {
        self.session + 1
    }

    pub(crate) fn token(self) -> String {
        format!("CANARY-token-{}-{}", self.name(), self.generation())
    }

    /// What the check at the end of the session says.
    pub(crate) fn is_dead(self) -> bool {
        self.api.is_multiple_of(3)
    }
}

/// All sign-ins of one session.
pub(crate) fn sign_ins(session: u32) -> Vec<SignIn> {
    (0..APIS).map(|api| SignIn { session, api }).collect()
}

/// One morning.
pub(crate) fn commits(session: u32) -> Vec<Commit> {
    let mut commits = vec![Commit::RunBegun];
    for sign_in in sign_ins(session) {
        commits.push(Commit::Step(sign_in, Reached::SigningIn));
        commits.push(Commit::Opened(sign_in));
        if sign_in.api == 0 {
            commits.push(Commit::Pressed(sign_in));
        }
        commits.extend([
            Commit::Step(sign_in, Reached::Exchanging),
            Commit::CodeSealed(sign_in),
            Commit::AnswerSealed(sign_in),
            Commit::Step(sign_in, Reached::Verifying),
            Commit::Stored(sign_in),
            Commit::Step(sign_in, Reached::Done),
        ]);
    }
    commits.extend(sign_ins(session).into_iter().map(Commit::Checked));
    commits.push(Commit::RunCompleted);
    commits
}

/// All commits, with their sessions.
pub(crate) fn all() -> Vec<(u32, Commit)> {
    (0..SESSIONS)
        .flat_map(|session| commits(session).into_iter().map(move |commit| (session, commit)))
        .collect()
}

impl Commit {
    pub(crate) fn audit(self) -> AuditKind {
        match self {
            Self::RunBegun => AuditKind::RunStarted,
            Self::Opened(_) => AuditKind::AttemptOpened,
            Self::Pressed(_) => AuditKind::OtpRequested,
            Self::CodeSealed(_) => AuditKind::ExchangeIntended,
            Self::AnswerSealed(_) => AuditKind::AnswerReceived,
            Self::Stored(_) => AuditKind::TokenStored,
            Self::Step(..) => AuditKind::StepChanged,
            Self::Checked(_) => AuditKind::TokenChecked,
            Self::RunCompleted => AuditKind::RunEnded,
        }
    }
}

/// What the tables hold after the first so many commits, a line per row, as `check::rows` reads them.
pub(crate) fn rows_after(done: usize) -> BTreeSet<String> {
    let all = all();
    let done = &all[..done.min(all.len())];
    let has = |commit: Commit| done.iter().any(|(_, other)| *other == commit);
    let mut rows = BTreeSet::new();
    for session in 0..SESSIONS {
        if done.contains(&(session, Commit::RunBegun)) {
            let is_over = done.contains(&(session, Commit::RunCompleted));
            rows.insert(format!(
                "run {session} {}",
                if is_over { "completed" } else { "running" }
            ));
            rows.extend(sign_ins(session).into_iter().map(|sign_in| {
                let reached = Reached::ALL.into_iter().rev();
                let mut reached = reached.filter(|reached| has(Commit::Step(sign_in, *reached)));
                let state = reached.next().map_or(StepState::Pending, Reached::state);
                let state = state.as_str();
                format!("step {session} {} {state}", sign_in.name())
            }));
        }
        for sign_in in sign_ins(session) {
            let row = (sign_in.name(), sign_in.generation());
            let reached = [
                (Commit::Stored(sign_in), "stored, code 0, answer 0"),
                (Commit::AnswerSealed(sign_in), "answered, code 0, answer 1"),
                (Commit::CodeSealed(sign_in), "code_sealed, code 1, answer 0"),
                (Commit::Opened(sign_in), "opened, code 0, answer 0"),
            ];
            if let Some((_, state)) = reached.into_iter().find(|(commit, _)| has(*commit)) {
                let pressed = u8::from(has(Commit::Pressed(sign_in)));
                rows.insert(format!("attempt {} {} {state}, pressed {pressed}", row.0, row.1));
            }
            if has(Commit::Stored(sign_in)) {
                let is_dead = has(Commit::Checked(sign_in)) && sign_in.is_dead();
                let check = if is_dead { "invalid" } else { "valid" };
                let rejected = u8::from(is_dead);
                rows.insert(format!("token {} {} {check}, rejected {rejected}", row.0, row.1));
            }
        }
    }
    rows
}
