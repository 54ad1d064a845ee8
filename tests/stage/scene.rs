//! The scene that a story wants, and the stage that it is set on: a simulated Upstox, a desk, and the server at it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vega_tests::{Caller, Desk, Server, Upstox, until};

use crate::command::Command;

/// What a story begins with. What is left out is the first morning: six APIs without tokens, and nobody in the window.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scene {
    /// Two accounts of three APIs each instead of one.
    two_accounts: bool,
    /// Settings of this desk, by the names of their variables.
    settings: BTreeMap<String, String>,
    /// These have valid tokens already.
    signed_in: Vec<String>,
    /// Somebody sits in front of the browser window, types and ticks.
    human_at_the_desk: bool,
    /// How the human's own browser gets back.
    own_browser: Option<WayBack>,
    /// The programs' clock is the story's.
    test_hooks: bool,
}

/// Whether a redirect reaches the server.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WayBack {
    /// The server listens where the redirect leads.
    ByItself,
    /// Another program does.
    PastedAddress,
}

/// A scene that is set.
pub(crate) struct Stage {
    upstox: Upstox,
    desk: Desk,
    server: Option<Server>,
    port: u16,
    /// Whoever has the redirect's port where the server may not.
    _stranger: Option<tokio::task::JoinHandle<()>>,
}

impl Scene {
    /// Sets it; the server answers when it returns.
    pub(crate) async fn set(self) -> Result<Stage> {
        let upstox = self.upstox().await?;
        let mut desk = if self.test_hooks {
            Desk::with_test_hooks(&upstox)?
        } else {
            Desk::new(&upstox)?
        };
        if !self.signed_in.is_empty() {
            let names = self.signed_in.iter().map(String::as_str);
            let ran = desk
                .vega(&["--yes"].into_iter().chain(names).collect::<Vec<_>>())
                .await?;
            ensure!(
                ran.code == Some(0),
                "the tokens to begin with were not made: {ran:?}"
            );
            upstox.count_anew().await?;
        }
        for (name, value) in &self.settings {
            desk.set(name, value);
        }
        let back_at = port_of(upstox.redirect_uri())?;
        let (port, stranger) = match self.own_browser {
            None => (free_port().await?, None),
            Some(WayBack::ByItself) => (back_at, None),
            Some(WayBack::PastedAddress) => (free_port().await?, Some(hang_up_at(back_at).await?)),
        };
        if self.own_browser.is_some() {
            desk.set("VEGA__SIGN_IN__ROUTE", "own-browser");
        }
        desk.set("VEGA__SERVER__LISTEN", &format!("127.0.0.1:{port}"));
        upstox.human_at_the_desk(self.human_at_the_desk).await?;
        let server = Server::start_at(&desk, port).await?;
        Ok(Stage {
            upstox,
            desk,
            server: Some(server),
            port,
            _stranger: stranger,
        })
    }

    async fn upstox(&self) -> Result<Upstox> {
        match (self.two_accounts, self.own_browser) {
            (true, _) => Upstox::start_with_two_accounts().await,
            (false, None) => Upstox::start().await,
            (false, Some(_)) => Upstox::start_with_a_redirect_of_its_own().await,
        }
    }
}

impl Stage {
    /// Where everything is, and what the human knows.
    pub(crate) fn opening(&self) -> Value {
        let account = &self.upstox.seed().accounts[0];
        json!({
            "address": format!("http://127.0.0.1:{}", self.port),
            "upstox": self.upstox.base_url(),
            "phone": format!("{}/_sim/phone", self.upstox.base_url()),
            "mobile": account.mobile,
            "pin": account.pin,
            "redirect_uri": self.upstox.redirect_uri(),
            "apis": self.upstox.apps().collect::<Vec<_>>(),
        })
    }

    /// Does what a story asks for.
    pub(crate) async fn obey(&mut self, command: Command) -> Result<Value> {
        Ok(match command {
            Command::Link => {
                let ran = self.desk.vega(&["console"]).await?;
                ensure!(ran.code == Some(0), "no link: {ran:?}");
                json!({ "link": ran.stdout.trim() })
            }
            Command::Stop => json!({ "code": self.server()?.stop().await? }),
            Command::Kill => {
                self.server()?.kill().await?;
                json!({})
            }
            Command::Start => {
                ensure!(self.server.is_none(), "the server runs");
                self.server = Some(Server::start_at(&self.desk, self.port).await?);
                json!({})
            }
            Command::Later(seconds) => {
                let by = TimeDelta::seconds(seconds);
                self.upstox.move_clock(by).await?;
                self.desk.move_clock(by)?;
                json!({})
            }
            Command::Vega(arguments) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let ran = self.desk.vega(&arguments).await?;
                json!({ "code": ran.code, "stdout": ran.stdout, "stderr": ran.stderr })
            }
        })
    }

    /// Ends everything in order; fails when something does not end, or when the server was gone before.
    pub(crate) async fn clear(mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            let lives = server.get("/livez", &Caller::Stranger).await;
            ensure!(lives.is_ok(), "the server died: {}", server.log());
            server.stop().await?;
        }
        let desk = &self.desk;
        let cleared = until(async || desk.processes().is_empty());
        ensure!(cleared.await, "left running: {:?}", desk.processes());
        self.upstox.shutdown().await;
        Ok(())
    }

    fn server(&mut self) -> Result<Server> {
        self.server.take().context("the server does not run")
    }
}

async fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

/// Another program that hangs up on everybody.
async fn hang_up_at(port: u16) -> Result<tokio::task::JoinHandle<()>> {
    let taken = TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(tokio::spawn(async move { while taken.accept().await.is_ok() {} }))
}

fn port_of(address: &str) -> Result<u16> {
    let (_, rest) = address.split_once("localhost:").context("a port")?;
    let port = rest.split('/').next().context("a path")?;
    Ok(port.parse()?)
}
