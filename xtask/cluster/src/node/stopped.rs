//! A stopped node of kind.

use super::docker::DockerOfNodes;
use process::CommandError;

pub(super) async fn make(docker: DockerOfNodes<'_>, node: &str) -> Result<(), CommandError> {
    docker.run(&["kill", node]).await.map(drop)
}

pub(super) async fn undo(docker: DockerOfNodes<'_>, node: &str) -> Result<(), CommandError> {
    docker.run(&["start", node]).await.map(drop)
}
