//! Actions on a node that the Kubernetes API does not offer: killing a container, stopping the node. An action that needs
//! to be undone is a [`Change`].

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::container::RunningContainer;
use super::lease::{Change, Lease};
use super::node_access::NodeAccess;
use process::Launcher;
use tools::Docker;

/// Long enough for a node to start; a container is killed at once.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Kills a container, but not its pod. Returns false if the node's container runtime can't be reached.
    ///
    /// # Errors
    /// If that fails.
    pub async fn kill_container(&self, container: &RunningContainer) -> anyhow::Result<bool> {
        if let Some((launcher, docker)) = self.docker_of_nodes() {
            let id = container.id.rsplit("://").next().unwrap_or(&container.id);
            // The first time-out is for the runtime's response (two seconds by default).
            let args = ["exec", &container.node, "crictl", "--timeout", "30s", "stop", "--timeout", "0", id];
            launcher.cmd(&docker.tool.path).args(args).timeout(TIMEOUT).run().await?;
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

    /// Makes a change; returns false if the machine can't be reached. The change is recorded in the lease first, so that the
    /// sweep after a killed run undoes it. Cases use their context, which undoes it.
    ///
    /// # Errors
    /// If that fails.
    pub async fn make(&self, change: &Change) -> anyhow::Result<bool> {
        let (Some((launcher, docker)), Some(lease)) = (self.docker_of_nodes(), self.lease()) else { return Ok(false) };
        lease.note_change(change)?;
        let Change::NodeStopped(node) = change;
        launcher.cmd(&docker.tool.path).args(["kill", node]).timeout(TIMEOUT).run().await?;
        Ok(true)
    }

    /// Undoes a change, also after an interrupt.
    ///
    /// # Errors
    /// If that fails; the change stays in the lease.
    pub async fn undo(&self, change: &Change) -> anyhow::Result<()> {
        let (Some((launcher, docker)), Some(lease)) = (self.docker_of_nodes(), self.lease()) else { return Ok(()) };
        undo(&launcher.stopped_by(CancellationToken::new()), docker, change).await?;
        lease.undone(change)
    }

    fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Kind(kind) => Some(kind.lease()),
            Self::Existing(existing) => Some(existing.lease()),
            Self::Embedded(_) => None,
        }
    }

    /// Returns the Docker whose containers are the nodes, for kind.
    pub(super) fn docker_of_nodes(&self) -> Option<(&Launcher, &Docker)> {
        match self {
            Self::Kind(kind) => Some((kind.launcher(), kind.docker())),
            Self::Existing(existing) => match existing.node_access() {
                NodeAccess::Kind(_, docker) => Some((existing.launcher(), docker)),
                _ => None,
            },
            Self::Embedded(_) => None,
        }
    }
}

/// Undoes a change. A node that is gone need not be started.
pub(super) async fn undo(launcher: &Launcher, docker: &Docker, change: &Change) -> anyhow::Result<()> {
    let Change::NodeStopped(node) = change;
    let output = launcher.cmd(&docker.tool.path).args(["start", node]).timeout(TIMEOUT).output().await?;
    if output.success() || output.stderr.contains("No such container") {
        return Ok(());
    }
    Err(anyhow::Error::from(output.into_error())
        .context(format!("Node/{node} is still stopped; run `docker start {node}`")))
}
