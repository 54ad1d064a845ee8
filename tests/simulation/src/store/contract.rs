//! The disk as processes reach it keeps the contracts of the storage ports, as long as nothing is injected: on a desk with one machine,
//! and on one where two share a database.

use std::sync::Arc;

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_testing::builders::at;
use vega_testing::contract::{Installation, Stores};

use super::{DiskChanges, Store};
use crate::desk;
use crate::disk::Refusal;
use crate::fault_state::Storage;
use crate::here::Here;
use crate::lease::lease;
use crate::locked::locked;
use crate::process::{Fate, Manner};
use crate::seeded_rng::SeededRng;
use crate::world::{Records, World};

struct Desk<const MACHINES: usize>(Arc<World>);

#[async_trait]
impl<const MACHINES: usize> Installation for Desk<MACHINES> {
    async fn fresh() -> Self {
        let records = Records {
            rng: Arc::new(SeededRng::seeded(1)),
            trace: Arc::default(),
            violations: Arc::default(),
            defect: None,
        };
        let accounts = desk::draw(&records.rng).unwrap();
        Self(World::opening(&records, accounts, MACHINES, at(0)))
    }

    async fn open(&self) -> Stores {
        let here = Here::starting(&self.0, 0, Manner::Terminal, Fate::default());
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
            lease: lease(here),
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
        // Also for what no program of the simulation reaches.
        *locked(&self.0.disk.gate.refusal) = refuse.then_some(Refusal::Full);
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

mod one_machine {
    type OneMachine = super::Desk<1>;

    vega_testing::contract_tests!(OneMachine);
}

mod two_machines {
    type TwoMachines = super::Desk<2>;

    vega_testing::contract_tests!(TwoMachines);
}
