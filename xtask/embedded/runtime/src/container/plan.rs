//! What a helper process is told to do: written by the node, read by the helper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::Mount;

/// Orders for the helper that becomes a container's first process.
#[derive(Debug, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Descriptors of the pod's namespaces.
    pub namespaces: Vec<i32>,
    /// The root file system.
    pub root: RootPlan,
    /// Volumes that the image declares: each container gets its own, filled with what the image has there.
    pub image_volumes: Vec<PathBuf>,
    /// What is mounted into it, in this order.
    pub mounts: Vec<Mount>,
    /// What to become.
    pub process: ProcessPlan,
}

/// Orders for the helper that becomes a further process of a container.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExecPlan {
    /// Descriptor of the container's first process.
    pub container: i32,
    /// What to become.
    pub process: ProcessPlan,
}

/// A container's root file system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RootPlan {
    /// The image's tree, shared and never written to.
    pub lower: PathBuf,
    /// A directory of the container's own, for what it changes.
    pub own: PathBuf,
    /// Directories of the host that belong to the image, mounted read-only.
    pub host: Vec<Mount>,
    /// Nothing can be changed.
    pub read_only: bool,
}

/// A process inside a container.
#[expect(clippy::struct_excessive_bools, reason = "orders that have nothing to do with each other")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value`, complete.
    pub env: Vec<String>,
    /// Made where it is missing.
    pub working_dir: PathBuf,
    /// Whom it runs as.
    pub identity: Identity,
    /// Bits of the capabilities that it may have at most.
    pub capabilities: u64,
    /// No program may give it more.
    pub no_new_privileges: bool,
    /// The system calls that the seccomp filter names are refused.
    pub forbid_calls: bool,
    /// The node maps a single user: another one needs a user namespace of its own.
    pub single_user_node: bool,
    /// Its standard input is to be its controlling terminal.
    pub tty: bool,
}

impl ProcessPlan {
    /// Whether it lives in a user namespace below the node's.
    pub fn nested_user(&self) -> bool {
        self.single_user_node && (self.identity.user != 0 || self.identity.group != 0)
    }
}

/// User and groups as numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User.
    pub user: u32,
    /// Primary group.
    pub group: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}
