//! The program `vega`. What it does is in the library of this package.

use std::process::ExitCode;
use std::sync::Arc;

use vega_bootstrap::Undecorated;

fn main() -> ExitCode {
    vega_cli::main(Arc::new(Undecorated))
}
