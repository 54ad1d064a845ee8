//! Programs that use tokens, and which of them are stopped.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use vega_domain::audit::AuditEntry;
use vega_domain::consumer::{ConsumerIdentity, ConsumerStop, ConsumerUse};
use vega_domain::ports::{Consumers, StoreError};

use super::store::{Done, MemoryStore};

/// What tells one row from the others.
fn key_of(seen: &ConsumerUse) -> impl Ord + use<> {
    let consumer = &seen.consumer;
    (
        consumer.identity_name.clone(),
        consumer.own_name.clone(),
        seen.api.clone(),
        consumer.identity.clone(),
    )
}

#[async_trait]
impl Consumers for MemoryStore {
    async fn uses(&self) -> Result<Vec<ConsumerUse>, StoreError> {
        self.look("uses", |tables| tables.consumers.uses.clone())
    }

    async fn record(&self, seen: &[ConsumerUse], forgotten_before: DateTime<Utc>) -> Result<(), StoreError> {
        self.commit("record", |tables| {
            let uses = &mut tables.consumers.uses;
            for seen in seen {
                match uses.iter_mut().find(|known| key_of(known) == key_of(seen)) {
                    Some(known) if known.last_seen_at > seen.last_seen_at => {}
                    Some(known) => known.clone_from(seen),
                    None => uses.push(seen.clone()),
                }
            }
            uses.retain(|known| known.last_seen_at >= forgotten_before);
            uses.sort_by_key(key_of);
            Ok(Done::untold(()))
        })
    }

    async fn stops(&self) -> Result<Vec<ConsumerStop>, StoreError> {
        self.look("stops", |tables| tables.consumers.stops.clone())
    }

    async fn stop(&self, stop: &ConsumerStop, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit("stop", |tables| {
            let stops = &mut tables.consumers.stops;
            if stops.iter().any(|known| known.identity == stop.identity) {
                return Ok(Done::nothing(false));
            }
            stops.push(stop.clone());
            stops.sort_by(|one, other| one.identity.cmp(&other.identity));
            Ok(Done::with(true, audit))
        })
    }

    async fn open(&self, identity: &ConsumerIdentity, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.commit("open", |tables| {
            let stops = &mut tables.consumers.stops;
            let Some(place) = stops.iter().position(|known| known.identity == *identity) else {
                return Ok(Done::nothing(false));
            };
            stops.remove(place);
            Ok(Done::with(true, audit))
        })
    }
}
