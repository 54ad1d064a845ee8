//! What the human should know while a run goes on, though nothing is asked: the last few notices, with their times.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vega_domain::ids::ApiName;
use vega_domain::sign_in::Notice;

use crate::views::rfc3339_ist;

/// So many are shown.
const SHOWN: usize = 5;

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct NoticeView {
    api: String,
    at: String,
    at_unix: i64,
    /// What it is, and what to do.
    words: String,
}

/// The last few, the newest last.
#[derive(Default)]
pub(crate) struct Notices(Mutex<VecDeque<NoticeView>>);

impl Notices {
    pub(crate) fn note(&self, api: &ApiName, notice: Notice, at: DateTime<Utc>) {
        let mut notices = self.notices();
        notices.push_back(NoticeView {
            api: api.to_string(),
            at: rfc3339_ist(at),
            at_unix: at.timestamp(),
            words: notice.to_string(),
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
    fn the_last_few_are_shown_the_newest_last() {
        let (notices, api) = (Notices::default(), ApiName::new("PRIMARY").unwrap());
        for second in 0..7 {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            notices.note(&api, Notice::OtpSlow, at);
        }
        let times: Vec<i64> = notices.shown().iter().map(|notice| notice.at_unix).collect();
        assert_eq!(times, [2, 3, 4, 5, 6]);
    }
}
