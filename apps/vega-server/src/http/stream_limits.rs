//! Limits of concurrent event streams: per principal, and in total for keys, for consoles and for programs at the local socket apart, so
//! that none of them locks another one out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vega_domain::ids::{AccessKeyId, SessionId};
use vega_listening::Limits;

use crate::auth::principal::Principal;

/// Of one key, one session or one user.
const PER_PRINCIPAL: usize = 8;
const ALL_PROGRAMS: usize = 32;
const ALL_CONSOLES: usize = 16;
/// Each program of a desk has one for each API that it uses; how many one of them may have the settings say.
const ALL_TOKENS: usize = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum StreamOwner {
    Key(AccessKeyId),
    Console(SessionId),
    /// A user of this machine.
    Local(u32),
}

impl StreamOwner {
    fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Key(key) => Self::Key(key.id),
            Principal::Console(session, _) => Self::Console(session.id),
            Principal::Local(local) => Self::Local(local.uid),
        }
    }

    fn is_same_kind(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Key(_), Self::Key(_))
                | (Self::Console(_), Self::Console(_))
                | (Self::Local(_), Self::Local(_))
        )
    }
}

/// The open streams of one kind.
#[derive(Debug)]
pub(crate) struct StreamLimits {
    per_principal: usize,
    of_programs: usize,
    of_consoles: usize,
    open: Mutex<HashMap<StreamOwner, usize>>,
}

impl StreamLimits {
    /// For streams of everything that changes.
    pub(crate) fn of_everything() -> Self {
        Self::new(PER_PRINCIPAL, ALL_PROGRAMS, ALL_CONSOLES)
    }

    /// For streams of one token, so many for each caller.
    pub(crate) fn of_tokens(each: usize) -> Self {
        Self::of_tokens_within(Limits::of_many(), each)
    }

    /// All kinds together are fewer than the connections of callers that are known, at the socket and over the network, so that there is always
    /// one for who asks and goes.
    fn of_tokens_within(connections: Limits, each: usize) -> Self {
        let all = ALL_TOKENS.min(connections.known / 3 * 2);
        Self::new(each.min(all / 2), all, ALL_CONSOLES)
    }

    fn new(per_principal: usize, of_programs: usize, of_consoles: usize) -> Self {
        Self {
            per_principal,
            of_programs,
            of_consoles,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<StreamOwner, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many streams are open.
    pub(crate) fn count(&self) -> usize {
        self.open().values().sum()
    }

    /// A permit for one more stream, or why there is none.
    pub(crate) fn acquire(self: &Arc<Self>, principal: &Principal) -> Result<StreamPermit, String> {
        self.acquire_for(StreamOwner::of(principal))
    }

    fn acquire_for(self: &Arc<Self>, owner: StreamOwner) -> Result<StreamPermit, String> {
        let mut open = self.open();
        if open.get(&owner).copied().unwrap_or(0) >= self.per_principal {
            return Err(format!(
                "You have {} streams open already. Close one, or use one for several readers.",
                self.per_principal
            ));
        }
        let limit = match owner {
            StreamOwner::Key(_) | StreamOwner::Local(_) => self.of_programs,
            StreamOwner::Console(_) => self.of_consoles,
        };
        let of_kind = open.iter().filter(|(other, _)| owner.is_same_kind(**other));
        if of_kind.map(|(_, count)| count).sum::<usize>() >= limit {
            return Err(format!(
                "Others have {limit} streams open, and there are no more places. Close one, or try again later."
            ));
        }
        *open.entry(owner).or_default() += 1;
        drop(open);
        let streams = Arc::clone(self);
        Ok(StreamPermit { streams, owner })
    }
}

/// Counts as one open stream until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    streams: Arc<StreamLimits>,
    owner: StreamOwner,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn key() -> StreamOwner {
        StreamOwner::Key(AccessKeyId::at(DateTime::UNIX_EPOCH))
    }

    fn console() -> StreamOwner {
        StreamOwner::Console(SessionId::at(DateTime::UNIX_EPOCH))
    }

    #[test]
    fn each_caller_has_so_many_and_no_more() {
        let streams = Arc::new(StreamLimits::of_everything());
        for owner in [key(), console()] {
            let mut places: Vec<StreamPermit> = (0..PER_PRINCIPAL)
                .map(|_| streams.acquire_for(owner).unwrap())
                .collect();
            assert!(
                streams
                    .acquire_for(owner)
                    .unwrap_err()
                    .contains("You have 8 streams")
            );
            places.pop();
            let again = streams.acquire_for(owner);
            assert!(again.is_ok(), "a place that was given back is lost");
        }
        assert_eq!(streams.count(), 0);
    }

    #[test]
    fn streams_of_tokens_leave_connections_for_others() {
        for (known, wanted, each, all) in [
            (8_192, 256, 256, 5_000),
            (8_192, 1, 1, 5_000),
            (8_192, 9_000, 2_500, 5_000),
            (7_696, 256, 256, 5_000),
            (256, 256, 85, 170),
            (16, 256, 5, 10),
        ] {
            let streams = StreamLimits::of_tokens_within(Limits { strangers: 8, known }, wanted);
            assert_eq!(
                (streams.per_principal, streams.of_programs),
                (each, all),
                "{known}"
            );
        }
    }

    #[test]
    fn however_many_programs_listen_there_are_places_for_consoles() {
        let streams = Arc::new(StreamLimits::of_everything());
        let mut places = Vec::new();
        while let Ok(place) = streams.acquire_for(key()) {
            places.push(place);
        }
        assert_eq!(places.len(), ALL_PROGRAMS);
        for _ in 0..ALL_CONSOLES {
            places.push(streams.acquire_for(console()).unwrap());
        }
        assert!(
            streams
                .acquire_for(console())
                .unwrap_err()
                .contains("Others have 16")
        );
        assert_eq!(streams.count(), ALL_PROGRAMS + ALL_CONSOLES);
    }
}
