//! The conclusion of a case that did not fail.

/// The conclusion of a case that did not fail.
#[derive(Debug)]
pub enum Conclusion {
    /// It passed, with a line for the summary.
    Passed(String),
    /// It can't be checked on this cluster, with the reason.
    NotApplicable(String),
}
