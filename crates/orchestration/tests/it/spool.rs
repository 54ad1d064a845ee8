//! The spool of a test's world, and what a run does about a database that fails when a token is done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vega_domain::ids::ApiName;
use vega_domain::ports::{StoreError, TokenSpool};
use vega_domain::run::RunState;
use vega_orchestration::{RunError, WaitPolicy};

use crate::world::{World, steps};

#[derive(Default)]
pub(crate) struct TestSpool {
    pub(crate) prepared: Mutex<Vec<ApiName>>,
    pub(crate) imports: AtomicU32,
    pub(crate) fails: Mutex<bool>,
}

impl TestSpool {
    fn answer(&self) -> Result<(), StoreError> {
        if *self.fails.lock().unwrap() {
            return Err(StoreError::Failed {
                doing: "use the spool",
                source: "no space".into(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl TokenSpool for TestSpool {
    async fn prepare(&self, apis: &[ApiName]) -> Result<(), StoreError> {
        self.answer()?;
        self.prepared.lock().unwrap().extend_from_slice(apis);
        Ok(())
    }

    async fn import(&self, _at: DateTime<Utc>) -> Result<Vec<ApiName>, StoreError> {
        self.answer()?;
        self.imports.fetch_add(1, Ordering::Relaxed);
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn room_is_made_for_what_is_planned_before_the_run_begins() {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = world.plan().await;
    world.run().await.unwrap();
    let planned: Vec<ApiName> = plan.apis().iter().map(|planned| planned.api.clone()).collect();
    assert_eq!(*world.spool.prepared.lock().unwrap(), planned);
}

#[tokio::test(start_paused = true)]
async fn without_that_room_nobody_is_asked_for_an_otp() {
    let world = World::of(&[("main", &["PRIMARY"])]);
    let plan = world.plan().await;
    *world.spool.fails.lock().unwrap() = true;
    let cancel = CancellationToken::new();
    let error = world
        .resume()
        .execute(&plan, WaitPolicy::NoWait, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Store(_)), "{error:?}");
    assert!(world.database.runs().is_empty());
    assert!(world.log.take_only(&["open", "sign in"]).is_empty());
    assert!(world.lease.is_free());
}

/// The disk is full for a moment, just when a token is there.
#[tokio::test(start_paused = true)]
async fn a_database_that_accepts_again_soon_does_not_end_the_run() {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    let plan = world.plan().await;
    world.faults.fail_at("PRIMARY done");
    let resume = world.resume();
    let cancel = CancellationToken::new();
    let run = resume.execute(&plan, WaitPolicy::NoWait, &cancel);
    let heals = async {
        sleep(Duration::from_secs(3)).await;
        world.faults.heal();
    };
    let (run, ()) = tokio::join!(run, heals);
    let run = run.unwrap();
    assert_eq!(steps(&run), ["PRIMARY done", "WEBSOCKET1 done"]);
    assert_eq!(run.state, RunState::Completed);
    assert!(
        world.spool.imports.load(Ordering::Relaxed) > 1,
        "the token goes into its row first"
    );
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_for_good_ends_it_after_seconds() {
    let world = World::of(&[("main", &["PRIMARY", "WEBSOCKET1"])]);
    world.faults.fail_at("PRIMARY done");
    let began = Instant::now();
    let error = world.run().await.unwrap_err();
    assert!(matches!(error, RunError::Store(_)), "{error:?}");
    let waited = began.elapsed();
    assert!(
        waited >= Duration::from_secs(10) && waited < Duration::from_secs(12),
        "{waited:?}"
    );
    let served = world.registry.get(&world.accounts[0].apis[0].name);
    assert!(served.is_some(), "the token can be used");
}
