//! `vega-server` with test hooks.

use std::process::ExitCode;

use vega_hooked::TestHooks;

fn main() -> ExitCode {
    vega_server::main(&TestHooks::of_process())
}
