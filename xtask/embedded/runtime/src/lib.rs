//! The container runtime of the embedded node: image archives, pod sandboxes, containers.
//!
//! It plays the part of containerd and runc behind kubelet and knows nothing of Kubernetes. All of
//! it lives in namespaces that die with the node's process, and in one directory.

mod cgroup;
mod container;
mod exec;
mod image;
mod logs;
mod network;
mod node;
mod process;
mod rooted;
mod runtime;
mod sandbox;
mod spawn;
pub mod spec;
mod supervisor;
mod threads;
mod trees;
mod watched;

pub use container::Container;
pub use exec::{Exec, ExecInput, ExecOutput};
pub use node::enter_node_namespaces;
pub use runtime::Runtime;
pub use sandbox::Sandbox;
pub use spec::{ContainerSpec, ExecSpec, Exit, Image, Mount, NodeNetwork, RuntimeError, SandboxSpec, Security};
pub use trees::remove_tree;

/// Runs the runtime's own helper processes; returns where this process is none of them.
///
/// To be called first thing in `main`, before any thread exists: the runtime starts its containers by executing the
/// program that it is part of anew, with a hidden word as the first argument.
pub fn reexec() {
    container::helper::run_if_asked();
}
