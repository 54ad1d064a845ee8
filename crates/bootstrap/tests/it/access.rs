//! Who may call a running Vega is what the operator said in another one: a key that was added counts, a revoked one does
//! not, and a link that another one made opens a session here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{interval, timeout};
use vega_bootstrap::{Environment, Settings, Vega};
use vega_domain::access::Scope;
use vega_domain::ids::KeyName;
use vega_domain::ports::MockEventSink;
use vega_testing::Nobody;

/// Far longer than it takes.
const AT_MOST: Duration = Duration::from_mins(1);

async fn start(home: &Path) -> Vega {
    let database = format!("sqlite://{}", home.join("vega_trade.db").display());
    let key_file = home.join("vega.key").display().to_string();
    let variables = [
        ("UPSTOX_MOBILE_NUMBER", "9000000001"),
        ("UPSTOX_CLIENT_ID_0", "key-0"),
        ("UPSTOX_CLIENT_SECRET_0", "CANARY-secret-0"),
        ("VEGA__DATABASE__URL", database.as_str()),
        ("VEGA__KEY_FILE", key_file.as_str()),
    ];
    let environment = Environment::made_of(&variables, home);
    let settings = Settings::load(&environment).unwrap();
    let operator = Arc::new(Nobody);
    Vega::start(
        settings,
        environment,
        operator,
        Arc::new(MockEventSink::new()),
        Arc::new(vega_bootstrap::Undecorated),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn what_the_operator_says_in_another_process_counts_in_a_running_one() {
    let home = tempfile::tempdir().unwrap();
    let server = start(home.path()).await;
    let cli = start(home.path()).await;
    let story = async {
        let name = KeyName::new("trader").unwrap();
        let added = cli.access.add_key(name, vec![Scope::Status], None).await;
        let (key, secret) = added.unwrap();
        let counts = async |wanted| {
            let mut look = interval(Duration::from_millis(5));
            while server.access.key(secret.expose()).is_some() != wanted {
                look.tick().await;
            }
        };
        timeout(AT_MOST, counts(true)).await.unwrap();
        assert!(cli.access.revoke_key(key.id).await.unwrap());
        timeout(AT_MOST, counts(false)).await.unwrap();

        let code = cli.access.make_link().await.unwrap();
        let session = server.access.open_session(code.expose()).await.unwrap().unwrap();
        assert!(server.access.session(session.expose()).await.unwrap().is_some());
        assert!(cli.access.open_session(code.expose()).await.unwrap().is_none());
    };
    tokio::select! {
        never = server.access.follow() => match never {},
        () = story => {}
    }
    // A start knows what was stored before it.
    let name = KeyName::new("watcher").unwrap();
    let (_, secret) = cli.access.add_key(name, vec![Scope::Runs], None).await.unwrap();
    let later = start(home.path()).await;
    assert!(later.access.key(secret.expose()).is_some());
    for vega in [server, cli, later] {
        vega.close().await;
    }
}
