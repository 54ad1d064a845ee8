//! `cargo xtask generate`: writes what is generated from the code and committed, or proves that it is fresh.
//! Each piece is made by a test of the crate that knows it, so that this program imports nothing of Vega's; the console's
//! part is made by the console's own tools, from the OpenAPI file.

use std::ffi::OsStr;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::console;
use crate::install;
use crate::shell::{output_with, root};

/// A test of a library that compares a generated piece, and writes it when asked to.
struct Generated {
    what: &'static str,
    package: &'static str,
    test: &'static str,
}

const ALL: &[Generated] = &[
    Generated {
        what: "the tables of docs/reference/failures.md",
        package: "vega-cli",
        test: "exit::failure_tables::failure_tables_say_what_the_code_does",
    },
    Generated {
        what: "the table of docs/reference/settings.md",
        package: "vega-cli",
        test: "documents::setting_table::the_setting_table_has_every_setting_with_its_default",
    },
    Generated {
        what: "docs/reference/cli.md",
        package: "vega-cli",
        test: "documents::command_page::the_command_page_says_what_can_be_typed",
    },
    Generated {
        what: "the OpenAPI file",
        package: "vega-server",
        test: "routes::tests::the_openapi_file_says_what_the_code_does",
    },
];

/// The variable that makes such a test write.
const UPDATE: &str = "VEGA_UPDATE_DOCS";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing; fail when something is not fresh
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    install::console_packages_if_stale()?;
    if options.check {
        make(&[])
            .context("a generated file is not fresh. Run `cargo xtask generate` and read the difference")?;
        return console::check_generated();
    }
    make(&[(UPDATE, "1".as_ref())])?;
    console::generate()
}

fn make(environment: &[(&str, &OsStr)]) -> Result<()> {
    for generated in ALL {
        let Generated { what, package, test } = *generated;
        let arguments = ["test", "--locked", "-p", package, "--lib", "--", "--exact", test];
        let said = output_with(&root(), "cargo", &arguments, environment).context(what)?;
        ensure!(
            said.contains("test result: ok. 1 passed"),
            "{what}: there is no test {test} in {package}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Rust tests run them by whatever name they have; only who generates asks for the names.
    #[test]
    fn every_test_that_generates_has_the_name_that_is_asked_for() {
        for Generated { package, test, .. } in ALL {
            let path: Vec<&str> = test.split("::").filter(|part| *part != "tests").collect();
            let [modules @ .., name] = &*path else {
                panic!("{test} is no name")
            };
            let file = root()
                .join("apps")
                .join(package)
                .join("src")
                .join(modules.join("/"));
            let file = file.with_extension("rs");
            let text = std::fs::read_to_string(&file).unwrap();
            let is_there = text.contains(&format!("fn {name}()"));
            assert!(is_there, "{} has no test {name}", file.display());
        }
    }
}
