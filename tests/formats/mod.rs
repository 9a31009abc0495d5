//! The formats of reports, as they are documented: every run of a test is held to them.

pub mod events;
pub mod junit;
