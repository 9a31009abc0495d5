//! Chartproof's harness: it drives a cluster, proves a chart on it, and reports what it saw.

pub mod cases;
pub mod cmd;
pub mod drive;
pub mod evidence;
pub mod execute;
pub mod placed;
pub mod plan;
pub mod replay;
pub mod run;
pub mod stage;
pub mod workload;
