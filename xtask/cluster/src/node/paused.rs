//! A paused container on a node of kind: containerd freezes its cgroup.

use super::docker::DockerOfNodes;
use embedded::changes::PausedContainer;
use process::CommandError;

/// containerd's client, in the namespace of kubelet's containers.
const CTR: [&str; 4] = ["ctr", "--namespace", "k8s.io", "tasks"];

pub(super) async fn make(
    docker: DockerOfNodes<'_>,
    node: &str,
    container: &PausedContainer,
) -> Result<(), CommandError> {
    if is_paused(docker, node, container).await? {
        return Ok(());
    }
    docker.exec(node, &[&CTR[..], &["pause", &container.id]].concat()).await.map(drop)
}

/// Continues the container, unless it has ended or was continued already.
pub(super) async fn undo(
    docker: DockerOfNodes<'_>,
    node: &str,
    container: &PausedContainer,
) -> Result<(), CommandError> {
    if !is_paused(docker, node, container).await? {
        return Ok(());
    }
    docker.exec(node, &[&CTR[..], &["resume", &container.id]].concat()).await.map(drop)
}

async fn is_paused(docker: DockerOfNodes<'_>, node: &str, container: &PausedContainer) -> Result<bool, CommandError> {
    let tasks = docker.exec(node, &[&CTR[..], &["list"]].concat()).await?;
    Ok(has_paused(&tasks, &container.id))
}

/// Returns whether the list of tasks (`TASK PID STATUS`) has this one as paused.
fn has_paused(tasks: &str, id: &str) -> bool {
    let mut rows = tasks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| row.first() == Some(&id) && row.last() == Some(&"PAUSED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_container_is_found_in_the_list() {
        let tasks = "TASK    PID     STATUS    \n1b    412    RUNNING\n77    601    PAUSED\n";
        assert!(has_paused(tasks, "77"));
        assert!(!has_paused(tasks, "1b") && !has_paused(tasks, "7") && !has_paused("", "77"));
    }
}
