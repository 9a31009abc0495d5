//! The node's own namespaces.

/// Moves this process into namespaces of its own: mount, process, network, IPC and host name, and a user namespace
/// first where it is not root.
///
/// To be called once, before any thread exists. The process forks: the parent stays outside and waits, forwards
/// SIGTERM and SIGINT, ends the node when standard input (a pipe that the starter holds) closes, and exits with the
/// node's code; only the child returns from here. With the child everything else in the namespaces ends.
pub fn enter_node_namespaces() -> anyhow::Result<()> {
    anyhow::bail!("the runtime is not there yet")
}
