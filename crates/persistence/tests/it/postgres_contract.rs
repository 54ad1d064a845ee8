//! PostgreSQL keeps the contracts of the storage ports.

use async_trait::async_trait;
use vega_domain::ids::{AccessKeyId, AttemptId};
use vega_testing::contract::{Installation, Stores};

use crate::contract::stores_over;
use crate::postgres_desk::Desk;

struct OnServer(Desk);

#[async_trait]
impl Installation for OnServer {
    async fn fresh() -> Self {
        Self(Desk::new())
    }

    async fn open(&self) -> Stores {
        stores_over(&self.0.machine("data").await)
    }

    /// The entry is the last of a commit's changes.
    async fn refuse_commits(&self, refuse: bool) {
        self.0.change(if refuse {
            "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
             CREATE TRIGGER refuses BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuses()"
        } else {
            "DROP TRIGGER refuses ON audit_events; DROP FUNCTION refuses"
        });
    }

    /// A file stands where the folder belongs.
    async fn refuse_spool(&self, refuse: bool) {
        let data = self.0.machine("data").await;
        let folder = data.path().with_extension("spool");
        if refuse {
            std::fs::write(folder, "").unwrap();
        } else {
            std::fs::remove_file(folder).unwrap();
        }
    }

    async fn damage_token(&self, api: &str) {
        self.0.change(&format!(
            "UPDATE upstox_tokens SET sealed_access_token = '\\x00' WHERE api = '{api}'"
        ));
    }

    async fn damage_answer(&self, attempt: AttemptId) {
        let id = attempt.as_uuid().simple();
        self.0.change(&format!(
            "UPDATE sign_in_attempts SET sealed_answer = '\\x00' WHERE id = '\\x{id}'"
        ));
    }

    async fn damage_key(&self, key: AccessKeyId) {
        let id = key.as_uuid().simple();
        self.0.change(&format!(
            "UPDATE access_keys SET scopes = 'admin' WHERE id = '\\x{id}'"
        ));
    }
}

vega_testing::contract_tests!(OnServer);
