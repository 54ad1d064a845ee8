//! How many streams there may be at once: so many for each caller, and places of their own for consoles, so that no program
//! keeps the human from seeing what happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vega_domain::ids::{AccessKeyId, SessionId};

use crate::auth::middleware::Caller;

/// Of one key or one session.
pub(crate) const OF_ONE: usize = 8;
const OF_ALL_KEYS: usize = 32;
const OF_ALL_CONSOLES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Key(AccessKeyId),
    Console(SessionId),
}

impl Who {
    fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Key(key) => Self::Key(key.id),
            Caller::Console(session, _) => Self::Console(session.id),
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Key(_) => OF_ALL_KEYS,
            Self::Console(_) => OF_ALL_CONSOLES,
        }
    }

    fn is_kin(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Key(_), Self::Key(_)) | (Self::Console(_), Self::Console(_))
        )
    }
}

/// The streams that are open.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<Who, usize>>);

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<Who, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.open().values().sum()
    }

    /// A place for one more of this caller's, or why there is none.
    pub(crate) fn take(self: &Arc<Self>, caller: &Caller) -> Result<StreamPlace, String> {
        self.take_for(Who::of(caller))
    }

    fn take_for(self: &Arc<Self>, who: Who) -> Result<StreamPlace, String> {
        let mut open = self.open();
        if open.get(&who).copied().unwrap_or(0) >= OF_ONE {
            return Err(format!(
                "You have {OF_ONE} streams open already. Close one, or use one for several readers."
            ));
        }
        let of_kin = open.iter().filter(|(other, _)| who.is_kin(**other));
        if of_kin.map(|(_, count)| count).sum::<usize>() >= who.limit() {
            return Err(format!(
                "Others have {} streams open, and there are no more places. Close one, or try again later.",
                who.limit()
            ));
        }
        *open.entry(who).or_default() += 1;
        drop(open);
        let streams = Arc::clone(self);
        Ok(StreamPlace { streams, who })
    }
}

/// A stream's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    streams: Arc<Streams>,
    who: Who,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn key() -> Who {
        Who::Key(AccessKeyId::at(DateTime::UNIX_EPOCH))
    }

    fn console() -> Who {
        Who::Console(SessionId::at(DateTime::UNIX_EPOCH))
    }

    #[test]
    fn each_caller_has_so_many_and_no_more() {
        let streams = Arc::new(Streams::default());
        for who in [key(), console()] {
            let mut places: Vec<StreamPlace> = (0..OF_ONE).map(|_| streams.take_for(who).unwrap()).collect();
            assert!(streams.take_for(who).unwrap_err().contains("You have 8 streams"));
            places.pop();
            let again = streams.take_for(who);
            assert!(again.is_ok(), "a place that was given back is lost");
        }
        assert_eq!(streams.count(), 0);
    }

    #[test]
    fn however_many_programs_listen_there_are_places_for_consoles() {
        let streams = Arc::new(Streams::default());
        let mut places = Vec::new();
        while let Ok(place) = streams.take_for(key()) {
            places.push(place);
        }
        assert_eq!(places.len(), OF_ALL_KEYS);
        for _ in 0..OF_ALL_CONSOLES {
            places.push(streams.take_for(console()).unwrap());
        }
        assert!(
            streams
                .take_for(console())
                .unwrap_err()
                .contains("Others have 16")
        );
        assert_eq!(streams.count(), OF_ALL_KEYS + OF_ALL_CONSOLES);
    }
}
