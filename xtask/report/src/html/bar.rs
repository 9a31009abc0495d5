//! A bar of the timeline.

/// A coloured stretch of a lane, in milliseconds of the run.
pub struct Bar {
    /// Where it begins.
    pub from_ms: u64,
    /// Where it ends.
    pub to_ms: u64,
    /// Its colour.
    pub class: &'static str,
    /// What it is, for whoever points at it or has it read out.
    pub title: String,
}
