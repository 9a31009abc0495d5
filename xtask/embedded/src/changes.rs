//! What faults change on a node, and undo: the body of `POST` and `DELETE /chartproof/changes`. It has all that a node
//! of any provider needs to make a change: kind's nodes know containers by their ID, the embedded one by their name.

use serde::{Deserialize, Serialize};

/// A change on a node. Making or undoing one twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeChange {
    /// Every process of a container is stopped, until it is continued.
    Paused(PausedContainer),
}

/// A container that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedContainer {
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its name in the pod.
    pub container: String,
    /// Its ID, without the runtime's name: `1b…`.
    pub id: String,
}
