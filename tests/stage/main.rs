//! `vega-stage`: the world of one story of the console, for tests that are not written in Rust. It sets the scene that its
//! argument describes, says in one line of JSON where everything is, and obeys one-line commands until its input ends.
//! What is on stage is `scene`'s; what can be asked for is `command`'s.

mod command;
mod scene;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use vega_tests::say;

use crate::command::Command;
use crate::scene::Scene;

#[tokio::main]
async fn main() -> Result<()> {
    let request = std::env::args()
        .nth(1)
        .context("say which scene to set, as JSON; {} is one")?;
    let scene: Scene = serde_json::from_str(&request).context("no scene")?;
    let mut stage = scene.set().await?;
    say(&stage.opening().to_string());

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let done = match line.parse::<Command>() {
            Ok(command) => stage.obey(command).await,
            Err(error) => Err(error),
        };
        // The story fails with it; the stage stays, so that the story can be ended in order.
        let answer = done.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        say(&answer.to_string());
    }
    stage.clear().await
}
