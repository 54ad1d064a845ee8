//! The disk as processes reach it keeps the contracts of the storage ports, as long as nothing is injected.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_testing::builders::at;
use vega_testing::contract::{Installation, Stores};

use super::{DiskChanges, Store};
use crate::desk;
use crate::fault_state::Storage;
use crate::here::Here;
use crate::lease::DeskLease;
use crate::process::Manner;
use crate::seeded_rng::SeededRng;
use crate::world::{Records, World};

struct OneDesk(Arc<World>);

#[async_trait]
impl Installation for OneDesk {
    async fn fresh() -> Self {
        let records = Records {
            rng: Arc::new(SeededRng::seeded(1)),
            trace: Arc::default(),
            violations: Arc::default(),
            defect: None,
        };
        let accounts = desk::draw(&records.rng).unwrap();
        Self(World::opening(&records, accounts, at(0)))
    }

    async fn open(&self) -> Stores {
        let here = Here::starting(&self.0, Manner::Terminal, None);
        let store = Arc::new(Store::new(here.clone()));
        Stores {
            cooldowns: store.clone(),
            runs: store.clone(),
            run_history: store.clone(),
            attempts: store.clone(),
            otp_ledger: store.clone(),
            codes: store.clone(),
            tokens: store.clone(),
            audit: store.clone(),
            spool: store,
            changes: Arc::new(DiskChanges::new(here.clone())),
            lease: Arc::new(DeskLease::new(here)),
            // No program of the simulation has them.
            ..Stores::over(&self.0.disk.memory)
        }
    }

    async fn refuse_commits(&self, refuse: bool) {
        let storage = if refuse {
            Storage::TakesNothing
        } else {
            Storage::Works
        };
        self.0.change_faults(|faults| faults.storage = storage);
    }

    async fn refuse_spool(&self, refuse: bool) {
        self.0.change_faults(|faults| faults.spool_fails = refuse);
    }

    async fn damage_token(&self, api: &str) {
        self.0.disk.memory.damage_token(api);
    }

    async fn damage_answer(&self, attempt: AttemptId) {
        self.0.disk.memory.damage_answer(attempt);
    }

    async fn damage_key(&self, key: AccessKeyId) {
        self.0.disk.memory.damage_key(key);
    }
}

vega_testing::contract_tests!(OneDesk);
