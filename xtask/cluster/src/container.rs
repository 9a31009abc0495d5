//! A container as its node knows it.

/// A running container.
#[derive(Debug, Clone)]
pub struct RunningContainer {
    /// The node that it runs on.
    pub node: String,
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its name in the pod.
    pub container: String,
    /// Its ID in the pod's status: `containerd://1b…`.
    pub id: String,
}
