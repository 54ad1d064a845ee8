//! What Vega asks of the driver when tabs and frames disappear: a driver that answers like Chromium's.

use std::sync::{Arc, Mutex};

use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// The position of the driver, and the tabs and frames that still exist.
#[derive(Debug, Default)]
struct Stage {
    windows: Vec<&'static str>,
    /// Tabs that are listed, and disappear when the driver moves to them.
    closing: Vec<&'static str>,
    frames: usize,
    window: String,
    depth: usize,
    closed: Vec<String>,
}

impl Stage {
    fn answer(&mut self, line: &str, body: &Value) -> Result<Value, &'static str> {
        let there =
            |stage: &Self, window: &str| stage.windows.contains(&window) && !stage.closing.contains(&window);
        let (method, path) = line.split_once(' ').unwrap();
        match (method, path.strip_prefix("/session/s").unwrap_or(path)) {
            ("POST", "/session") => Ok(json!({ "sessionId": "s", "capabilities": {} })),
            ("GET", "/window/handles") => Ok(json!(self.windows)),
            ("POST", "/window") => {
                let window = body["handle"].as_str().unwrap();
                if !self.windows.contains(&window) {
                    return Err("no such window");
                }
                (self.window, self.depth) = (window.to_owned(), 0);
                Ok(Value::Null)
            }
            _ if !there(self, &self.window) => Err("no such window"),
            ("GET", "/url") => Ok(json!(format!("http://broker/{}", self.window))),
            ("DELETE", "/window") => {
                self.closed.push(self.window.clone());
                Ok(json!([]))
            }
            ("POST", "/frame") if self.depth >= self.frames => Err("no such frame"),
            ("POST", "/frame") => {
                self.depth += 1;
                Ok(Value::Null)
            }
            _ => Err("unknown command"),
        }
    }
}

async fn serve(mut connection: TcpStream, stage: Arc<Mutex<Stage>>) {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = connection.read(&mut part).await.unwrap();
        bytes.extend(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "half a request");
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let end = head.len() + 4 + length.map_or(0, |length| length.trim().parse().unwrap());
        if bytes.len() < end {
            continue;
        }
        let line = String::from_utf8_lossy(&bytes).lines().next().unwrap().to_owned();
        let body = serde_json::from_slice(&bytes[head.len() + 4..end]).unwrap_or_default();
        let answer = stage
            .lock()
            .unwrap()
            .answer(line.trim_end_matches(" HTTP/1.1"), &body);
        let (status, value) = match answer {
            Ok(value) => ("200 OK", value),
            Err(error) => (
                "404 Not Found",
                json!({ "error": error, "message": error, "stacktrace": "" }),
            ),
        };
        let body = json!({ "value": value }).to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        connection.write_all((head + &body).as_bytes()).await.unwrap();
        return;
    }
}

async fn driver(stage: Stage) -> (Client, Arc<Mutex<Stage>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stage = Arc::new(Mutex::new(stage));
    let served = Arc::clone(&stage);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, Arc::clone(&served)));
        }
    });
    let client = ClientBuilder::new(HttpConnector::new())
        .connect(&url)
        .await
        .unwrap();
    (client, stage)
}

fn paths(tabs: &[Tab]) -> Vec<&str> {
    tabs.iter().map(|tab| tab.address.path()).collect()
}

#[tokio::test]
async fn a_tab_that_closes_itself_is_left_out_until_none_is_left() {
    let (browser, stage) = driver(Stage {
        windows: vec!["first", "popup"],
        ..Stage::default()
    })
    .await;
    let mut tabs = Tabs::default();
    assert_eq!(paths(&tabs.open(&browser).await.unwrap()), ["/popup", "/first"]);
    // In the middle of the turn, whichever it is and wherever the driver stands.
    for (closing, left) in [("popup", "/first"), ("first", "/popup")] {
        stage.lock().unwrap().closing = vec![closing];
        assert_eq!(paths(&tabs.open(&browser).await.unwrap()), [left], "{closing}");
    }
    stage.lock().unwrap().closing = vec!["popup", "first"];
    assert!(matches!(tabs.open(&browser).await, Err(Trouble::Closed)));
    // Another has opened meanwhile.
    *stage.lock().unwrap() = Stage {
        windows: vec!["second"],
        ..Stage::default()
    };
    assert_eq!(paths(&tabs.open(&browser).await.unwrap()), ["/second"]);
    stage.lock().unwrap().windows.clear();
    assert!(matches!(tabs.open(&browser).await, Err(Trouble::Gone(_))));
}

#[tokio::test]
async fn the_next_sign_in_begins_in_a_tab_that_lives() {
    let (browser, stage) = driver(Stage {
        windows: vec!["first", "popup", "last"],
        closing: vec!["popup"],
        window: "gone".into(),
        ..Stage::default()
    })
    .await;
    Tabs::only_one(&browser).await.unwrap();
    assert_eq!(stage.lock().unwrap().closed, ["first"]);
    assert_eq!(stage.lock().unwrap().window, "last");
    *stage.lock().unwrap() = Stage {
        windows: vec!["first"],
        window: "gone".into(),
        ..Stage::default()
    };
    Tabs::only_one(&browser).await.unwrap();
    assert_eq!(stage.lock().unwrap().window, "first");
}

/// The frames, or their contents, are gone: the driver is at the page again.
#[tokio::test]
async fn after_an_act_the_driver_stands_at_the_page() {
    for frames in [1, 2] {
        let (browser, stage) = driver(Stage {
            windows: vec!["first"],
            frames,
            ..Stage::default()
        })
        .await;
        let mut tabs = Tabs::default();
        tabs.open(&browser).await.unwrap();
        tabs.frame = vec![0, 0];
        let is_entered = Arc::clone(&stage);
        let action = async move {
            assert_eq!(is_entered.lock().unwrap().depth, 2);
            Err(CmdError::NotW3C(Value::Null))
        };
        let acted = tabs.act(&browser, action).await;
        assert!(matches!(acted, Err(Trouble::Passing(_))), "{acted:?}");
        assert_eq!(stage.lock().unwrap().depth, 0, "{frames} frames");
    }
}
