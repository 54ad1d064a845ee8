//! The redirect stays in the window: whatever the redirect URI is and whoever listens there, Vega has the code and nobody
//! else was asked for it.

use anyhow::{Result, ensure};

use crate::broker::{Broker, Page, Request};
use crate::sign_in::{STATE, SignInDesk};

/// As Upstox does once it knows who signs in: back to the redirect URI, with code and state.
fn back(request: &Request) -> Page {
    let to = request.parameter("redirect_uri").unwrap_or_default();
    let joint = if to.contains('?') { '&' } else { '?' };
    Page::to(format!("{to}{joint}code=mk404x&state={STATE}"))
}

/// What other programs do with a browser that comes to them.
const OTHERS: &[&str] = &["http", "https"];

#[tokio::test]
async fn nobody_else_gets_the_code_whatever_the_redirect_uri_is() -> Result<()> {
    let broker = Broker::start(back).await?;
    let thief = Broker::start(|_| Page::to("/login")).await?;
    // The same port of IPv6, where this machine has it.
    let of_ipv6 = Broker::at(&format!("[::1]:{}", thief.port), |_| Page::to("/login"))
        .await
        .ok();
    let mut wrong = Vec::new();
    for scheme in OTHERS {
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "desk.localhost",
            "desk.example",
            "desk.app",
        ] {
            for place in [format!("{host}:{}/cb", thief.port), format!("{host}/cb?desk=1")] {
                let uri = format!("{scheme}://{place}");
                let desk = SignInDesk::new(&broker, &uri)?;
                let outcome = desk.sign_in().await?;
                if outcome.as_deref() != Ok("mk404x") {
                    wrong.push(format!("{uri}: {outcome:?}"));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let mut asked = thief.asked();
    asked.extend(of_ipv6.iter().flat_map(Broker::asked));
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_proxy_gets_no_code_either() -> Result<()> {
    let proxy = Broker::start(|_| Page::to("/login")).await?;
    let broker = Broker::start(back).await?;
    for uri in ["http://desk.example:5000/cb", "https://desk.example/cb"] {
        let mut desk = SignInDesk::new(&broker, uri)?;
        let address = format!("http://127.0.0.1:{}", proxy.port);
        desk.environment = vec![
            ("http_proxy", address.clone()),
            ("https_proxy", address),
            ("NO_PROXY", "intra.example".into()),
        ];
        let outcome = desk.sign_in().await?;
        ensure!(outcome.as_deref() == Ok("mk404x"), "{uri}: {outcome:?}");
    }
    let asked: Vec<_> = proxy
        .asked()
        .into_iter()
        .filter(|asked| asked.line.contains("desk.example"))
        .collect();
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}
