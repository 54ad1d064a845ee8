//! Tokens that were lost with a database server: who serves one puts it back, once, and nobody takes it for gone before.

use vega_domain::audit::AuditKind;
use vega_domain::ids::{AttemptId, RunId};
use vega_domain::ports::{ExecutionStateRepository, SignInAttempts, TokenChanges, UpstoxTokenRepository};
use vega_domain::secret::{AuthorizationCode, RawAnswer};
use vega_domain::token::StoredToken;
use vega_persistence::{
    DataSource, SqlExecutionStateRepository, SqlSignInJournal, SqlTokenChanges, SqlTokenRepository,
};
use vega_testing::TestClock;

use crate::database_fixture::{at, attempt, entry, run, token};
use crate::postgres_failover::{Servers, append, revoke};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_lost_is_put_back_once() {
    let servers = Servers::start().await;
    let (desk, elsewhere) = (servers.open().await.unwrap(), servers.open_elsewhere().await);
    let changes = [&desk, &elsewhere].map(|data| SqlTokenChanges::new(data.clone()));
    for changes in &changes {
        changes.changed().await;
    }
    let lease = desk.login_lease(TestClock::at(at(0)));
    let held = lease.acquire().await.unwrap();
    let record = run(&["PRIMARY"]);
    let runs = SqlExecutionStateRepository::new(desk.clone());
    runs.begin(&record, &entry(AuditKind::RunStarted)).await.unwrap();
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    let stored = store_a_token(&desk, record.id).await;
    let seen = SqlTokenRepository::new(elsewhere.clone()).load_all().await;
    assert_eq!(seen.unwrap().len(), 1);
    drop(held);
    servers.fail_over();
    for data in [&desk, &elsewhere] {
        append(data).await;
    }

    let tokens = SqlTokenRepository::new(desk.clone());
    assert!(tokens.load_all().await.unwrap().is_empty(), "it is lost");
    assert_eq!(changes.each_ref().map(TokenChanges::losses), [1, 1]);
    let told = entry(AuditKind::TokenStored);
    for (changes, is_first) in changes.iter().zip([true, false]) {
        assert_eq!(changes.put_back(&stored, &told).await.unwrap(), is_first);
    }
    let back = tokens.load_all().await.unwrap().pop().unwrap().unwrap();
    assert_eq!(back.access_token.expose(), stored.access_token.expose());
    assert_eq!(back.generation, stored.generation);
    assert_eq!(servers.count(AuditKind::TokenStored), "1");
    for data in [desk, elsewhere] {
        data.close().await;
    }
}

/// The answer of the sign-in is there, and its token was stored in a commit that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_finished_whose_token_was_put_back() {
    let servers = Servers::start().await;
    let desk = servers.open().await.unwrap();
    SqlTokenChanges::new(desk.clone()).changed().await;
    let lease = desk.login_lease(TestClock::at(at(0)));
    let held = lease.acquire().await.unwrap();
    let record = run(&["PRIMARY"]);
    let runs = SqlExecutionStateRepository::new(desk.clone());
    runs.begin(&record, &entry(AuditKind::RunStarted)).await.unwrap();
    let new = token(with_a_code(&desk, record.id).await, "PRIMARY", 1);
    let journal = SqlSignInJournal::new(desk.clone());
    let answer = RawAnswer::new(200, b"CANARY-answer".to_vec(), true);
    let answered = entry(AuditKind::AnswerReceived);
    journal
        .seal_answer(new.attempt, &answer, at(2), &answered)
        .await
        .unwrap();
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    let tokens = SqlTokenRepository::new(desk.clone());
    let told = entry(AuditKind::TokenStored);
    tokens.store(&new, &told).await.unwrap();
    drop(held);
    servers.fail_over();
    append(&desk).await;
    let changes = SqlTokenChanges::new(desk.clone());
    assert!(changes.put_back(&new.token, &told).await.unwrap());

    let _held = lease.acquire().await.unwrap();
    assert_eq!(journal.unfinished().await.unwrap().len(), 1);
    tokens.store(&new, &told).await.unwrap();
    assert!(journal.unfinished().await.unwrap().is_empty());
    let back = tokens.load_all().await.unwrap().pop().unwrap().unwrap();
    assert_eq!(back.generation, new.token.generation);
    // Once, and no other one in its name.
    tokens.store(&new, &told).await.unwrap_err();
    desk.close().await;
}

/// A sign-in whose code is about to be sent.
async fn with_a_code(data: &DataSource, of: RunId) -> AttemptId {
    let journal = SqlSignInJournal::new(data.clone());
    let open = attempt(of, "PRIMARY", 1);
    journal
        .open_attempt(&open, &entry(AuditKind::AttemptOpened))
        .await
        .unwrap();
    let code = AuthorizationCode::new("CANARY-code");
    journal
        .seal_code(open.id, &code, at(1), &entry(AuditKind::ExchangeIntended))
        .await
        .unwrap();
    open.id
}

/// A whole sign-in, as far as the database sees it.
async fn store_a_token(data: &DataSource, of: RunId) -> StoredToken {
    let new = token(with_a_code(data, of).await, "PRIMARY", 1);
    SqlTokenRepository::new(data.clone())
        .store(&new, &entry(AuditKind::TokenStored))
        .await
        .unwrap();
    new.token
}

/// A short command and a server share what is kept beside the key. What the one makes safe is no news to the other, which serves tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_another_process_of_this_machine_made_safe_is_noticed_too() {
    let servers = Servers::start().await;
    let server = servers.open().await.unwrap();
    let changes = SqlTokenChanges::new(server.clone());
    changes.changed().await;
    append(&server).await;
    servers.standby.catches_up_with(&servers.first);
    servers.standby.stops_following();
    revoke(&server).await;
    servers.fail_over();
    let command = servers.open().await.unwrap();
    append(&command).await;
    command.close().await;
    append(&server).await;
    assert_eq!(changes.losses(), 1);
    assert_eq!(servers.count(AuditKind::CommitsLost), "1");
    server.close().await;
}

/// Until a loss is safe, what a process serves may be missing: it must not take the database for the whole truth.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_read_between_a_loss_and_the_write_that_makes_it_safe() {
    let servers = Servers::start().await;
    let (standby, desk) = (&servers.standby, servers.open().await.unwrap());
    let changes = SqlTokenChanges::new(desk.clone());
    changes.changed().await;
    let tokens = SqlTokenRepository::new(desk.clone());
    append(&desk).await;
    standby.catches_up_with(&servers.first);
    standby.stops_following();
    let lease = desk.login_lease(TestClock::at(at(0)));
    let _held = lease.acquire().await.unwrap();
    let record = run(&["PRIMARY"]);
    let runs = SqlExecutionStateRepository::new(desk.clone());
    runs.begin(&record, &entry(AuditKind::RunStarted)).await.unwrap();
    store_a_token(&desk, record.id).await;
    assert_eq!(tokens.load_all().await.unwrap().len(), 1);
    revoke(&desk).await;
    servers.fail_over();
    let full = "ALTER TABLE audit_events ADD CONSTRAINT takes_no_more CHECK (id < 0) NOT VALID";
    standby.change(&servers.url(), full);
    let mut refused = String::new();
    while !refused.contains("takes_no_more") {
        // Before it: no server takes writes.
        refused = tokens.load_all().await.unwrap_err().to_string();
    }
    assert_eq!(changes.losses(), 0);
    // Whoever starts now serves nothing yet, and goes on when it can.
    let anew = servers.open().await.unwrap();
    assert!(anew.mistrust().await.unwrap().is_some());
    SqlTokenRepository::new(anew.clone()).load_all().await.unwrap();
    anew.close().await;
    standby.change(
        &servers.url(),
        "ALTER TABLE audit_events DROP CONSTRAINT takes_no_more",
    );
    assert_eq!(tokens.load_all().await.unwrap().len(), 0);
    assert_eq!(changes.losses(), 1);
    desk.close().await;
}
