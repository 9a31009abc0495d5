//! Chartproof's harness: plans the cases of suites, runs them on a cluster, and reports the verdicts.

pub mod cases;
pub mod charts;
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
