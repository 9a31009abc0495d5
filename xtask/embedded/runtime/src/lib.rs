//! The container runtime of the embedded node: image archives, pod sandboxes, containers.
//!
//! It takes the place of containerd and runc below kubelet and knows nothing of Kubernetes. Everything it creates is in
//! namespaces that die with the node's process, and in one directory.
//!
//! Its layers, each of which uses only those below it (`tests/layers.rs` checks that no modules form a cycle):
//!
//! 1. `runtime`: the functions that kubelet calls; `node`: the namespaces of the whole node, with `supervisor`, the
//!    process outside that ends them; `own_program`: this program's own file, which no container can write to;
//! 2. `container`: from a spec to a plan, and the helper process that carries it out and becomes the program;
//! 3. `sandbox`: a pod's namespaces, held open by descriptors rather than a process; `image`: archives, unpacked once
//!    for each set of layers, and the images that the host serves; `exec`: additional programs;
//! 4. `network`: the bridge, with `diversion` and `interposer`, which lose and delay traffic; `life`, `spawn`,
//!    `process`: how one thread starts programs, and how their end is noticed; `pause`: how they are stopped and
//!    continued; `logs`, `cgroup`: output and memory limits;
//! 5. `spec`, `traffic`: plain data; `netlink`, `rooted`, `trees`, `threads`, `watched`, `hex`: tools.
//!
//! A container is a direct child of the node's process: the thread that starts it creates a pid namespace for its next
//! child, and that child is this program, executed again, which sets up mounts, user and capabilities from inside.
//! Without root, the same happens in a user namespace that maps one user, and a container that needs another number
//! gets a user namespace of its own below. [`Runtime::limits`] lists what is not possible then.

mod cgroup;
mod console;
mod container;
mod diversion;
mod exec;
mod hex;
mod image;
mod interposer;
mod life;
mod logs;
mod netlink;
mod network;
mod node;
mod own_program;
mod pause;
mod process;
mod rooted;
mod runtime;
mod sandbox;
mod spawn;
mod spec;
mod supervisor;
mod threads;
mod traffic;
mod trees;
mod watched;

pub use console::OutputChunk;
pub use container::Container;
pub use exec::{Exec, ExecInput, ExecOutput};
pub use image::host_serves;
pub use node::enter_node_namespaces;
pub use rooted::make_directories_beneath;
pub use runtime::Runtime;
pub use sandbox::Sandbox;
pub use spec::{ContainerSpec, ExecSpec, Exit, Image, Mount, NodeNetwork, RuntimeError, SandboxSpec, Security};
pub use traffic::{Direction, Disturbance, Others, TOS_OF_SERVICES};
pub use trees::remove_tree;

/// Runs the runtime's own helper processes; returns if this process is not one of them.
///
/// Call it first in `main`, before any thread exists: the runtime starts its containers by executing the program that
/// it is part of again, with a hidden word as the first argument.
pub fn reexec() {
    container::helper::run_if_asked();
}
