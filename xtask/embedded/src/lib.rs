//! A small Kubernetes of our own: API server, controllers and one node in one process.
//!
//! It runs a chart's real containers on a machine without Docker, for tests and for the fast inner
//! loop. It is a subset with a contract: what it does, it does as kube-apiserver and kubelet do; a
//! field that would change behaviour and is not supported is refused.

pub mod api;
pub mod client;
pub mod cluster;
pub mod controllers;
pub mod faults;
mod http;
pub mod kinds;
pub mod kubelet;
pub mod network;
pub mod node;
pub mod pod_requests;
pub mod quantity;
pub mod registry;
pub mod status;
pub mod store;

/// Runs the node or one of the runtime's helpers where the first argument is one of their hidden
/// words, and does not return then. A binary that starts clusters calls this first in `main`,
/// before there is a thread.
pub fn reexec() {
    runtime::reexec();
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == node::WORD) {
        let directory = arguments.next().unwrap_or_else(|| ".".into());
        std::process::exit(node::main(directory.as_ref()));
    }
}
