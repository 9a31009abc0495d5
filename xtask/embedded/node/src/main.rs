//! `embedded-node DIR`: runs the embedded cluster with run directory DIR. The package `embedded` starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // It must enter its namespaces, and those of a container, single-threaded, so this comes first.
    runtime::reexec();
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    node::node::main(directory.as_ref())
}
