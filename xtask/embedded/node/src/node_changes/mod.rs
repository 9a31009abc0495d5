//! What faults have changed on this node and not undone yet.

mod disks;
mod paused;
mod traffic;

use std::sync::Arc;

use embedded::changes::{FailedDisks, NodeChange};
use tokio::sync::Mutex;

use crate::kubelet::Handle;
use crate::status::Status;

/// The changes that are in force. Cheap to clone.
#[derive(Clone)]
pub struct NodeChanges {
    kubelet: Handle,
    in_force: Arc<Mutex<Vec<(NodeChange, Undo)>>>,
}

/// What undoing a change needs.
enum Undo {
    Resume(runtime::Container),
    Repair(FailedDisks),
    Restore(runtime::Sandbox, runtime::Disturbance),
}

impl NodeChanges {
    /// Returns no changes yet, to the pods of a kubelet.
    pub fn new(kubelet: &Handle) -> Self {
        Self { kubelet: kubelet.clone(), in_force: Arc::default() }
    }

    /// Makes a change, unless it is in force already; returns the reason if this node can't make it.
    ///
    /// # Errors
    /// If it fails.
    pub async fn make(&self, change: &NodeChange) -> Result<Option<String>, Status> {
        let mut in_force = self.in_force.lock().await;
        if in_force.iter().any(|(made, _)| made == change) {
            return Ok(None);
        }
        let undo = match change {
            NodeChange::Paused(container) => paused::make(&self.kubelet, container).await?,
            NodeChange::Disks(failed) => match disks::make(&self.kubelet, failed) {
                Ok(undo) => undo,
                Err(why) => return Ok(Some(why)),
            },
            NodeChange::CutOff => return Ok(Some("the embedded cluster has only one node".to_owned())),
            NodeChange::Traffic(disturbed) => traffic::make(&self.kubelet, disturbed).await?,
        };
        in_force.push((change.clone(), undo));
        Ok(None)
    }

    /// Undoes a change, if it is in force.
    ///
    /// # Errors
    /// If it fails.
    pub async fn undo(&self, change: &NodeChange) -> Result<(), Status> {
        let mut in_force = self.in_force.lock().await;
        let Some(at) = in_force.iter().position(|(made, _)| made == change) else { return Ok(()) };
        match &in_force[at].1 {
            Undo::Resume(container) => container.resume(),
            Undo::Repair(failed) => disks::undo(&self.kubelet, failed).await?,
            Undo::Restore(sandbox, disturbance) => traffic::undo(sandbox, disturbance).await?,
        }
        in_force.remove(at);
        Ok(())
    }

    /// Returns how many packets a change in force has hit so far.
    pub async fn packets_hit(&self, change: &NodeChange) -> u64 {
        let in_force = self.in_force.lock().await;
        match in_force.iter().find(|(made, _)| made == change) {
            Some((_, Undo::Restore(sandbox, disturbance))) => sandbox.hits(disturbance),
            _ => 0,
        }
    }
}
