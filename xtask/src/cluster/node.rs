//! What a person on a node could do and Kubernetes' API can't: kill a container, stop the node.

use std::time::Duration;

use super::Cluster;
use super::context::Loader;
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

    /// Stops a node at once, with all that runs on it. Answers false where nothing reaches the machine.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn stop_node(&self, node: &str) -> anyhow::Result<bool> {
        self.docker_does("kill", node).await
    }

    /// Starts a node that was stopped. Answers false where nothing reaches the machine.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn start_node(&self, node: &str) -> anyhow::Result<bool> {
        self.docker_does("start", node).await
    }

    async fn docker_does(&self, verb: &str, node: &str) -> anyhow::Result<bool> {
        let Some((launcher, docker)) = self.docker_of_nodes() else { return Ok(false) };
        launcher.cmd(&docker.tool.path).args([verb, node]).timeout(TIMEOUT).run().await?;
        Ok(true)
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
