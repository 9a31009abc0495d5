//! Chartproof's harness: it drives a cluster, proves a chart on it, and reports what it saw.

pub mod cases;
pub mod cmd;
pub mod deployed_release;
pub mod deployed_topology;
pub mod drive;
pub mod evidence;
pub mod execute;
pub mod plan;
pub mod replay;
pub mod run;
pub mod workload;
