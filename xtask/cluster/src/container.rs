//! A container as its node knows it.

use embedded::changes::{NodeChange, PausedContainer};

use super::lease::Change;

/// A running container.
#[derive(Debug, Clone)]
pub struct RunningContainer {
    /// The node that it runs on.
    pub node: String,
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its name in the pod.
    pub container: String,
    /// Its ID in the pod's status: `containerd://1b…`.
    pub id: String,
}

impl RunningContainer {
    /// Returns its ID without the runtime's name: `1b…`.
    pub fn bare_id(&self) -> &str {
        self.id.rsplit("://").next().unwrap_or(&self.id)
    }

    /// Returns the change that pauses it.
    pub fn pause(&self) -> Change {
        let paused = PausedContainer {
            pod_uid: self.pod_uid.clone(),
            container: self.container.clone(),
            id: self.bare_id().to_owned(),
        };
        Change::OnNode { node: self.node.clone(), change: NodeChange::Paused(paused) }
    }
}
