//! `docs/reference/cli.md`: the help of every command, as the program prints it.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use super::compare_or_write;
use crate::command_line::arguments::Arguments;

#[test]
fn the_command_page_says_what_can_be_typed() {
    // Lines of one length, whatever terminal the test runs in.
    let mut vega = <Arguments as CommandFactory>::command().term_width(100);
    vega.build();
    let mut page = String::new();
    write(&mut page, &mut vega, "vega");
    compare_or_write("docs/reference/cli.md", &[("cli", page)]);
}

/// The help of a command, then those below it.
fn write(page: &mut String, command: &mut Command, name: &str) {
    let help = command.render_help().to_string();
    writeln!(page, "## {name}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    for below in command.get_subcommands_mut() {
        if below.get_name() != "help" {
            let name = format!("{name} {}", below.get_name());
            write(page, below, &name);
        }
    }
}
