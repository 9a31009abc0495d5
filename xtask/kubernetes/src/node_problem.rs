//! What a node does to the pods that wait for it.

use std::time::Duration;

/// What keeps the pods of a namespace from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    /// `Node/worker`.
    pub object: String,
    /// In the node's own words, with the system pod behind it where one is seen.
    pub sentence: String,
    /// How long this may last before it is final; none where another node takes pods.
    pub final_after: Option<Duration>,
}
