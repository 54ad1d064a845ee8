//! How another Rust service on the machine of Vega gets a token: it opens Vega's database, has a hot registry follow the
//! stored tokens, takes one out and asks Upstox whose it is. It never signs in; the token itself is never printed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, SubsecRound, Utc};
use url::Url;
use vega_domain::ids::ApiName;
use vega_domain::ports::{Clock, ProfileAnswer, ProfileApi};
use vega_persistence::{DataSource, SqlTokenChanges, SqlTokenRepository};
use vega_services::{HotTokenRegistry, RegistryFollower, RegistryScope};
use vega_upstox::{HttpClient, ProfileVerifier};

const USAGE: &str = "give four arguments: DATABASE_URL KEY_FILE API API_BASE_URL, such as \
                     sqlite:///home/me/.local/share/vega/vega_trade.db /home/me/.config/vega/vega.key PRIMARY \
                     https://api.upstox.com";
const TIMEOUT: Duration = Duration::from_secs(10);

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this program's only source of time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, key_file, api, base] = arguments.as_slice() else {
        bail!(USAGE);
    };
    let api = ApiName::new(api)?;
    let base = Url::parse(base).with_context(|| format!("{base} is no URL; {USAGE}"))?;

    let data = open(database, Path::new(key_file)).await?;
    let clock = Arc::new(SystemClock);
    let registry = Arc::new(HotTokenRegistry::new(clock.clone()));
    let follower = RegistryFollower::new(
        Arc::clone(&registry),
        RegistryScope::Everything,
        Arc::new(SqlTokenRepository::new(data.clone())),
        Arc::new(SqlTokenChanges::new(data.clone())),
        clock,
    );
    follower.catch_up().await?;
    // While the service does its work, the registry follows: what Vega stores or takes back is here within 100 ms.
    let asked = tokio::select! {
        never = follower.follow() => match never {},
        asked = ask_whose(&registry, &api, &base) => asked,
    };
    data.close().await;
    say(&format!("{api} is a token of {}", asked?));
    Ok(())
}

/// Vega makes what is missing; a reader must not, or a wrong path gives it an empty database of its own.
async fn open(database: &str, key_file: &Path) -> Result<DataSource> {
    for file in [Path::new(database.trim_start_matches("sqlite://")), key_file] {
        let words = "does not exist. Give the database and key file of a Vega that has signed in";
        ensure!(file.is_file(), "{} {words}", file.display());
    }
    Ok(DataSource::open(database, key_file).await?)
}

async fn ask_whose(registry: &HotTokenRegistry, api: &ApiName, base: &Url) -> Result<String> {
    let token = registry.get(api).with_context(|| {
        format!("{api} has no token to use now. See `vega status`, and run `vega {api}` to sign in for it")
    })?;
    let upstox = ProfileVerifier::new(&HttpClient::new()?, base, TIMEOUT)?;
    match upstox.profile(&token.access_token).await {
        ProfileAnswer::Valid(user) => Ok(user.to_string()),
        ProfileAnswer::Invalid => bail!("Upstox calls the token of {api} dead. Run `vega {api}` for another"),
        ProfileAnswer::Unknown(failure) => {
            bail!("{failure}. The token may still be good: look at {base} and the network, then try again")
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line of output")]
fn say(line: &str) {
    println!("{line}");
}
