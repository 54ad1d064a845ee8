//! The program that `cargo xtask crash-images` records and asks: `work FOLDER` commits as Vega does and says after each
//! commit that it is durable; `check` reads folders line by line and says what a power cut left of each.

mod check;
mod script;
mod work;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where an image or a workload keeps what.
struct Folder(PathBuf);

impl Folder {
    fn database(&self) -> PathBuf {
        self.0.join("data/vega_trade.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.database().display())
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("config/vega.key")
    }

    fn checkpoints(&self) -> PathBuf {
        self.0.join("config/vega.checkpoints")
    }

    /// What was said to be durable, line by line. It stands for whoever was told, so a power cut takes nothing of it.
    fn acknowledged(&self) -> PathBuf {
        self.0.join("acknowledged")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["work", folder] => work::run(&Folder(folder.into()), work::Synchronous::Full).await,
        ["work", folder, "--defect", "synchronous-normal"] => {
            work::run(&Folder(folder.into()), work::Synchronous::Normal).await
        }
        ["check"] => check_all().await,
        _ => bail!("give `work FOLDER`, `work FOLDER --defect synchronous-normal`, or `check`"),
    }
}

#[expect(clippy::print_stdout, reason = "the harness reads it")]
async fn check_all() -> Result<()> {
    for line in std::io::stdin().lines() {
        let folder = Folder(Path::new(&line?).to_owned());
        println!("{}", check::examine(&folder).await?);
    }
    Ok(())
}
