//! What machines that share a database on a server hear of each other: which keys each one has, and where its server is.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;
use vega_domain::audit::AuditKind;
use vega_domain::machine::{Machine, NextKey};
use vega_domain::ports::{AuditTrail, TokenChanges};
use vega_persistence::{DataSource, Program, SqlAuditTrail, SqlTokenChanges};
use vega_testing::TestClock;

use crate::database_fixture::{DatabaseFixture, at, entry};
use crate::postgres_desk::Desk;

/// Longer than a question to the database takes to be asked again.
const QUIET: Duration = Duration::from_secs(3);
const AT_MOST: Duration = Duration::from_secs(30);
const URL: &str = "http://127.0.0.1:28020/";
const SERVER: Program<'_> = Program::Server { url: Some(URL) };

async fn said(data: &DataSource, program: Program<'_>, seconds: i64) {
    let at = at(0) + TimeDelta::seconds(seconds);
    data.say_what_is_here(program, "1.2.3", at).await.unwrap();
}

async fn machines(data: &DataSource) -> Vec<Machine> {
    data.machines("1.2.3", at(1)).await.unwrap()
}

fn own(machines: &[Machine]) -> &Machine {
    machines.iter().find(|machine| machine.is_this_one).unwrap()
}

#[tokio::test]
async fn each_machine_is_listed_with_what_it_has_and_told_apart() {
    let desk = Desk::new();
    let (one, other) = (desk.machine("desk1").await, desk.machine("desk2").await);
    assert_eq!(machines(&one).await, []);
    said(&one, SERVER, 1).await;
    said(&other, Program::Command, 2).await;
    let found = machines(&one).await;
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].name, found[1].name, "both have the same host name");
    let first = own(&found);
    assert_eq!(first.url.as_deref(), Some(URL));
    assert_eq!(first.seen_at, at(0) + TimeDelta::seconds(1));
    assert!(first.has_key && first.next_key == NextKey::NotPrepared);
    let seen_there = machines(&other).await;
    assert_eq!(own(&seen_there).url, None);
    assert_ne!(own(&seen_there).name, first.name);

    // A command beside the server takes nothing of what that said, and a server that ends says so.
    said(&one, Program::Command, 3).await;
    let found = machines(&one).await;
    assert_eq!(own(&found).url.as_deref(), Some(URL));
    assert_eq!(own(&found).seen_at, at(0) + TimeDelta::seconds(3));
    said(&one, Program::Server { url: None }, 4).await;
    assert_eq!(own(&machines(&one).await).url, None);
}

#[tokio::test]
async fn a_url_that_others_wrote_leads_nowhere() {
    let desk = Desk::new();
    let data = desk.machine("desk1").await;
    said(&data, SERVER, 1).await;
    desk.change("UPDATE machines SET url = 'http://evil.example/'");
    assert_eq!(own(&machines(&data).await).url, None);
}

#[tokio::test]
async fn nobody_is_woken_by_what_a_machine_says() {
    let desk = Desk::new();
    let (one, other) = (desk.machine("desk1").await, desk.machine("desk2").await);
    let changes = SqlTokenChanges::new(other.clone());
    // Until it knows what is there.
    while timeout(QUIET, changes.changed()).await.is_ok() {}
    let says = async {
        for second in 0..20 {
            said(&one, SERVER, second).await;
            tokio::time::sleep(QUIET / 20).await;
        }
    };
    tokio::select! {
        () = changes.changed() => panic!("it was woken"),
        () = says => {}
    }
    let entry = entry(AuditKind::PlanDeclined);
    SqlAuditTrail::new(one.clone()).append(&entry).await.unwrap();
    timeout(AT_MOST, changes.changed()).await.unwrap();
}

#[tokio::test]
async fn a_machine_that_says_nothing_for_long_is_forgotten() {
    let desk = Desk::new();
    let (one, other) = (desk.machine("desk1").await, desk.machine("desk2").await);
    said(&other, Program::Command, 0).await;
    said(&one, SERVER, TimeDelta::days(30).num_seconds()).await;
    assert_eq!(machines(&one).await.len(), 2);
    said(&one, SERVER, TimeDelta::days(30).num_seconds() + 1).await;
    assert_eq!(machines(&one).await.len(), 1);
}

#[tokio::test]
async fn who_has_the_lease_is_told_with_where_its_server_is() {
    let desk = Desk::new();
    let (one, other) = (desk.machine("desk1").await, desk.machine("desk2").await);
    let lease = one.login_lease(TestClock::at(at(0)));
    let _held = lease.acquire().await.unwrap();
    let asked = async || {
        let holder = other.login_lease(TestClock::at(at(0))).holder().await.unwrap();
        other.reached_at(holder.unwrap()).await.unwrap()
    };
    assert_eq!(asked().await.url, None, "it is no server");
    said(&one, SERVER, 1).await;
    let found = timeout(AT_MOST, asked()).await.unwrap();
    assert_eq!(found.url.as_deref(), Some(URL));
    // Another process of that machine has it: what its server says leads to no answer.
    desk.change("UPDATE login_lease SET process = 'a command'");
    assert_eq!(asked().await.url, None);
}

#[tokio::test]
async fn a_database_in_a_file_has_this_machine() {
    let fixture = DatabaseFixture::new().await;
    said(&fixture.data, SERVER, 1).await;
    let found = machines(&fixture.data).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].is_this_one && found[0].has_key);
}
