//! Whether a cluster whose API server is silent is still there: its provider knows.

use std::time::Duration;

use super::node_access::NodeAccess;
use super::{Cluster, kind};
use process::{CommandError, Launcher};
use tools::Docker;

/// Docker says at once how a container is, or does not answer at all.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What a cluster's provider says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It runs: the API server may come back.
    Runs,
    /// It is gone, and how that is known.
    Gone(String),
    /// Nobody can say, which is added to what the API server said: `; docker does not answer`, or nothing.
    Unknown(String),
}

impl Cluster {
    /// Asks the provider whether the cluster still runs.
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

/// How the container is that runs the API server of one of kind's clusters.
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
    let said = error.tail.to_ascii_lowercase();
    if said.contains("no such object") || said.contains("no such container") {
        return Health::Gone(format!("the kind cluster {cluster} is gone: Docker has no container {node} any more"));
    }
    let last = error.tail.lines().last().unwrap_or_default();
    if said.contains("cannot connect to the docker daemon") || said.contains("error during connect") {
        return Health::Gone(format!("the kind cluster {cluster} is gone with its Docker: {last}"));
    }
    Health::Unknown(format!("; docker does not say how {node} is: {last}"))
}
