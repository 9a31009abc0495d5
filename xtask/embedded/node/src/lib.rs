//! The embedded cluster's one process: API server, controllers and one node.
//!
//! It runs a chart's real containers on a machine without Docker, for tests and for the fast inner
//! loop. It is a subset with a contract: what it does, it does as kube-apiserver and kubelet do; a
//! field that would change behaviour and is not supported is refused.
//!
//! Its modules are layers, and a test (`tests/layers.rs`) holds them to it: each uses only what stands further right.
//! `node` → `api` → `kubelet` → `controllers` → `changes` → `client` → `registry` → `store` → `kinds`, `status`,
//! `selector`, `addresses`, `faults`; `network` stands beside `kubelet` and `controllers`, on `changes`.

mod acting_faults;
mod addresses;
pub mod api;
mod changes;
pub mod client;
pub mod controllers;
pub mod faults;
mod http;
pub mod kinds;
pub mod kubelet;
mod network;
pub mod node;
pub mod registry;
mod selector;
mod status;
mod store;
