//! How another Rust service on the machine of Vega gets a token: from Vega's database, through `vega-local`. It asks Upstox whose the
//! token is, and reports one that Upstox refuses. It never signs in; the token itself is never printed.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use url::Url;
use vega_domain::ports::{ProfileAnswer, ProfileApi};
use vega_domain::secret::AccessToken;
use vega_local::{LocalTokens, TokenSource};
use vega_upstox::{HttpClient, ProfileVerifier};

const USAGE: &str = "give four arguments: DATABASE_URL KEY_FILE API API_BASE_URL, such as \
                     sqlite:///home/me/.local/share/vega/vega_trade.db /home/me/.config/vega/vega.key PRIMARY \
                     https://api.upstox.com";
const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, key_file, api, base] = arguments.as_slice() else {
        bail!(USAGE);
    };
    let stored = LocalTokens::at(database, key_file).upstox(base).open().await?;
    let tokens = stored.tokens(api)?;
    // From memory: what Vega stores or takes back is there within 100 ms. A service takes one for each of its calls.
    let token = tokens.current(Duration::ZERO).await?;
    match ask_whose(token.expose(), base).await? {
        ProfileAnswer::Valid(user) => say(&format!("{api} is a token of {user}")),
        ProfileAnswer::Invalid => {
            let verdict = tokens.report_rejected(token.generation()).await?;
            bail!("Upstox refuses the token of {api} ({verdict:?}). See `vega status`");
        }
        ProfileAnswer::Unknown(failure) => {
            bail!("{failure}. The token may still be good: look at {base} and the network, then try again")
        }
    }
    stored.close().await;
    Ok(())
}

/// The service's own work.
async fn ask_whose(token: &str, base: &str) -> Result<ProfileAnswer> {
    let base = Url::parse(base).with_context(|| format!("{base} is no URL; {USAGE}"))?;
    let upstox = ProfileVerifier::new(&HttpClient::new()?, &base, TIMEOUT)?;
    Ok(upstox.profile(&AccessToken::new(token)).await)
}

#[expect(clippy::print_stdout, reason = "the one line of output")]
fn say(line: &str) {
    println!("{line}");
}
