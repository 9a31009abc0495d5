//! Chartproof's harness: it drives a cluster, proves a chart on it, and reports what it saw.

pub mod cases;
pub mod cluster;
pub mod cmd;
pub mod console;
pub mod drive;
pub mod events;
pub mod evidence;
pub mod execute;
pub mod exit;
pub mod helm;
pub mod images;
pub mod interrupt;
pub mod kubernetes;
pub mod outcome;
pub mod placed;
pub mod plan;
pub mod process;
pub mod report;
pub mod run;
pub mod stage;
pub mod suite;
pub mod tools;
pub mod workload;
