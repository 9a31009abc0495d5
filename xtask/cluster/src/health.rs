//! Whether a cluster whose API server does not respond still exists, according to its provider.

use std::time::Duration;

use super::node_access::NodeAccess;
use super::{Cluster, kind};
use process::{CommandError, Launcher};
use tools::Docker;

/// Docker reports the state of a container at once, or does not respond at all.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The state of a cluster according to its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is running: the API server may come back.
    Runs,
    /// It is gone, and how this was detected.
    Gone(String),
    /// Unknown. The text is appended to the API server's error: `; docker does not report …`, or nothing.
    Unknown(String),
}

impl Cluster {
    /// Asks the provider whether the cluster is still running.
    pub async fn health(&self) -> Health {
        match self {
            Self::Kind(kind) => of_node(kind.launcher(), kind.docker(), &kind.cluster_name()).await,
            Self::Embedded(embedded) => embedded.health().await,
            Self::Existing(existing) => match existing.node_access() {
                NodeAccess::Kind(_, docker) => {
                    let name = existing.name().trim_start_matches("kind-");
                    of_node(existing.launcher(), docker, name).await
                }
                NodeAccess::Embedded(_) | NodeAccess::None => Health::Unknown(String::new()),
            },
        }
    }
}

/// Returns the state of the container that runs the API server of a kind cluster.
async fn of_node(launcher: &Launcher, docker: &Docker, cluster: &str) -> Health {
    let node = kind::control_plane(cluster);
    let inspect = launcher.cmd(&docker.tool.path).args(["inspect", "--format", "{{.State.Status}}", &node]);
    match inspect.timeout(TIMEOUT).run().await {
        Ok(status) => match status.trim() {
            "running" | "restarting" | "paused" | "created" => Health::Runs,
            other => Health::Gone(format!("the kind cluster {cluster} has stopped: its node {node} is {other}")),
        },
        Err(error) => without_node(&error, cluster, &node),
    }
}

fn without_node(error: &CommandError, cluster: &str, node: &str) -> Health {
    let message = error.tail.to_ascii_lowercase();
    if message.contains("no such object") || message.contains("no such container") {
        return Health::Gone(format!("the kind cluster {cluster} is gone: docker no longer has the container {node}"));
    }
    let last = error.tail.lines().last().unwrap_or_default();
    if message.contains("cannot connect to the docker daemon") || message.contains("error during connect") {
        return Health::Gone(format!("the kind cluster {cluster} is gone, because docker has stopped: {last}"));
    }
    Health::Unknown(format!("; docker does not report the state of {node}: {last}"))
}
