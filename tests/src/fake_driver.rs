//! A driver that opens no browser and keeps what was asked of it: how the window would have been opened.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::desk::Desk;

/// The driver, as long as the story's process lives.
pub struct FakeDriver(Arc<Mutex<Vec<Value>>>);

impl FakeDriver {
    /// Starts it and sets it for every `vega` at this desk from now on.
    pub fn at(desk: &mut Desk) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        desk.set("VEGA__BROWSER__WEBDRIVER_URL", &url);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                if let Ok(Some(session)) = answer(&caller) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(session);
                }
            }
        });
        Ok(Self(asked))
    }

    /// The arguments of the browser that was asked for last.
    pub fn browser_arguments(&self) -> Result<Vec<String>> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = asked.last().context("no browser was asked for")?;
        let always = &session["capabilities"]["alwaysMatch"];
        let first = &session["capabilities"]["firstMatch"][0];
        let arguments = [always, first].map(|wanted| wanted["goog:chromeOptions"]["args"].clone());
        let arguments = arguments.into_iter().find(Value::is_array);
        Ok(serde_json::from_value(
            arguments.with_context(|| session.to_string())?,
        )?)
    }
}

/// Answers one call: the driver is ready, and opens no session. Returns the session that was asked for.
fn answer(mut caller: &TcpStream) -> Result<Option<Value>> {
    let mut request = BufReader::new(caller);
    let mut length = 0;
    loop {
        let mut line = String::new();
        request.read_line(&mut line)?;
        match line.to_lowercase().trim().split_once(": ") {
            Some(("content-length", bytes)) => length = bytes.parse()?,
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body)?;
    let session = serde_json::from_slice(&body).ok();
    let (status, words) = match session {
        None => ("200 OK", r#"{"value":{"ready":true,"message":"a fake"}}"#),
        Some(_) => (
            "500 Internal Server Error",
            r#"{"value":{"error":"session not created","message":"a fake","stacktrace":""}}"#,
        ),
    };
    write!(
        caller,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{words}",
        words.len()
    )?;
    Ok(session)
}
