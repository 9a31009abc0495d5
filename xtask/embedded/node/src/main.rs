//! `embedded-node DIR`: the embedded cluster whose run directory is DIR. The package `embedded` starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // It enters its namespaces, and a container's, single-threaded: nothing may run before this.
    runtime::reexec();
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    node::node::main(directory.as_ref())
}
