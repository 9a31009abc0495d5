//! A bar of the timeline.

/// A coloured section of a lane, in milliseconds since the start of the run.
pub struct Bar {
    /// Its start.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// Its colour.
    pub class: &'static str,
    /// Its description, for tooltips and screen readers.
    pub title: String,
}
