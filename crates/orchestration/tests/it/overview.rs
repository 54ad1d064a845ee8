//! What the command line and the server show of a failed morning comes from one reading.

use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::ApiName;
use vega_domain::overview::Statuses;
use vega_domain::ports::Clock;
use vega_domain::sign_in::OtpAllowance;
use vega_domain::token::TokenStatus;

use crate::orchestration_fixture::{OrchestrationFixture, Standing};
use crate::sign_ins::Script;

/// `main` cools down after its first press, `second` has every token.
#[tokio::test(start_paused = true)]
async fn a_failed_morning_is_read_whole() {
    let fixture = OrchestrationFixture::of(&[
        ("main", &["PRIMARY", "WEBSOCKET1"]),
        ("second", &["OPTIONCHAIN1"]),
    ]);
    fixture.has("OPTIONCHAIN1", Standing::Valid);
    let throttled = Failure::new(FailureReason::Throttled, "words");
    fixture
        .sign_ins
        .script("PRIMARY", Script::FailsPastPress(throttled));
    fixture.run().await.unwrap();

    let overview = fixture.overview().all().await.unwrap();
    let statuses = overview.statuses.iter();
    let statuses: Vec<_> = statuses
        .map(|status| (status.api.as_str(), status.status))
        .collect();
    assert_eq!(
        statuses,
        [
            ("PRIMARY", TokenStatus::Missing),
            ("WEBSOCKET1", TokenStatus::Missing),
            ("OPTIONCHAIN1", TokenStatus::Valid),
        ]
    );
    let evidence: Vec<_> = overview.evidence.keys().map(ApiName::as_str).collect();
    assert_eq!(evidence, ["PRIMARY"]);
    let allowances = fixture.overview().allowances(&overview.now).await.unwrap();
    let left: Vec<_> = allowances
        .of
        .iter()
        .map(|(id, left)| (id.as_str(), *left))
        .collect();
    assert_eq!(
        left,
        [("main", OtpAllowance::Left(3)), ("second", OtpAllowance::Left(4))]
    );
    assert_eq!((allowances.budget, overview.now.at), (4, fixture.clock.now()));
    let closed = allowances.of.iter().map(|(id, _)| overview.closed(id));
    let closed: Vec<_> = closed
        .map(|closed| closed.map(|closed| closed.failure.reason))
        .collect();
    assert_eq!(closed, [Some(FailureReason::Throttled), None]);
    let cooldown = overview
        .closed
        .first()
        .and_then(|closed| closed.until(&overview.now));
    assert_eq!(overview.next_deadline(), cooldown);
}

/// The accounts are whole all the same: a reader of some APIs learns of every account that is closed.
#[tokio::test(start_paused = true)]
async fn an_overview_of_some_apis_is_of_those_and_of_every_account() {
    let fixture = OrchestrationFixture::two_accounts();
    fixture.fails("PRIMARY", FailureReason::Throttled);
    fixture.run().await.unwrap();
    let service = fixture.overview();
    let mut statuses = service.all().await.unwrap().statuses;
    statuses.retain(|status| status.api.as_str() == "OPTIONCHAIN1");

    let overview = service
        .of(Statuses {
            apis: statuses,
            analytics: Vec::new(),
        })
        .await
        .unwrap();
    assert_eq!((overview.statuses.len(), overview.evidence.len()), (1, 0));
    assert_eq!(
        (
            fixture
                .overview()
                .allowances(&overview.now)
                .await
                .unwrap()
                .of
                .len(),
            overview.closed.len()
        ),
        (2, 1)
    );
}
