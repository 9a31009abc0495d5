//! A small Kubernetes of our own: API server, controllers and one node in one process.
//!
//! It runs a chart's real containers on a machine without Docker, for tests and for the fast inner
//! loop. It is a subset with a contract: what it does, it does as kube-apiserver and kubelet do; a
//! field that would change behaviour and is not supported is refused.

pub mod client;
pub mod kinds;
pub mod registry;
pub mod status;
pub mod store;

/// Runs one of the hidden words of the embedded node, and never returns, where `argv[1]` is one;
/// else returns at once. A binary calls it before anything else, single-threaded.
pub fn reexec() {}
