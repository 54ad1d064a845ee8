//! A running Vega serves what another one stores, and no longer what another one learned to be dead.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use vega_bootstrap::{Environment, Settings, Vega};
use vega_domain::account::{Account, Api};
use vega_domain::failure::FailureReason;
use vega_domain::ids::Generation;
use vega_domain::ports::MockEventSink;
use vega_domain::token::{CheckResult, LastCheck, TokenStatus};
use vega_testing::Nobody;

use crate::other_vega::OtherVega;

/// Far longer than it takes; how long it takes is measured by `cargo xtask bench`.
const AT_MOST: Duration = Duration::from_mins(1);

struct TwoProcesses {
    vega: Vega,
    /// A second one, over the same database.
    cli: Vega,
    other: OtherVega,
    _home: TempDir,
}

impl TwoProcesses {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", home.path().join("data/vega_trade.db").display());
        let key_file = home.path().join("config/vega.key");
        let variables = [
            ("VEGA__DATABASE__URL", url.as_str()),
            ("VEGA__KEY_FILE", key_file.to_str().unwrap()),
            ("VEGA__UPSTOX__API_BASE_URL", "http://127.0.0.1:9"),
            ("UPSTOX_MOBILE_NUMBER", "9000000001"),
            ("UPSTOX_CLIENT_ID_0", "key-0"),
            ("UPSTOX_CLIENT_SECRET_0", "CANARY-secret-0"),
            ("UPSTOX_CLIENT_ID_1", "key-1"),
            ("UPSTOX_CLIENT_SECRET_1", "CANARY-secret-1"),
        ];
        let start = async || {
            let environment = Environment::made_of(&variables, home.path());
            let settings = Settings::load(&environment).unwrap();
            let mut events = MockEventSink::new();
            events.expect_emit().return_const(());
            let operator = Arc::new(Nobody);
            Box::pin(Vega::start(
                settings,
                environment,
                operator,
                Arc::new(events),
                Arc::new(vega_bootstrap::Undecorated),
            ))
            .await
            .unwrap()
        };
        let (vega, cli) = (start().await, start().await);
        let other = OtherVega::open(&url, &key_file, vega.clock.now()).await.unwrap();
        Self {
            vega,
            cli,
            other,
            _home: home,
        }
    }

    fn account(&self) -> &Account {
        &self.vega.settings.accounts[0]
    }

    async fn store(&self, api: &Api, generation: u32) {
        let (account, now) = (self.account(), self.vega.clock.now());
        let generation = Generation::new(generation).unwrap();
        self.other.store(account, api, generation, now).await.unwrap();
    }

    async fn check(&self, api: &Api, generation: u32, result: CheckResult) {
        let at = self.vega.clock.now();
        let generation = Generation::new(generation).unwrap();
        self.other
            .check(api, generation, LastCheck { at, result })
            .await
            .unwrap();
    }

    fn served(&self, api: &Api) -> Option<u32> {
        let token = self.vega.registry.get(&api.name)?;
        Some(token.generation.get())
    }

    /// Waits, without asking again and again, until readers get this generation.
    async fn becomes(&self, api: &Api, generation: Option<u32>) {
        let mut changes = self.vega.registry.subscribe();
        let served = changes.wait_for(|_| self.served(api) == generation);
        tokio::time::timeout(AT_MOST, served).await.unwrap().unwrap();
    }

    async fn followed<T>(&self, story: impl Future<Output = T>) -> T {
        tokio::select! {
            never = self.vega.follow_tokens() => match never {},
            done = story => done,
        }
    }
}

#[tokio::test]
async fn what_another_process_stores_and_learns_is_served_and_no_longer_served() {
    let processes = TwoProcesses::new().await;
    let [primary, other] = &processes.account().apis[..] else {
        panic!("two APIs are configured")
    };
    processes
        .followed(async {
            processes.store(primary, 1).await;
            processes.becomes(primary, Some(1)).await;
            processes.store(other, 1).await;
            processes.becomes(other, Some(1)).await;
            processes.store(primary, 2).await;
            processes.becomes(primary, Some(2)).await;
            processes.check(primary, 2, CheckResult::Invalid).await;
            processes.becomes(primary, None).await;
            assert_eq!(processes.served(other), Some(1));
        })
        .await;
    let now = processes.vega.clock.now();
    processes.other.close(now).await.unwrap();
    processes.vega.close().await;
}

#[tokio::test]
async fn what_another_process_revokes_is_served_no_longer_though_upstox_is_out_of_reach() {
    let processes = TwoProcesses::new().await;
    let [primary, other] = &processes.account().apis[..] else {
        panic!("two APIs are configured")
    };
    processes
        .followed(async {
            for api in [primary, other] {
                processes.store(api, 1).await;
                processes.becomes(api, Some(1)).await;
            }
            let revoked = processes
                .cli
                .revocation
                .revoke(&primary.name)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(revoked.logout.unwrap_err().reason, FailureReason::Network);
            processes.becomes(primary, None).await;
            assert_eq!(processes.served(other), Some(1));
            let status = processes
                .vega
                .stored
                .validity
                .status(&primary.name)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(status.status, TokenStatus::Invalid);
            processes.store(primary, 2).await;
            processes.becomes(primary, Some(2)).await;
        })
        .await;
}

#[tokio::test]
async fn while_nobody_follows_nothing_new_is_served() {
    let processes = TwoProcesses::new().await;
    let primary = &processes.account().apis[0];
    processes.store(primary, 1).await;
    assert_eq!(processes.served(primary), None);
}

#[tokio::test]
async fn a_token_of_an_app_that_is_not_configured_is_not_served() {
    let processes = TwoProcesses::new().await;
    let [primary, other] = &processes.account().apis[..] else {
        panic!("two APIs are configured")
    };
    let mut of_another_app = primary.clone();
    of_another_app.client_id = other.client_id.clone();
    processes.store(&of_another_app, 1).await;
    processes.store(other, 1).await;
    // The second one came later, so the first was looked at.
    processes.followed(processes.becomes(other, Some(1))).await;
    assert_eq!(processes.served(primary), None);
}
