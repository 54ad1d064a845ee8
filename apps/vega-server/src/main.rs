//! The program `vega-server`. What it does is in the library of this package.

use std::process::ExitCode;
use std::sync::Arc;

use vega_bootstrap::{PortDecorator, Undecorated};

/// Keeps the large and mostly empty buffers of connections apart from all that comes and goes with a request: thousands of streams take a
/// third less memory than with the C library's.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let undecorated: Arc<dyn PortDecorator> = Arc::new(Undecorated);
    vega_server::main(&undecorated)
}
