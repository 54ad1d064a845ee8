//! What a line of the table is, and what is measured for it. Decides nothing about figures: that is `figure`'s.

use anyhow::Result;

use crate::bench::world::World;

/// Lines that are measured together, so that each figure stands beside its floor of the same minutes.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
    /// What was measured, in the order of the rows.
    pub(crate) measure: fn(&World) -> Result<Vec<Measured>>,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its name in `target/bench.json`, in the baseline and behind `--only`.
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// What is measured beside it in the same run; empty where nothing is.
    pub(crate) floor: &'static str,
    pub(crate) target: Target,
    /// At most this for ninety-nine of a hundred. The command fails when it is not kept.
    pub(crate) promise: Option<f64>,
}

/// What a median shall be. A miss is told, and fails nothing: machines differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// The line is there for comparison.
    None,
    AtMost(f64),
    /// At most so many times the floor's median.
    TimesFloor(f64),
    /// At most so much above the floor's median.
    AboveFloor(f64),
    /// At least this part of the floor's median: more is better.
    PartOfFloor(f64),
}

/// What was measured for one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) figures: Vec<f64>,
    /// Of the floor; none where the line has no floor.
    pub(crate) floor: Vec<f64>,
}

pub(crate) const fn row(id: &'static str, unit: &'static str, what: &'static str) -> Row {
    Row {
        id,
        what,
        unit,
        floor: "",
        target: Target::None,
        promise: None,
    }
}

impl Row {
    pub(crate) const fn beside(mut self, floor: &'static str) -> Self {
        self.floor = floor;
        self
    }

    pub(crate) const fn target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    pub(crate) const fn promises(mut self, at_most: f64) -> Self {
        self.promise = Some(at_most);
        self
    }
}

impl Target {
    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Self::PartOfFloor(_))
    }
}

impl Measured {
    pub(crate) fn alone(figures: Vec<f64>) -> Self {
        Self {
            figures,
            floor: Vec::new(),
        }
    }

    pub(crate) fn beside(figures: Vec<f64>, floor: &[f64]) -> Self {
        Self {
            figures,
            floor: floor.to_vec(),
        }
    }
}
