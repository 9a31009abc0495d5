//! How a case ends.

/// How a case ended that did not fail.
#[derive(Debug)]
pub enum Conclusion {
    /// What it checks holds; a line for the summary.
    Passed(String),
    /// It has no meaning on this cluster, and why: nothing was checked.
    NotApplicable(String),
}
