//! What goes wrong just now, and how often: the database, the spool, Upstox, the browser, the human. The day changes it.

/// The database of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Works,
    /// No room: what is there can be read.
    TakesNothing,
    /// It does not answer at all.
    Fails,
}

/// How Upstox can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Works,
    Down,
    NoNetwork,
    Throttles,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultState {
    /// How often in a thousand times something small goes wrong.
    pub(crate) storm: u32,
    pub(crate) storage: Storage,
    pub(crate) spool_fails: bool,
    pub(crate) reach: Reach,
    pub(crate) browser_missing: bool,
    pub(crate) human_is_there: bool,
    /// How often in a thousand times the human errs.
    pub(crate) slips: u32,
}

impl FaultState {
    /// Nothing goes wrong.
    pub(crate) const CALM: Self = Self {
        storm: 0,
        storage: Storage::Works,
        spool_fails: false,
        reach: Reach::Works,
        browser_missing: false,
        human_is_there: true,
        slips: 0,
    };
}
