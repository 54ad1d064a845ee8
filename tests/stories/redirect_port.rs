//! Another program has the port of the redirect URI. Vega's window never asks it for anything: the token comes, and the
//! program sees neither code nor state.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vega_tests::{Counts, Desk, Ran, Upstox, Window, until};

/// What was asked of the program, request by request.
type Asked = Arc<Mutex<Vec<String>>>;

/// Takes the port that `upstox` sends browsers to, and answers as told; a program that says nothing keeps the browser.
async fn another_program_at(upstox: &Upstox, answer: &str) -> Result<Asked> {
    let (_, place) = upstox.redirect_uri().split_once("localhost:").context("a port")?;
    let (port, _) = place.split_once('/').context("a path")?;
    let port: u16 = port.parse()?;
    let asked = Asked::default();
    for host in ["127.0.0.1", "::1"] {
        let listener = match TcpListener::bind((host, port)).await {
            Ok(listener) => listener,
            Err(_) if host == "::1" => continue,
            Err(error) => return Err(error.into()),
        };
        let (heard, answer) = (Arc::clone(&asked), answer.to_owned());
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut bytes = vec![0; 4096];
                let read = connection.read(&mut bytes).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                if let Ok(mut asked) = heard.lock() {
                    asked.push(request);
                }
                let _ = connection.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    kept.push(connection);
                }
            }
        });
    }
    Ok(asked)
}

#[rstest]
#[case::sends_to_its_own_login(
    "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)]
#[case::drops_the_query(
    "HTTP/1.1 301 Moved\r\nlocation: /api/v1/auth/upstox/callback/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)]
#[case::says_nothing("")]
#[case::trades_the_code_in("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK")]
#[tokio::test]
async fn never_8_another_program_at_the_redirect_port_gets_nothing(#[case] answer: &str) -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    let desk = Desk::new(&upstox)?;
    let asked = another_program_at(&upstox, answer).await?;
    let ran = desk.vega(&["PRIMARY", "WEBSOCKET1", "--yes"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        *asked.lock().unwrap(),
        Vec::<String>::new(),
        "asked by the browser"
    );
    assert_eq!(upstox.counts().await?, Counts::of_a_good_run(2));
    let token = desk.token("PRIMARY").await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    Ok(())
}

#[tokio::test]
async fn the_window_says_that_the_sign_in_is_done() -> Result<()> {
    let upstox = Upstox::start_with_a_redirect_of_its_own().await?;
    let mut desk = Desk::new(&upstox)?;
    let window = Window::at(&mut desk).await?;
    // The window then stands for a while.
    upstox
        .scenario(serde_json::json!({ "scope": "all", "on": "exchange", "kind": "delay", "params": { "ms": 2000 } }))
        .await?;
    let vega = desk.start(&["PRIMARY", "--yes"])?;
    let said = until(async || {
        let words = window.text().await.unwrap_or_default();
        words.contains("Signed in for PRIMARY") && words.contains("nothing left to do")
    });
    assert!(said.await, "the window never said so");
    let address = window.address().await?;
    assert!(!address.contains("code="), "{address}");
    let ran = Ran::to_its_end(vega).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    window.end().await
}
