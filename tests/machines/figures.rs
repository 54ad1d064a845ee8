//! What was counted and how long waits took, for the report.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Counts, and waits of each kind.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<&'static str, Figure>);

#[derive(Debug, Default)]
struct Figure {
    count: u64,
    times: Vec<Duration>,
}

impl Figures {
    pub(crate) fn took(&mut self, what: &'static str, time: Duration) {
        let figure = self.0.entry(what).or_default();
        figure.count += 1;
        figure.times.push(time);
    }

    pub(crate) fn counted(&mut self, what: &'static str, count: u32) {
        self.0.entry(what).or_default().count += u64::from(count);
    }

    /// Takes in those of another desk.
    pub(crate) fn add(&mut self, other: Self) {
        for (what, figure) in other.0 {
            let known = self.0.entry(what).or_default();
            known.count += figure.count;
            known.times.extend(figure.times);
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, Figure { count, times })) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{what}: {count}")?;
            let mut times = times.clone();
            times.sort_unstable();
            if let (Some(middle), Some(longest)) = (times.get(times.len() / 2), times.last()) {
                let (middle, longest) = (middle.as_secs_f64(), longest.as_secs_f64());
                write!(f, " (median {middle:.1} s, at most {longest:.1} s)")?;
            }
        }
        Ok(())
    }
}
