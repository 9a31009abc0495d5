//! Chartproof's harness: it drives a cluster, proves a chart on it, and reports what it saw.

pub mod cmd;
pub mod events;
pub mod exit;
pub mod images;
pub mod kubernetes;
pub mod phases;
pub mod plan;
pub mod process;
pub mod report;
pub mod suite;
pub mod tools;
pub mod workload;
