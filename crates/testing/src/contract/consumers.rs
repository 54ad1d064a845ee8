//! The contract of `Consumers`.

use vega_domain::audit::AuditKind;
use vega_domain::consumer::{
    AccessPath, Consumer, ConsumerIdentity, ConsumerStop, ConsumerUse, LocalProgram,
};
use vega_domain::ids::{AccessKeyId, ApiName, ConsumerName, Generation};

use super::contract_fixture::ContractFixture;
use super::installation::Installation;
use crate::builders::{account, api, at, entry};

fn by_key(name: &str, number: i64) -> Consumer {
    Consumer {
        identity: ConsumerIdentity::Key(AccessKeyId::at(at(number))),
        identity_name: name.to_owned(),
        own_name: None,
        access_path: AccessPath::Http,
    }
}

fn unit() -> Consumer {
    let program = LocalProgram::new(1_000, Some("strategy.service"), Some("desk-1"));
    Consumer {
        identity_name: program.name(),
        identity: ConsumerIdentity::Program(program),
        own_name: Some(ConsumerName::new("strategy-a").unwrap()),
        access_path: AccessPath::Socket,
    }
}

fn seen(consumer: Consumer, name: &str, generation: Option<u32>, seconds: i64) -> ConsumerUse {
    ConsumerUse {
        consumer,
        api: api(name),
        generation: generation.map(|number| Generation::new(number).unwrap()),
        moved_at: generation.map(|_| at(seconds - 1)),
        last_seen_at: at(seconds),
    }
}

impl<I: Installation> ContractFixture<I> {
    async fn records(&self, uses: &[ConsumerUse]) {
        self.consumers.record(uses, at(0)).await.unwrap();
    }
}

pub async fn what_was_seen_of_consumers_reads_back_by_name<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (trader, unit) = (by_key("trader", 1), unit());
    let uses = [
        seen(trader.clone(), "WEBSOCKET1", None, 5),
        seen(unit, "PRIMARY", Some(3), 7),
        seen(trader.clone(), "PRIMARY", Some(2), 6),
        ConsumerUse {
            api: ApiName::of_analytics(&account()),
            ..seen(trader, "PRIMARY", Some(1), 8)
        },
    ];
    fixture.records(&uses).await;
    let elsewhere = fixture.elsewhere().await;
    let [last, first, second, of_account] = uses;
    assert_eq!(
        elsewhere.consumers.uses().await.unwrap(),
        [first, of_account, second, last]
    );
    assert!(fixture.audit().await.is_empty(), "it decides nothing");
}

pub async fn what_was_seen_later_of_a_consumer_is_kept<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let of = |generation, seconds| seen(unit(), "PRIMARY", Some(generation), seconds);
    fixture.records(&[of(2, 5)]).await;
    fixture.records(&[of(3, 9)]).await;
    // Of another server, say.
    fixture.records(&[of(2, 7)]).await;
    assert_eq!(fixture.consumers.uses().await.unwrap(), [of(3, 9)]);
    // The same name, under another key or none.
    let other = Consumer {
        identity: by_key("trader", 1).identity,
        ..unit()
    };
    fixture.records(&[seen(other, "PRIMARY", Some(1), 8)]).await;
    assert_eq!(fixture.consumers.uses().await.unwrap().len(), 2);
}

pub async fn who_was_seen_long_ago_is_forgotten<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let (early, late) = (
        seen(by_key("early", 1), "PRIMARY", Some(2), 5),
        seen(unit(), "PRIMARY", None, 9),
    );
    fixture.records(&[early, late.clone()]).await;
    fixture.consumers.record(&[], at(9)).await.unwrap();
    assert_eq!(fixture.consumers.uses().await.unwrap(), [late]);
}

pub async fn a_consumer_stays_stopped_until_it_is_opened<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let stop = |consumer: &Consumer, reason: &str| ConsumerStop {
        identity: consumer.identity.clone(),
        name: consumer.identity_name.clone(),
        since: at(5),
        reason: reason.to_owned(),
    };
    let (trader, unit) = (by_key("trader", 1), unit());
    let (stopped, opened) = (
        entry(AuditKind::ConsumerStopped),
        entry(AuditKind::ConsumerOpened),
    );
    let consumers = &fixture.consumers;
    assert!(!consumers.open(&unit.identity, &opened).await.unwrap());
    let first = stop(&unit, "it trades on yesterday's token");
    assert!(consumers.stop(&first, &stopped).await.unwrap());
    assert!(!consumers.stop(&stop(&unit, "again"), &stopped).await.unwrap());
    fixture
        .records(&[seen(unit.clone(), "PRIMARY", Some(3), 9)])
        .await;
    let elsewhere = fixture.elsewhere().await;
    assert_eq!(
        elsewhere.consumers.stops().await.unwrap(),
        std::slice::from_ref(&first)
    );

    fixture.refuse_commits(true).await;
    assert!(consumers.stop(&stop(&trader, ""), &stopped).await.is_err());
    assert!(consumers.open(&unit.identity, &opened).await.is_err());
    fixture.refuse_commits(false).await;
    assert_eq!(consumers.stops().await.unwrap(), [first]);

    assert!(
        elsewhere
            .consumers
            .stop(&stop(&trader, ""), &stopped)
            .await
            .unwrap()
    );
    assert!(consumers.open(&unit.identity, &opened).await.unwrap());
    assert_eq!(elsewhere.consumers.stops().await.unwrap(), [stop(&trader, "")]);
    assert_eq!(
        fixture.audit_kinds().await,
        [
            AuditKind::ConsumerStopped,
            AuditKind::ConsumerStopped,
            AuditKind::ConsumerOpened
        ]
    );
}
