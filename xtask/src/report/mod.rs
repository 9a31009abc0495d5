//! Reports: pure consumers of the run's events.

pub mod html;
pub mod run;
