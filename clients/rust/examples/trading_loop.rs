//! A strategy that trades while there is a token, stops when there is none, and goes on with the next one. The server is this user's own;
//! the broker is Upstox, or whatever the first argument names: `cargo run --example trading_loop -- http://127.0.0.1:PORT`.

use std::time::Duration;

use vega_client::{Error, Server, Token, TokenSource, Verdict};

const UPSTOX: &str = "https://api.upstox.com";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = std::env::args().nth(1).unwrap_or_else(|| UPSTOX.to_owned());
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()?;
    let tokens = Server::local()?
        .consumer("trading-loop")
        .build()?
        .tokens("PRIMARY")?;
    let mut changes = tokens.changes();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            Some(generation) = changes.next() => match generation {
                Some(generation) => say(&format!("trading with token {generation}")),
                None => say("no token: all strategies pause"),
            },
            _ = tick.tick() => match tokens.current(Duration::from_secs(30)).await {
                Ok(token) => trade(&http, &broker, &tokens, &token).await?,
                Err(error @ (Error::Setup { .. } | Error::UnknownApi { .. })) => return Err(error.into()),
                Err(error) => say(&error.to_string()),
            },
        }
    }
}

async fn trade(
    http: &reqwest::Client,
    broker: &str,
    tokens: &impl TokenSource,
    token: &Token,
) -> Result<(), Box<dyn std::error::Error>> {
    let call = http
        .get(format!("{broker}/v2/user/profile"))
        .bearer_auth(token.expose());
    let status = call.send().await?.status();
    if status != reqwest::StatusCode::UNAUTHORIZED {
        say(&format!("the broker answered {status}"));
        return Ok(());
    }
    match tokens.report_rejected(token.generation()).await? {
        Verdict::Newer => say("there is a newer token: the next tick has it"),
        Verdict::Dead => say("the token is dead: a human must sign in"),
        Verdict::Alive => {
            say("the token is good: the broker refuses this call for another cause, such as the static IP");
        }
        Verdict::Unknown => say("the broker does not say what is wrong"),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example that shows what it does")]
fn say(line: &str) {
    println!("{line}");
}
