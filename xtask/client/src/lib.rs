//! Writing and reading an application's records: fills in requests, sends them over any connection, judges the responses.
//!
//! The harness reaches pods over port-forwards; the program `chartproof-client` in this crate reaches the Service from
//! inside the cluster. Both use the same [`team`]. It knows nothing about Kubernetes.

pub mod application;
pub mod http;
pub mod inside;
pub mod records;
pub mod team;
pub mod template;
