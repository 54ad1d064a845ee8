//! Audit entries say which code, answer or token they speak of, by fingerprints, and the secret is not readable.

use vega_domain::audit::AuditKind;
use vega_domain::ids::Generation;
use vega_domain::ports::{AuditTrail, CodeDelivery, SignInAttempts, TokenCheck, UpstoxTokenRepository};
use vega_domain::secret::{AccessToken, AuthorizationCode, OAuthState};
use vega_domain::token::{CheckResult, LastCheck};
use vega_persistence::SqlAuditTrail;

use crate::database_fixture::{DatabaseFixture, api, at, attempt, entry, token};

impl DatabaseFixture {
    /// What stands at the end of the newest entry of this kind: what it speaks of, and its fingerprint.
    async fn fingerprint(&self, kind: AuditKind) -> (String, String) {
        let detail: String =
            sqlx::query_scalar("SELECT detail FROM audit_events WHERE kind = $1 ORDER BY id DESC LIMIT 1")
                .bind(kind.code())
                .fetch_one(&self.raw().await)
                .await
                .unwrap();
        let last = detail.rsplit("; ").next().unwrap();
        let (what, digits) = last.split_once(' ').unwrap();
        assert_eq!(digits.len(), 16, "{detail}");
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{detail}");
        (what.into(), digits.into())
    }

    pub(crate) async fn check(&self, name: &str, generation: u32, result: CheckResult) {
        let check = TokenCheck {
            api: api(name),
            generation: Generation::new(generation).unwrap(),
            check: LastCheck { at: at(9), result },
        };
        let audit = entry(AuditKind::TokenChecked);
        self.tokens.record_checks(&[(check, audit)]).await.unwrap();
    }

    async fn store(&self, name: &str, generation: u32, run: vega_domain::ids::RunId) {
        let answered = self.answered(run, name, generation).await;
        let new = token(answered, name, generation);
        let audit = entry(AuditKind::TokenStored);
        self.tokens.store(&new, &audit).await.unwrap();
    }
}

#[tokio::test]
async fn all_entries_about_a_token_bear_one_fingerprint() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    fixture.store("PRIMARY", 1, run).await;
    let stored = fixture.fingerprint(AuditKind::TokenStored).await;
    assert_eq!(stored.0, "token");
    for result in [CheckResult::Valid, CheckResult::Invalid] {
        fixture.check("PRIMARY", 1, result).await;
        assert_eq!(fixture.fingerprint(AuditKind::TokenChecked).await, stored);
    }
    // The same token, should Upstox hand it to a stranger.
    let same = AccessToken::new("CANARY-token-PRIMARY-1");
    let trail = SqlAuditTrail::new(fixture.data.clone());
    let logged_out = entry(AuditKind::TokenLoggedOut);
    trail.append_about(&logged_out, &same).await.unwrap();
    assert_eq!(fixture.fingerprint(AuditKind::TokenLoggedOut).await, stored);

    fixture.store("PRIMARY", 2, run).await;
    let second = fixture.fingerprint(AuditKind::TokenStored).await;
    assert_ne!(second, stored, "another token");
    // A late check of the first one speaks of the first one.
    fixture.check("PRIMARY", 1, CheckResult::Invalid).await;
    assert_eq!(fixture.fingerprint(AuditKind::TokenChecked).await, stored);
    fixture.store("WEBSOCKET1", 1, run).await;
    let others = fixture.fingerprint(AuditKind::TokenStored).await;
    assert!(others != stored && others != second);
}

#[tokio::test]
async fn a_code_is_told_from_its_coming_back_to_its_exchange() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY", "WEBSOCKET1"]).await;
    let code = AuthorizationCode::new("CANARY-code");
    let opened = attempt(run, "PRIMARY", 1);
    let audit = entry(AuditKind::AttemptOpened);
    fixture.journal.open_attempt(&opened, &audit).await.unwrap();
    let state = OAuthState::new(opened.state.expose());
    fixture.journal.deliver_code(&state, &code, at(1)).await.unwrap();
    let received = fixture.fingerprint(AuditKind::CodeReceived).await;
    assert_eq!(received.0, "code");
    let audit = entry(AuditKind::ExchangeIntended);
    fixture
        .journal
        .seal_code(opened.id, &code, at(1), &audit)
        .await
        .unwrap();
    assert_eq!(fixture.fingerprint(AuditKind::ExchangeIntended).await, received);

    // The next attempt's code and answer: the code is the same in these fixtures, the answer is something else.
    fixture.answered(run, "WEBSOCKET1", 1).await;
    assert_eq!(fixture.fingerprint(AuditKind::ExchangeIntended).await, received);
    let answer = fixture.fingerprint(AuditKind::AnswerReceived).await;
    assert_eq!(answer.0, "answer");
    assert_ne!(answer.1, received.1);
}

#[tokio::test]
async fn another_key_makes_another_fingerprint() {
    let (one, two) = (DatabaseFixture::new().await, DatabaseFixture::new().await);
    let mut fingerprints = Vec::new();
    for fixture in [one, two] {
        let run = fixture.running(&["PRIMARY"]).await;
        fixture.store("PRIMARY", 1, run).await;
        fingerprints.push(fixture.fingerprint(AuditKind::TokenStored).await);
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
}

#[tokio::test]
async fn a_token_that_does_not_open_is_checked_without_a_fingerprint() {
    let fixture = DatabaseFixture::new().await;
    let run = fixture.running(&["PRIMARY"]).await;
    fixture.store("PRIMARY", 1, run).await;
    sqlx::query("UPDATE upstox_tokens SET sealed_access_token = zeroblob(64)")
        .execute(&fixture.raw().await)
        .await
        .unwrap();
    fixture.check("PRIMARY", 1, CheckResult::Invalid).await;
    let detail: String = sqlx::query_scalar("SELECT detail FROM audit_events ORDER BY id DESC LIMIT 1")
        .fetch_one(&fixture.raw().await)
        .await
        .unwrap();
    assert_eq!(detail, "");
    // Fingerprints are no secrets: what they speak of must not be there.
    let bytes = fixture.bytes_on_disk();
    assert!(!bytes.windows(6).any(|part| part == b"CANARY"));
}
