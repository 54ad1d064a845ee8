//! What was measured, judged: median and p99, the ratio to the floor, whether target and promise are kept, and whether
//! the ratio is worse than the committed one. Measures and prints nothing.

use anyhow::{Context, Result, ensure};

use crate::bench::row::{Measured, Row, Target};

/// A ratio that is worse than the committed one by more than this is told.
const NOISE: f64 = 1.15;

/// Median and the figure that ninety-nine of a hundred are no worse than.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) count: usize,
}

/// A line of the table with its figures.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) row: Row,
    pub(crate) found: Summary,
    pub(crate) floor: Option<Summary>,
    /// The committed ratio.
    pub(crate) baseline: Option<f64>,
}

impl Summary {
    /// `None` where nothing was measured.
    fn of(figures: &[f64], more_is_better: bool) -> Option<Self> {
        let mut figures = figures.to_vec();
        figures.sort_by(f64::total_cmp);
        if more_is_better {
            figures.reverse();
        }
        let last = figures.len().checked_sub(1)?;
        let at = |percent: usize| figures[(figures.len() * percent / 100).min(last)];
        Some(Self {
            median: at(50),
            p99: at(99),
            count: figures.len(),
        })
    }
}

impl Figure {
    pub(crate) fn of(row: Row, measured: &Measured, baseline: Option<f64>) -> Result<Self> {
        let summary = |figures| Summary::of(figures, row.target.more_is_better());
        let floor = summary(&measured.floor);
        ensure!(
            floor.is_none() == row.floor.is_empty(),
            "what stands beside {} was not measured",
            row.what
        );
        let found = summary(&measured.figures).with_context(|| format!("{} was not measured", row.what))?;
        Ok(Self {
            row,
            found,
            floor,
            baseline,
        })
    }

    /// What the target comes to in this run.
    pub(crate) fn limit(&self) -> Option<f64> {
        let floor = self.floor.map(|floor| floor.median);
        match self.row.target {
            Target::None => None,
            Target::AtMost(limit) => Some(limit),
            Target::TimesFloor(times) | Target::PartOfFloor(times) => Some(floor? * times),
            Target::AboveFloor(more) => Some(floor? + more),
        }
    }

    /// To the floor; where there is none, or it is nothing, to the target or the promise.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let floor = self.floor.map(|floor| floor.median).filter(|floor| *floor > 0.0);
        let beside = floor.or_else(|| self.limit()).or(self.row.promise)?;
        Some(self.found.median / beside)
    }

    pub(crate) fn meets_target(&self) -> Option<bool> {
        let limit = self.limit()?;
        Some(if self.row.target.more_is_better() {
            self.found.median >= limit
        } else {
            self.found.median <= limit
        })
    }

    /// `None` where nothing is promised.
    pub(crate) fn keeps_promise(&self) -> Option<bool> {
        Some(self.found.p99 <= self.row.promise?)
    }

    /// Whether the ratio is worse than the committed one, beyond what is noise.
    pub(crate) fn is_worse(&self) -> bool {
        let (Some(now), Some(before)) = (self.ratio(), self.baseline) else {
            return false;
        };
        if self.row.target.more_is_better() {
            now * NOISE < before
        } else {
            now > before * NOISE
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::bench::row::row;

    fn figure(target: Target, figures: &[f64], floor: &[f64], baseline: Option<f64>) -> Figure {
        let mut row = row("a", "ms", "a thing").target(target);
        if !floor.is_empty() {
            row = row.beside("its floor");
        }
        Figure::of(row, &Measured::beside(figures.to_vec(), floor), baseline).unwrap()
    }

    #[rstest]
    #[case::in_no_order(&[3.0, 1.0, 2.0], false, 2.0, 3.0)]
    #[case::the_worst_of_a_few(&[5.0, 7.0], false, 7.0, 7.0)]
    #[case::more_is_better(&[3.0, 1.0, 2.0], true, 2.0, 1.0)]
    fn median_and_p99(#[case] figures: &[f64], #[case] more: bool, #[case] median: f64, #[case] p99: f64) {
        let count = figures.len();
        assert_eq!(Summary::of(figures, more), Some(Summary { median, p99, count }));
    }

    #[test]
    fn one_of_two_hundred_is_no_p99() {
        let mut figures = vec![1.0; 199];
        figures.push(100.0);
        assert_eq!(Summary::of(&figures, false).map(|found| found.p99), Some(1.0));
        assert_eq!(Summary::of(&[], false), None);
    }

    #[rstest]
    #[case::at_most(Target::AtMost(15.0), 15.0, true)]
    #[case::more_than_that(Target::AtMost(15.0), 15.1, false)]
    #[case::times(Target::TimesFloor(2.5), 10.0, true)]
    #[case::more_times(Target::TimesFloor(2.5), 10.1, false)]
    #[case::above(Target::AboveFloor(12.0), 16.0, true)]
    #[case::further_above(Target::AboveFloor(12.0), 16.1, false)]
    #[case::part(Target::PartOfFloor(0.8), 3.2, true)]
    #[case::a_smaller_part(Target::PartOfFloor(0.8), 3.1, false)]
    fn a_target_beside_a_floor_of_four(#[case] target: Target, #[case] found: f64, #[case] meets: bool) {
        assert_eq!(figure(target, &[found], &[4.0], None).meets_target(), Some(meets));
    }

    #[rstest]
    #[case::to_the_floor(Target::AtMost(100.0), &[4.0], Some(2.5))]
    #[case::to_the_target(Target::AtMost(100.0), &[], Some(0.1))]
    #[case::a_floor_of_nothing(Target::AtMost(100.0), &[0.0], Some(0.1))]
    #[case::to_nothing(Target::None, &[], None)]
    fn a_ratio_is_to_the_floor_or_to_the_target(
        #[case] target: Target,
        #[case] floor: &[f64],
        #[case] ratio: Option<f64>,
    ) {
        assert_eq!(figure(target, &[10.0], floor, None).ratio(), ratio);
    }

    #[rstest]
    #[case::the_same(Target::TimesFloor(2.0), 8.0, Some(2.0), false)]
    #[case::noise(Target::TimesFloor(2.0), 9.1, Some(2.0), false)]
    #[case::worse(Target::TimesFloor(2.0), 9.3, Some(2.0), true)]
    #[case::better(Target::TimesFloor(2.0), 4.0, Some(2.0), false)]
    #[case::less_of_what_shall_be_more(Target::PartOfFloor(0.8), 2.0, Some(0.8), true)]
    #[case::more_of_it(Target::PartOfFloor(0.8), 4.0, Some(0.8), false)]
    #[case::new(Target::TimesFloor(2.0), 9.3, None, false)]
    fn a_ratio_beside_the_committed_one(
        #[case] target: Target,
        #[case] found: f64,
        #[case] baseline: Option<f64>,
        #[case] is_worse: bool,
    ) {
        assert_eq!(figure(target, &[found], &[4.0], baseline).is_worse(), is_worse);
    }

    #[rstest]
    #[case(&[1.0, 2.0, 3.0], Some(true))]
    #[case(&[1.0, 2.0, 3.1], Some(false))]
    fn a_promise_is_about_nearly_all(#[case] figures: &[f64], #[case] kept: Option<bool>) {
        let row = row("a", "ms", "a thing").promises(3.0);
        let figure = Figure::of(row, &Measured::alone(figures.to_vec()), None).unwrap();
        assert_eq!(figure.keeps_promise(), kept);
    }

    #[rstest]
    #[case::nothing(&[], &[1.0])]
    #[case::no_floor(&[1.0], &[])]
    fn what_was_not_measured_is_no_figure(#[case] figures: &[f64], #[case] floor: &[f64]) {
        let row = row("a", "ms", "a thing").beside("its floor");
        assert!(Figure::of(row, &Measured::beside(figures.to_vec(), floor), None).is_err());
    }
}
