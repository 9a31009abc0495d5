//! Actions on a node that the Kubernetes API does not offer: killing a container, and changes that have to be undone
//! ([`Change`]). Each kind of change has a file with its commands for kind; the embedded node makes its own.

mod cut_off;
mod docker;
mod packet_rules;
mod paused;
mod stopped;
mod traffic;

use std::path::Path;

use ::embedded::changes::NodeChange;
use ::embedded::cluster::Cluster as EmbeddedCluster;
use anyhow::Context;
use tokio_util::sync::CancellationToken;

pub use self::docker::DockerOfNodes;
use super::container::RunningContainer;
use super::lease::{Change, Lease};
use super::node_access::NodeAccess;
use super::not_applicable::NotApplicable;
use super::{Cluster, embedded};

impl Cluster {
    /// Kills a container, but not its pod. Returns false if the node's container runtime can't be reached.
    ///
    /// # Errors
    /// If that fails.
    pub async fn kill_container(&self, container: &RunningContainer) -> anyhow::Result<bool> {
        if let Some(docker) = self.docker_of_nodes() {
            // The first time-out is for the runtime's response (two seconds by default).
            let stop = ["crictl", "--timeout", "30s", "stop", "--timeout", "0", container.bare_id()];
            docker.exec(&container.node, &stop).await?;
            return Ok(true);
        }
        match self {
            Self::Embedded(embedded) => embedded.kill_container(container).await?,
            Self::Existing(existing) => match existing.node_access() {
                NodeAccess::Embedded(cluster) => {
                    cluster.kill_container(&container.pod_uid, &container.container).await?;
                }
                NodeAccess::Kind(..) | NodeAccess::None => return Ok(false),
            },
            Self::Kind(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Makes a change; returns the reason if this cluster can't make it. What outlives the run is recorded in the lease
    /// first, so that the sweep after a killed run undoes it. Cases use their context, which undoes it.
    ///
    /// # Errors
    /// If that fails.
    pub async fn make(&self, change: &Change) -> anyhow::Result<Result<(), NotApplicable>> {
        if let (Some(docker), Some(lease)) = (self.docker_of_nodes(), self.lease()) {
            lease.note_change(change, None)?;
            return made(lease, change, docker.make(change).await);
        }
        let Change::OnNode { change: on_node, .. } = change else {
            return Ok(Err(NotApplicable(format!("the nodes of {} can't be stopped", self.name()))));
        };
        match self {
            Self::Embedded(embedded) => embedded.make(on_node).await,
            Self::Existing(existing) => match existing.node_access() {
                NodeAccess::Embedded(cluster) => {
                    existing.lease().note_change(change, Some(cluster.dir()))?;
                    made(existing.lease(), change, embedded::make(cluster, on_node).await)
                }
                NodeAccess::Kind(..) | NodeAccess::None => Ok(Err(unreachable(&self.name()))),
            },
            Self::Kind(_) => Ok(Err(unreachable(&self.name()))),
        }
    }

    /// Undoes a change, also after an interrupt.
    ///
    /// # Errors
    /// If that fails; the change stays in the lease.
    pub async fn undo(&self, change: &Change) -> anyhow::Result<()> {
        if let (Some(docker), Some(lease)) = (self.docker_of_nodes(), self.lease()) {
            let launcher = &docker.launcher.stopped_by(CancellationToken::new());
            DockerOfNodes { launcher, ..docker }.undo(change).await?;
            return lease.undone(change);
        }
        match (self, change) {
            (Self::Embedded(embedded), Change::OnNode { change, .. }) => embedded.undo(change).await,
            (Self::Existing(existing), Change::OnNode { change: on_node, .. }) => {
                let NodeAccess::Embedded(cluster) = existing.node_access() else { return Ok(()) };
                cluster.undo(on_node).await?;
                existing.lease().undone(change)
            }
            _ => Ok(()),
        }
    }

    /// Returns how many packets a change in force has hit so far.
    ///
    /// # Errors
    /// If the node does not respond.
    pub async fn packets_hit(&self, change: &Change) -> anyhow::Result<u64> {
        let Change::OnNode { node, change } = change else { return Ok(0) };
        match (self, change, self.docker_of_nodes()) {
            (_, NodeChange::CutOff, Some(docker)) => Ok(cut_off::hits(docker, node).await?),
            (_, NodeChange::Traffic(disturbed), Some(docker)) => Ok(traffic::hits(docker, node, disturbed).await?),
            (Self::Embedded(embedded), ..) => embedded.packets_hit(change).await,
            (Self::Existing(existing), ..) => match existing.node_access() {
                NodeAccess::Embedded(cluster) => cluster.packets_hit(change).await,
                NodeAccess::Kind(..) | NodeAccess::None => Ok(0),
            },
            _ => Ok(0),
        }
    }

    fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Kind(kind) => Some(kind.lease()),
            Self::Existing(existing) => Some(existing.lease()),
            Self::Embedded(_) => None,
        }
    }

    /// Returns the Docker whose containers are the nodes, for kind.
    pub(super) fn docker_of_nodes(&self) -> Option<DockerOfNodes<'_>> {
        match self {
            Self::Kind(kind) => Some(DockerOfNodes { launcher: kind.launcher(), docker: kind.docker() }),
            Self::Existing(existing) => match existing.node_access() {
                NodeAccess::Kind(_, docker) => Some(DockerOfNodes { launcher: existing.launcher(), docker }),
                _ => None,
            },
            Self::Embedded(_) => None,
        }
    }
}

impl DockerOfNodes<'_> {
    /// Makes a change; returns the reason if it can't be made.
    pub(super) async fn make(self, change: &Change) -> anyhow::Result<Result<(), NotApplicable>> {
        match change {
            Change::NodeStopped(node) => stopped::make(self, node).await?,
            Change::OnNode { node, change: NodeChange::Paused(container) } => {
                paused::make(self, node, container).await?;
            }
            Change::OnNode { change: NodeChange::Disks(_), .. } => {
                let why = "on kind, a claim is a folder of the node's disk, and can't fail alone";
                return Ok(Err(NotApplicable(why.to_owned())));
            }
            Change::OnNode { node, change: NodeChange::CutOff } => cut_off::make(self, node).await?,
            Change::OnNode { node, change: NodeChange::Traffic(disturbed) } => {
                return Ok(traffic::make(self, node, disturbed).await?);
            }
        }
        Ok(Ok(()))
    }

    /// Undoes a change. A node that is gone has no changes.
    pub(crate) async fn undo(self, change: &Change) -> anyhow::Result<()> {
        let undone = match change {
            Change::NodeStopped(node) => stopped::undo(self, node).await,
            Change::OnNode { node, change: NodeChange::Paused(container) } => paused::undo(self, node, container).await,
            Change::OnNode { change: NodeChange::Disks(_), .. } => Ok(()),
            Change::OnNode { node, change: NodeChange::CutOff } => cut_off::undo(self, node).await,
            Change::OnNode { node, change: NodeChange::Traffic(disturbed) } => {
                traffic::undo(self, node, disturbed).await
            }
        };
        match undone {
            Err(error) if error.tail.contains("No such container") => Ok(()),
            undone => undone.with_context(|| format!("{} is left behind", change.describe())),
        }
    }
}

fn unreachable(cluster: &str) -> NotApplicable {
    NotApplicable(format!("the nodes of {cluster} can't be reached"))
}

/// Forgets a change that was not made because it does not apply.
fn made(
    lease: &Lease,
    change: &Change,
    result: anyhow::Result<Result<(), NotApplicable>>,
) -> anyhow::Result<Result<(), NotApplicable>> {
    if matches!(result, Ok(Err(_))) {
        lease.undone(change)?;
    }
    result
}

/// Undoes a change on the node of the embedded cluster with this run directory. If the cluster is gone, so is the change.
pub(super) async fn undo_on_embedded(dir: &Path, change: &Change) -> anyhow::Result<()> {
    match (change, EmbeddedCluster::attach(dir)) {
        (Change::OnNode { change, .. }, Ok(cluster)) => cluster.undo(change).await,
        _ => Ok(()),
    }
}
