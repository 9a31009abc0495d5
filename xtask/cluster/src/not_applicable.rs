//! Why a change can't be made.

/// Why a change can't be made on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable(pub String);
