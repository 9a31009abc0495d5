//! The documented formats of reports; the reports of every run in a test are checked against them.

pub mod events;
pub mod junit;
