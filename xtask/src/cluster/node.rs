//! What a person on a node could do and Kubernetes' API can't: kill a container, stop the node. What does not come back
//! by itself is a [`Change`], and undone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::context::Loader;
use super::lease::{Change, Lease};
use crate::process::Launcher;
use crate::tools::Docker;

/// A container is killed at once; a node takes a while to come back.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running container.
#[derive(Debug, Clone)]
pub struct Victim {
    /// The node that it runs on.
    pub node: String,
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its name in the pod.
    pub container: String,
    /// Its id, as the pod's status has it: `containerd://1b…`.
    pub id: String,
}

impl Cluster {
    /// Kills a container, and leaves its pod. Answers false where nothing reaches the node's container runtime.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn kill_container(&self, victim: &Victim) -> anyhow::Result<bool> {
        if let Some((launcher, docker)) = self.docker_of_nodes() {
            let id = victim.id.rsplit("://").next().unwrap_or(&victim.id);
            // The first limit is crictl's own for the runtime's answer, two seconds unless said.
            let args = ["exec", &victim.node, "crictl", "--timeout", "30s", "stop", "--timeout", "0", id];
            launcher.cmd(&docker.tool.path).args(args).timeout(TIMEOUT).run().await?;
            return Ok(true);
        }
        match self {
            Self::Embedded(embedded) => embedded.kill_container(victim).await?,
            Self::Context(context) => match context.loader() {
                Loader::Embedded(cluster) => cluster.kill_container(&victim.pod_uid, &victim.container).await?,
                Loader::Kind(..) | Loader::Nothing => return Ok(false),
            },
            Self::Kind(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Makes a change; returns false where nothing reaches the machine. The lease has it before: whoever sweeps after
    /// a run that was killed undoes it. A case does this with `Cx::make`.
    ///
    /// # Errors
    /// Where that fails.
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
    /// Where that fails; the lease keeps it.
    pub async fn undo(&self, change: &Change) -> anyhow::Result<()> {
        let (Some((launcher, docker)), Some(lease)) = (self.docker_of_nodes(), self.lease()) else { return Ok(()) };
        undo(&launcher.stopped_by(CancellationToken::new()), docker, change).await?;
        lease.undone(change)
    }

    fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Kind(kind) => Some(kind.lease()),
            Self::Context(context) => Some(context.lease()),
            Self::Embedded(_) => None,
        }
    }

    /// The Docker whose containers are the nodes: kind's.
    pub(super) fn docker_of_nodes(&self) -> Option<(&Launcher, &Docker)> {
        match self {
            Self::Kind(kind) => Some((kind.launcher(), kind.docker())),
            Self::Context(context) => match context.loader() {
                Loader::Kind(_, docker) => Some((context.launcher(), docker)),
                _ => None,
            },
            Self::Embedded(_) => None,
        }
    }
}

/// Undoes a change. A node that is gone needs no start.
pub(super) async fn undo(launcher: &Launcher, docker: &Docker, change: &Change) -> anyhow::Result<()> {
    let Change::NodeStopped(node) = change;
    let output = launcher.cmd(&docker.tool.path).args(["start", node]).timeout(TIMEOUT).output().await?;
    if output.success() || output.stderr.contains("No such container") {
        return Ok(());
    }
    Err(anyhow::Error::from(output.into_error()).context(format!("Node/{node} is stopped: `docker start {node}`")))
}
