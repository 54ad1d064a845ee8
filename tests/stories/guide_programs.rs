//! The examples of the guide "Programs", as they stand there: run at a desk with a server, with nothing in them replaced but the addresses of
//! Upstox and the server. Those that are not run are named in `NOT_RUN`; a new example that is neither is a failure.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;
use vega_tests::{Desk, Ran, Server, Upstox, python, until};

const API: &str = "PRIMARY";
/// What is shown and not typed, what is settings (`[[files]]` and the template are read by tests of their crates, `[server]` by none), what is a
/// part of a Rust program, and what needs a demonstration that runs: each by its beginning.
const NOT_RUN: [&str; 8] = [
    "[[files]]\napi = \"PRIMARY\"\npath = \"/run/vega/strategy.env\"",
    "[[files]]\napi = \"PRIMARY\"\npath = \"/run/vega/strategy.toml\"",
    "[upstox]",
    "{\"v\":1",
    "[server]",
    "let server",
    "cargo run",
    "5 of 6",
];

/// The examples of the page, and which of them were run.
struct Guide {
    examples: Vec<String>,
    run: RefCell<BTreeSet<usize>>,
}

impl Guide {
    fn read() -> Result<Self> {
        let page = std::fs::read_to_string(repository().join("docs/guide/programs.md"))?;
        // Between each pair of fences; the first line may name a language.
        let parts = page.split("\n```").skip(1).step_by(2);
        let examples = parts.filter_map(|part| Some(part.split_once('\n')?.1.to_owned()));
        Ok(Self {
            examples: examples.collect(),
            run: RefCell::default(),
        })
    }

    /// The example that is this, or else the one with this in it.
    fn example(&self, words: &str) -> Result<&str> {
        let is_it = self.examples.iter().position(|example| example.trim() == words);
        let has_it = || self.examples.iter().position(|example| example.contains(words));
        let number = is_it
            .or_else(has_it)
            .with_context(|| format!("no example has {words}"))?;
        self.run.borrow_mut().insert(number);
        Ok(&self.examples[number])
    }

    fn nobody_runs(&self) -> Vec<&String> {
        let examples = self.examples.iter().enumerate();
        let left = examples.filter(|(number, example)| {
            let is_named = NOT_RUN.iter().any(|beginning| example.starts_with(beginning));
            !is_named && !self.run.borrow().contains(number)
        });
        left.map(|(_, example)| example).collect()
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Who reads the guide, at a desk of their own.
struct Reader {
    desk: Desk,
    upstox: Upstox,
    server: Server,
    guide: Guide,
}

impl Reader {
    async fn new() -> Result<Self> {
        let upstox = Upstox::start().await?;
        let mut desk = Desk::new(&upstox)?;
        desk.set("UPSTOX_USER_ID", &upstox.seed().accounts[0].user_id);
        let runtime = desk.path().join("runtime");
        std::fs::create_dir(&runtime)?;
        std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700))?;
        desk.set("XDG_RUNTIME_DIR", &runtime.display().to_string());
        let python_path = repository().join("clients/python").canonicalize()?;
        desk.set("PYTHONPATH", &python_path.display().to_string());
        let packages = desk.path().join("node_modules");
        std::fs::create_dir(&packages)?;
        let client = repository().join("clients/node").canonicalize()?;
        std::os::unix::fs::symlink(client, packages.join("vega-client"))?;
        let show = "import os\nprint(os.environ['UPSTOX_ACCESS_TOKEN'])\n";
        std::fs::write(desk.path().join("strategy.py"), show)?;
        let signed_in = desk.vega(&["--yes", API]).await?;
        assert_eq!(signed_in.code, Some(0), "{signed_in:?}");
        let server = Server::start(&desk).await?;
        Ok(Self {
            desk,
            upstox,
            server,
            guide: Guide::read()?,
        })
    }

    /// Runs the example with this in it, and then `more`, in a shell that finds `vega`.
    async fn runs(&self, words: &str, more: &str) -> Result<Ran> {
        let example = self.guide.example(words)?;
        self.shell(&format!("{example}\n{more}")).await
    }

    async fn shell(&self, script: &str) -> Result<Ran> {
        let script = script
            .replace("https://api.upstox.com", &self.upstox.base_url())
            .replace(
                "127.0.0.1:28020",
                &format!("127.0.0.1:{}", self.server.own_port()),
            )
            .replace(
                "/run/vega/vega.sock",
                &self
                    .desk
                    .path()
                    .join("runtime/vega/vega.sock")
                    .display()
                    .to_string(),
            );
        let script = format!("PATH=\"$(dirname \"$1\"):$PATH\"\n{script}");
        let under = ["sh", "-c", &script, "guide"].map(str::to_owned);
        self.desk.vega_under(&under, &[]).await
    }

    /// A program of the guide, with what shows its token.
    async fn program(&self, words: &str, name: &str, show: &str, run: &str) -> Result<Ran> {
        let text = format!("{}\n{show}\n", self.guide.example(words)?);
        std::fs::write(self.desk.path().join(name), text)?;
        self.shell(run).await
    }
}

fn fields(line: &str) -> Result<BTreeSet<String>> {
    let line: Value = serde_json::from_str(line)?;
    let object = line.as_object().context("an object")?;
    Ok(object.keys().cloned().collect())
}

#[tokio::test]
async fn the_examples_work_as_they_stand() -> Result<()> {
    let reader = Reader::new().await?;
    let token = reader.desk.token(API).await?;
    let said = |ran: &Ran| ran.stdout.trim().to_owned();

    let profile = reader.runs("--format header", "").await?;
    ensure!(said(&profile).contains("\"success\""), "{profile:?}");
    let shell = reader.runs("--format env", "echo $UPSTOX_ACCESS_TOKEN").await?;
    assert_eq!(said(&shell), token, "{shell:?}");
    let exec = reader
        .runs("vega exec PRIMARY --wait 30m -- python3 strategy.py", "")
        .await?;
    assert_eq!(said(&exec), token, "{exec:?}");
    let at_socket = reader
        .runs("VEGA__SERVER__SOCKET=/run/vega/vega.sock", "")
        .await?;
    assert_eq!(said(&at_socket), token, "{at_socket:?}");
    let files = reader.runs("vega files", "").await?;
    assert_eq!(files.code, Some(0), "{files:?}");

    let mut watch = reader.desk.start(&["watch", API])?;
    assert_eq!(reader.guide.example("vega watch")?.trim(), "vega watch PRIMARY");
    let mut lines = BufReader::new(watch.stdout.take().context("its output")?).lines();
    let line = timeout(Duration::from_secs(30), lines.next_line()).await??;
    let shown = reader
        .guide
        .examples
        .iter()
        .find(|example| example.starts_with("{\"v\":1"));
    for shown in shown.context("lines of it")?.lines() {
        assert_eq!(
            fields(&line.clone().context("a line")?)?,
            fields(shown)?,
            "{shown}"
        );
    }
    watch.kill().await?;

    let python = python()?.display().to_string();
    let run = format!("{python} sdk.py");
    let sdk = reader
        .program("import upstox_client", "sdk.py", "print(token)", &run)
        .await?;
    assert_eq!(said(&sdk), token, "{sdk:?}");
    let client = "from vega_client import Server";
    let client = reader
        .program(client, "client.py", "print(token.value)", "python3 client.py")
        .await?;
    assert_eq!(said(&client), token, "{client:?}");
    let show = "console.log(token.value); process.exit(0);";
    let node = reader
        .program("from \"vega-client\"", "client.mjs", show, "node client.mjs")
        .await?;
    assert_eq!(said(&node), token, "{node:?}");
    let curl = reader.runs("curl --unix-socket", "").await?;
    ensure!(said(&curl).contains(&token), "{curl:?}");
    let http = reader.runs("key add trader", "").await?;
    assert_eq!(said(&http).matches("HTTP/1.1 200").count(), 2, "{http:?}");

    // What a server saw is on record within two seconds.
    let consumers = reader.guide.example("vega consumers")?;
    let are_named = until(async || {
        let ran = reader.shell(consumers).await;
        let names = ["strategy-a", "trader", "strategy.py"];
        ran.is_ok_and(|ran| names.iter().all(|name| ran.stdout.contains(name)))
    });
    assert!(are_named.await, "{:?}", reader.shell(consumers).await?);
    let bot = reader
        .desk
        .vega(&["key", "add", "bot", "--scope", "token:PRIMARY"])
        .await?;
    assert_eq!(bot.code, Some(0), "{bot:?}");
    let stop = reader.runs("vega consumers stop bot", "").await?;
    assert_eq!(stop.code, Some(0), "{stop:?}");

    for (words, text) in [
        (
            "vega adopt --analytics",
            reader.upstox.analytics_token("default").await?,
        ),
        ("vega adopt PRIMARY", reader.upstox.generated_token(API).await?),
    ] {
        let line = reader.guide.example(words)?.trim().to_owned();
        let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
        let adopted = reader.desk.vega_with_input(&arguments, &text).await?;
        assert_eq!(adopted.code, Some(0), "{adopted:?}");
    }
    let is_there = until(async || {
        let ran = reader.desk.vega(&["token", API, "--kind", "read"]).await;
        ran.is_ok_and(|ran| ran.code == Some(0))
    });
    assert!(is_there.await);
    let charts = reader.runs("key add charts", "").await?;
    ensure!(said(&charts).contains("\"kind\":\"read\""), "{charts:?}");

    let left = reader.guide.nobody_runs();
    ensure!(left.is_empty(), "nobody runs {left:?}");
    Ok(())
}
