//! Writing and reading an application's records: fills in requests, sends them by any way, judges the responses.
//!
//! A request is HTTP, lines over TCP, or a command. The harness reaches pods over the API; the program
//! `chartproof-client` in this crate reaches the Service from inside the cluster. Both use the same [`team`]. It knows
//! nothing about Kubernetes.

pub mod application;
pub mod connection;
pub mod exec;
pub mod host;
mod http;
pub mod inside;
mod install;
mod lines;
pub mod pattern;
pub mod program;
pub mod reach;
pub mod read_back;
pub mod records;
pub mod request;
pub mod response;
pub mod target;
pub mod team;
pub mod template;
mod tls;
pub mod value;
