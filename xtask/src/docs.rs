//! `cargo xtask docs`: builds `docs/` as a book, into `target/docs`. mdBook is installed under `target/tools` when it is asked for,
//! and not linked, so that no other command waits for it to be built. What the pages link to is checked by `tidy`.

use anyhow::Result;

use crate::shell::{self, root, say, target, works};

/// What `docs/book.toml` is written for.
const VERSION: &str = "0.5.4";

pub(crate) fn run() -> Result<()> {
    let tools = target().join(format!("tools/mdbook-{VERSION}"));
    let mdbook = tools.join("bin/mdbook").display().to_string();
    if !works(&mdbook, "--version") {
        let folder = tools.display().to_string();
        let search_alone = ["--no-default-features", "--features", "search"];
        shell::run(
            &root(),
            "cargo",
            &[
                &[
                    "install",
                    "--locked",
                    "mdbook",
                    "--version",
                    VERSION,
                    "--root",
                    &folder,
                ],
                search_alone.as_slice(),
            ]
            .concat(),
        )?;
    }
    shell::run(&root(), &mdbook, &["build", "docs"])?;
    say(&format!(
        "The book: {}",
        target().join("docs/index.html").display()
    ));
    Ok(())
}
