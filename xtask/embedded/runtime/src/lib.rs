//! The container runtime of the embedded node: image archives, pod sandboxes, containers.
//!
//! It plays the part of containerd and runc behind kubelet and knows nothing of Kubernetes. All of
//! it lives in namespaces that die with the node's process, and in one directory.

mod container;
mod exec;
mod node;
mod sandbox;
pub mod spec;

use std::path::Path;

pub use container::Container;
pub use exec::{Exec, ExecInput, ExecOutput};
pub use node::enter_node_namespaces;
pub use sandbox::Sandbox;
pub use spec::{ContainerSpec, ExecSpec, Exit, Image, Mount, NodeNetwork, RuntimeError, SandboxSpec, Security};

/// Runs the runtime's own helper processes; returns where this process is none of them.
///
/// To be called first thing in `main`, before any thread exists: the runtime starts its containers by executing the
/// program that it is part of anew, with a hidden word as the first argument.
pub fn reexec() {}

/// The runtime of one node. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {}

impl Runtime {
    /// Brings the pod network up and makes the directories below `dir`; inside the node's namespaces.
    pub async fn start(_dir: &Path, _network: NodeNetwork) -> Result<Self, RuntimeError> {
        Err(not_yet())
    }

    /// Takes in all images of a Docker or OCI archive, and answers their references in full.
    pub async fn load_archive(&self, _archive: &Path) -> Result<Vec<String>, RuntimeError> {
        Err(not_yet())
    }

    /// The image that a reference names; the ones that the host serves included.
    pub fn image(&self, _reference: &str) -> Result<Image, RuntimeError> {
        Err(not_yet())
    }

    /// All images that were loaded, and the host-served ones that were asked for, one entry for each reference.
    pub fn images(&self) -> Vec<Image> {
        Vec::new()
    }

    /// Makes a pod's namespaces and network.
    pub async fn run_sandbox(&self, _spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        Err(not_yet())
    }

    /// Starts a container in a pod's sandbox; answers once the program runs.
    pub async fn start_container(&self, _sandbox: &Sandbox, _spec: ContainerSpec) -> Result<Container, RuntimeError> {
        Err(not_yet())
    }

    /// Kills what is left of a pod, removes its network and its directories. May be called again.
    pub async fn stop_sandbox(&self, _sandbox: &Sandbox) {}

    /// Whether containers are held to their memory limits.
    pub fn memory_limits_enforced(&self) -> bool {
        false
    }

    /// What can't be honoured on this machine, in words for the run's report.
    pub fn limits(&self) -> Vec<String> {
        Vec::new()
    }
}

fn not_yet() -> RuntimeError {
    RuntimeError::Other("the runtime is not there yet".into())
}
