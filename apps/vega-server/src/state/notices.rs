//! The last few notices of a run that the operator should read though nothing is asked: each once, with its time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use vega_api_types::NoticeView;
use vega_domain::expiry::rfc3339_ist;
use vega_domain::ids::ApiName;
use vega_domain::sign_in::Notice;

/// How many are kept.
const SHOWN: usize = 5;

/// The last few, newest last.
#[derive(Default)]
pub(crate) struct Notices(Mutex<VecDeque<NoticeView>>);

impl Notices {
    pub(crate) fn note(&self, api: &ApiName, notice: Notice, at: DateTime<Utc>) {
        let (api, words) = (api.to_string(), notice.to_string());
        let mut notices = self.notices();
        // Repeated, it counts from now.
        notices.retain(|known| (&known.api, &known.words) != (&api, &words));
        notices.push_back(NoticeView {
            api,
            at: rfc3339_ist(at),
            at_unix: at.timestamp(),
            words,
        });
        if notices.len() > SHOWN {
            notices.pop_front();
        }
    }

    pub(crate) fn shown(&self) -> Vec<NoticeView> {
        self.notices().iter().cloned().collect()
    }

    fn notices(&self) -> MutexGuard<'_, VecDeque<NoticeView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_shown_the_newest_last_each_once() {
        let notices = Notices::default();
        let note = |api: &str, second| {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            notices.note(&ApiName::new(api).unwrap(), Notice::OtpSlow, at);
        };
        for (api, second) in ["A", "B", "C", "D", "E", "F", "G"].into_iter().zip(0..) {
            note(api, second);
        }
        note("D", 9);
        let shown = notices.shown();
        let shown: Vec<_> = shown
            .iter()
            .map(|notice| (&*notice.api, notice.at_unix))
            .collect();
        assert_eq!(shown, [("C", 2), ("E", 4), ("F", 5), ("G", 6), ("D", 9)]);
    }
}
