//! The contract of `UpstoxTokenRepository`.

use chrono::TimeDelta;
use vega_domain::audit::{AuditEntry, AuditKind};
use vega_domain::failure::{Failure, FailureReason};
use vega_domain::ids::{AccountId, ApiName, AttemptId, ClientId, Generation, UserId};
use vega_domain::ports::{StoreError, TokenCheck};
use vega_domain::token::{CheckResult, LastCheck};
use vega_domain::token_kind::TokenKind;

use super::contract_fixture::{ContractFixture, is_conflict};
use super::installation::Installation;
use crate::builders::{account, api, at, entry, token};

pub async fn a_stored_token_reads_back_whole<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    let new = token(attempt, "PRIMARY", 1);
    fixture.store(&new).await.unwrap();

    let found = fixture.token("PRIMARY").await;
    assert_eq!(found.access_token.expose(), "CANARY-token-PRIMARY-1");
    assert_eq!(
        (found.client_id, found.user_id, found.generation, found.account),
        (
            new.token.client_id,
            new.token.user_id,
            new.token.generation,
            new.token.account
        )
    );
    assert_eq!(
        (
            found.issued_at,
            found.valid_until,
            found.verified_at,
            found.rejected_at,
            found.last_check
        ),
        (
            new.token.issued_at,
            new.token.valid_until,
            new.token.verified_at,
            None,
            new.token.last_check
        )
    );
}

pub async fn every_api_has_its_newest_token<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    for (name, generation) in [("WEBSOCKET1", 1), ("PRIMARY", 1), ("PRIMARY", 2)] {
        fixture.has(run, name, generation).await;
    }
    let all = fixture.elsewhere().await.tokens.load_all().await.unwrap();
    let all = all.iter().map(|token| token.as_ref().unwrap());
    let seen: Vec<_> = all
        .map(|token| (token.api.as_str(), token.generation.get()))
        .collect();
    assert_eq!(seen, [("PRIMARY", 2), ("WEBSOCKET1", 1)]);
    let newest = async |name| fixture.tokens.newest_generation(&api(name)).await.unwrap();
    assert_eq!(newest("PRIMARY").await, Generation::new(2).ok());
    assert_eq!(newest("WEBSOCKET2").await, None);
    assert_eq!(fixture.count(AuditKind::TokenStored).await, 3);
}

pub async fn one_unreadable_token_does_not_hide_the_others<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    fixture.has(run, "WEBSOCKET1", 1).await;
    fixture.damage_token("PRIMARY").await;

    let all = fixture.tokens.load_all().await.unwrap();
    let [Err(damaged), Ok(whole)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (damaged.api.as_str(), damaged.valid_until),
        ("PRIMARY", at(50_000))
    );
    assert_eq!(whole.access_token.expose(), "CANARY-token-WEBSOCKET1-1");
    let newest = fixture.tokens.newest_generation(&api("PRIMARY")).await;
    assert_eq!(newest.unwrap(), Some(Generation::FIRST));
}

pub async fn an_account_is_whose_its_newest_verified_token_is<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"]).await;
    assert_eq!(fixture.tokens.owner(&account()).await.unwrap(), None);
    for (name, user, verified) in [
        ("PRIMARY", "AB1234", Some(at(6))),
        ("WEBSOCKET1", "CD5678", Some(at(7))),
        ("OPTIONCHAIN1", "EF9012", Some(at(5))),
        ("WEBSOCKET2", "ZZ9999", None),
    ] {
        let attempt = fixture.answered(run, name, 1).await;
        let mut new = token(attempt, name, 1);
        new.token.user_id = UserId::new(user).unwrap();
        new.token.verified_at = verified;
        fixture.store(&new).await.unwrap();
    }
    let owner = fixture.tokens.owner(&account()).await.unwrap();
    assert_eq!(owner, Some(UserId::new("CD5678").unwrap()));
    let other = AccountId::new("family").unwrap();
    assert_eq!(fixture.tokens.owner(&other).await.unwrap(), None);
}

pub async fn an_adopted_token_follows_the_newest_one<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    let before = fixture.audit().await.len();

    let adopt = async |generation| {
        let adopted = token(AttemptId::at(at(7)), "PRIMARY", generation).token;
        let audit = entry(AuditKind::TokenStored);
        fixture.adoption.adopt(&adopted, &audit).await
    };
    for generation in [1, 3] {
        is_conflict(&adopt(generation).await);
    }
    assert_eq!(fixture.audit().await.len(), before);
    adopt(2).await.unwrap();
    assert_eq!(fixture.audit().await.len(), before + 1);
    let found = fixture.token("PRIMARY").await;
    assert_eq!(found.access_token.expose(), "CANARY-token-PRIMARY-2");

    // The next sign-in goes on from there.
    let attempt = fixture.answered(run, "PRIMARY", 3).await;
    is_conflict(&adopt(3).await);
    fixture.store(&token(attempt, "PRIMARY", 3)).await.unwrap();
    is_conflict(&adopt(3).await);
    adopt(4).await.unwrap();
}

/// It is checked and taken back like any other, and says nothing of whose the account is.
pub async fn an_analytics_token_is_kept_beside_the_others<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    let owner = fixture.tokens.owner(&account()).await.unwrap();
    let name = ApiName::of_analytics(&account());
    assert_eq!(fixture.tokens.newest_generation(&name).await.unwrap(), None);

    let mut analytics = token(AttemptId::at(at(7)), "PRIMARY", 1).token;
    analytics.api = name.clone();
    analytics.user_id = UserId::new("ZZ9999").unwrap();
    analytics.client_id = ClientId::of_no_app();
    analytics.verified_at = Some(at(1_000));
    analytics.valid_until = at(0) + TimeDelta::days(365);
    let audit = entry(AuditKind::TokenStored);
    fixture.adoption.adopt(&analytics, &audit).await.unwrap();

    let there = fixture.elsewhere().await;
    let all = there.tokens.load_all().await.unwrap();
    let names: Vec<String> = all
        .iter()
        .map(|token| token.as_ref().unwrap().api.to_string())
        .collect();
    assert_eq!(names, [name.as_str(), "PRIMARY"]);
    assert_eq!(there.tokens.owner(&account()).await.unwrap(), owner);
    assert_eq!(
        there.tokens.newest_generation(&name).await.unwrap(),
        Some(Generation::FIRST)
    );

    // As long as it lives nothing of it is erased, and its checks are its own.
    assert_eq!(
        there
            .tokens
            .erase_dead(at(0) + TimeDelta::days(364))
            .await
            .unwrap(),
        1
    );
    let check = TokenCheck {
        api: name.clone(),
        generation: Generation::FIRST,
        check: LastCheck {
            at: at(2_000),
            result: CheckResult::Invalid,
        },
    };
    let mut told = entry(AuditKind::TokenChecked);
    told.api = Some(name.clone());
    assert_eq!(
        there.tokens.record_checks(&[(check, told)]).await.unwrap(),
        [true]
    );
    let refused = fixture.token(name.as_str()).await;
    assert_eq!(
        (refused.kind(), refused.rejected_at),
        (TokenKind::Read, Some(at(2_000)))
    );
    let entries = fixture.audit().await;
    assert_eq!(entries.last().unwrap().api, Some(name));
}

pub async fn a_stale_generation_is_refused_and_nothing_is_written<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let second = fixture.answered(run, "PRIMARY", 1).await;
    fixture.has(run, "PRIMARY", 1).await;
    let before = fixture.audit().await.len();

    for generation in [1, 3] {
        is_conflict(&fixture.store(&token(second, "PRIMARY", generation)).await);
    }
    assert_eq!(fixture.audit().await.len(), before);
    let kept = fixture.token("PRIMARY").await;
    assert_eq!(kept.access_token.expose(), "CANARY-token-PRIMARY-1");
    let open = fixture.attempts.unfinished().await.unwrap();
    assert_eq!(open.len(), 1, "the refused token's attempt is as it was");
}

pub async fn one_attempt_brings_one_token<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    let attempt = fixture.answered(run, "PRIMARY", 1).await;
    fixture.store(&token(attempt, "PRIMARY", 1)).await.unwrap();
    assert_eq!(fixture.attempts.unfinished().await.unwrap().len(), 0);
    is_conflict(&fixture.store(&token(attempt, "PRIMARY", 2)).await);
}

pub async fn a_check_keeps_the_first_verdicts_and_touches_only_its_generation<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    for generation in [1, 2] {
        fixture.has(run, "PRIMARY", generation).await;
    }
    let record = async |generation, seconds, result| {
        let check = TokenCheck {
            api: api("PRIMARY"),
            generation: Generation::new(generation).unwrap(),
            check: LastCheck {
                at: at(seconds),
                result,
            },
        };
        let audit = entry(AuditKind::TokenChecked);
        fixture.tokens.record_checks(&[(check, audit)]).await.unwrap()[0]
    };
    let unreachable = CheckResult::Unknown(FailureReason::Network);

    assert!(
        !record(1, 10, CheckResult::Invalid).await,
        "generation 1 is not the newest"
    );
    assert!(record(2, 20, CheckResult::Valid).await);
    assert!(record(2, 30, unreachable).await);
    let token = fixture.token("PRIMARY").await;
    assert_eq!((token.verified_at, token.rejected_at), (Some(at(3)), None));
    let last = LastCheck {
        at: at(30),
        result: unreachable,
    };
    assert_eq!(token.last_check, Some(last));

    record(2, 40, CheckResult::Invalid).await;
    record(2, 50, CheckResult::Invalid).await;
    assert_eq!(fixture.token("PRIMARY").await.rejected_at, Some(at(40)));
    record(2, 55, unreachable).await;
    assert_eq!(fixture.token("PRIMARY").await.rejected_at, Some(at(40)));

    record(2, 60, CheckResult::Valid).await;
    let token = fixture.token("PRIMARY").await;
    assert_eq!((token.verified_at, token.rejected_at), (Some(at(3)), None));
    assert!(!token.is_refused(), "a good answer takes a refusal back");

    record(2, 70, CheckResult::Revoked).await;
    for (seconds, result) in [
        (80, CheckResult::Valid),
        (90, unreachable),
        (95, CheckResult::Revoked),
    ] {
        assert!(record(2, seconds, result).await);
        let token = fixture.token("PRIMARY").await;
        assert!(token.is_refused() && token.is_revoked(), "{result:?}");
        assert_eq!(token.rejected_at, Some(at(70)));
        assert_eq!(token.last_check.unwrap().at, at(70));
    }
}

/// One that tells something new keeps its own entry, wherever it stands among the others.
pub async fn checks_that_change_nothing_share_one_entry<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let apis = ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2", "WEBSOCKET3"];
    let run = fixture.running(&apis).await;
    for api in apis {
        fixture.has(run, api, 1).await;
    }
    let (valid, unreachable) = (CheckResult::Valid, CheckResult::Unknown(FailureReason::Network));
    let record = async |seconds, checks: &[(&str, CheckResult)]| {
        let recorded = checks.iter().map(|(name, result)| {
            let check = TokenCheck {
                api: api(name),
                generation: Generation::FIRST,
                check: LastCheck {
                    at: at(seconds),
                    result: *result,
                },
            };
            let audit = AuditEntry::new(at(seconds), AuditKind::TokenChecked, "as asked");
            (check, audit.about(&account(), &api(name)))
        });
        let before = fixture.audit().await.len();
        let recorded: Vec<_> = recorded.collect();
        let newest = fixture.tokens.record_checks(&recorded).await.unwrap();
        assert_eq!(newest, vec![true; checks.len()]);
        for (name, result) in checks {
            let last = LastCheck {
                at: at(seconds),
                result: *result,
            };
            assert_eq!(fixture.token(name).await.last_check, Some(last), "{name}");
        }
        let told = fixture.audit().await.split_off(before).into_iter().map(|entry| {
            let api = entry.api.map_or_else(String::new, |api| api.to_string());
            assert_eq!(entry.account, Some(account()));
            (entry.kind.code(), api, entry.detail)
        });
        told.collect::<Vec<_>>()
    };
    let first = record(10, &apis.map(|api| (api, unreachable))).await;
    let of = |told: &[(&'static str, String, String)]| {
        told.iter()
            .map(|(kind, api, _)| format!("{kind} {api}"))
            .collect::<Vec<_>>()
    };
    let each = apis.map(|api| format!("token_checked {api}"));
    assert_eq!(of(&first), each, "they were valid");

    let second = record(20, &apis.map(|api| (api, unreachable))).await;
    let words = "4 unknown (network) as before: PRIMARY, WEBSOCKET1, WEBSOCKET2, WEBSOCKET3";
    assert_eq!(second, [("tokens_checked", String::new(), words.to_owned())]);

    let third = [
        ("PRIMARY", unreachable),
        ("WEBSOCKET1", CheckResult::Invalid),
        ("WEBSOCKET2", unreachable),
        ("WEBSOCKET3", valid),
    ];
    let third = record(30, &third).await;
    let expected = [
        "token_checked WEBSOCKET1",
        "token_checked WEBSOCKET3",
        "tokens_checked ",
    ];
    assert_eq!(of(&third), expected);
    assert_eq!(third[2].2, "2 unknown (network) as before: PRIMARY, WEBSOCKET2");

    let alone = record(40, &[("PRIMARY", unreachable)]).await;
    assert_eq!(of(&alone), ["token_checked PRIMARY"]);
}

pub async fn a_token_is_erased_a_day_after_its_end_and_no_earlier<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    let attempt = fixture.answered(run, "WEBSOCKET1", 1).await;
    let mut later = token(attempt, "WEBSOCKET1", 1);
    later.token.valid_until = at(50_010);
    fixture.store(&later).await.unwrap();
    let erase = async |seconds| {
        let now = at(50_000) + TimeDelta::days(1) + TimeDelta::seconds(seconds);
        fixture.tokens.erase_dead(now).await.unwrap()
    };
    assert_eq!(erase(-1).await, 0);
    assert_eq!(erase(0).await, 0, "a day, and not more");
    assert_eq!(fixture.count(AuditKind::TokensErased).await, 0);
    assert_eq!(erase(1).await, 1);
    assert_eq!(erase(1).await, 0);
    assert_eq!(fixture.count(AuditKind::TokensErased).await, 1);

    let all = fixture.tokens.load_all().await.unwrap();
    let dead = all[0].as_ref().unwrap_err();
    assert_eq!((dead.api.as_str(), dead.valid_until), ("PRIMARY", at(50_000)));
    assert!(matches!(dead.error, StoreError::Erased), "{:?}", dead.error);
    assert_eq!(all[1].as_ref().unwrap().api, api("WEBSOCKET1"));
    let newest = fixture.tokens.newest_generation(&api("PRIMARY")).await;
    assert_eq!(newest.unwrap(), Some(Generation::FIRST));
}

/// Nobody reads it through a port, so what was erased is told by the count and its entry.
pub async fn an_extended_token_outlives_its_access_token_by_a_year<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    let erase = async |now| fixture.tokens.erase_dead(now).await.unwrap();
    assert_eq!(
        erase(at(50_001) + TimeDelta::days(1)).await,
        1,
        "the access token"
    );
    let end = at(0) + TimeDelta::days(366) + TimeDelta::days(1);
    assert_eq!(erase(end).await, 0);
    assert_eq!(erase(end + TimeDelta::seconds(1)).await, 1);
    let told = fixture.audit().await.pop().unwrap();
    assert_eq!(
        (told.kind, &*told.detail),
        (AuditKind::TokensErased, "extended token PRIMARY 1")
    );
    assert_eq!(erase(end + TimeDelta::days(1)).await, 0);
}

pub async fn an_extended_token_goes_when_a_newer_one_came<I: Installation>() {
    let fixture = ContractFixture::<I>::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.has(run, "PRIMARY", 1).await;
    let attempt = fixture.answered(run, "PRIMARY", 2).await;
    let mut without = token(attempt, "PRIMARY", 2);
    without.extended_token = None;
    fixture.store(&without).await.unwrap();
    let erase = async |seconds| {
        let now = at(50_000) + TimeDelta::days(1) + TimeDelta::seconds(seconds);
        fixture.tokens.erase_dead(now).await.unwrap()
    };
    assert_eq!(
        erase(1).await,
        2,
        "two access tokens, and none replaces the extended one"
    );
    fixture.has(run, "PRIMARY", 3).await;
    assert_eq!(erase(2).await, 2, "an access token and the first extended one");
    let told = fixture.audit().await.pop().unwrap().detail;
    assert_eq!(told, "token PRIMARY 3, extended token PRIMARY 1");
}

/// It may be the only trace of a token that Upstox gave out.
pub async fn only_an_answer_that_needs_review_is_kept_until_it_is_old<I: Installation>() {
    for (reason, kept) in [(FailureReason::NeedsReview, 1), (FailureReason::PinRefused, 0)] {
        let fixture = ContractFixture::<I>::new().await;
        let run = fixture.running(&["PRIMARY"]).await;
        let attempt = fixture.answered(run, "PRIMARY", 1).await;
        fixture.closes(attempt, &Failure::new(reason, ""), 5).await;
        let erase = async |seconds| {
            let now = at(2) + TimeDelta::days(2) + TimeDelta::seconds(seconds);
            fixture.tokens.erase_dead(now).await.unwrap()
        };
        assert_eq!(erase(-1).await, 0, "{reason}");
        assert_eq!(erase(1).await, kept, "{reason}");
        assert_eq!(erase(1).await, 0, "{reason}");
    }
}
