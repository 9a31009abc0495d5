//! The embedded cluster's single process: API server, controllers and one node.
//!
//! It runs a chart's real containers on a machine without Docker, for tests and for quick iterations. It supports a
//! documented subset: what it supports behaves as in kube-apiserver and kubelet, and an unsupported field that would
//! change behaviour is rejected.
//!
//! Its modules are layers, which `tests/layers.rs` checks: each uses only modules further right.
//! `node` → `api` → `node_changes` → `kubelet` → `controllers` → `changes` → `client` → `registry` → `store` → `kinds`, `status`,
//! `selector`, `addresses`, `faults`; `network` is beside `kubelet` and `controllers`, on `changes`.

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
pub mod node_changes;
pub mod registry;
mod selector;
mod status;
mod store;
