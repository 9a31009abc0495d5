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
