//! The program `vega-server`. What it does is in the library of this package.

use std::process::ExitCode;
use std::sync::Arc;

use vega_bootstrap::{PortDecorator, Undecorated};

fn main() -> ExitCode {
    let undecorated: Arc<dyn PortDecorator> = Arc::new(Undecorated);
    vega_server::main(&undecorated)
}
