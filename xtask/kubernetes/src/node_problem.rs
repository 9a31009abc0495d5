//! A problem with a node that blocks pods.

use std::time::Duration;

/// A problem with a node that prevents pods of a namespace from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    /// `Node/worker`.
    pub object: String,
    /// The node's own message, with the system pod that causes it, if known.
    pub sentence: String,
    /// How long this may last before it counts as unrecoverable; none if another node accepts pods.
    pub final_after: Option<Duration>,
}
