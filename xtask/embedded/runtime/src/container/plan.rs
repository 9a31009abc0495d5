//! The plan for a helper process: written by the node, read by the helper.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::Mount;

/// The plan for the helper that becomes a container's first process.
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
    /// What the helper becomes.
    pub process: ProcessPlan,
}

/// The plan for the helper that becomes an additional process of a container.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExecPlan {
    /// Descriptor of the container's first process.
    pub container: i32,
    /// What the helper becomes.
    pub process: ProcessPlan,
}

/// A container's root file system.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RootPlan {
    /// The image's tree, shared and never written to.
    pub lower: PathBuf,
    /// A directory of the container's own for its changes.
    pub own: PathBuf,
    /// Directories of the host that belong to the image, mounted read-only.
    pub host: Vec<Mount>,
    /// Whether the whole root file system is read-only.
    pub read_only: bool,
}

/// A process inside a container.
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value`, complete.
    pub env: Vec<String>,
    /// Created if it is missing.
    pub working_dir: PathBuf,
    /// The user and groups that it runs as.
    pub identity: Identity,
    /// The bits of the capabilities that it may have at most.
    pub capabilities: u64,
    /// Whether programs are kept from gaining privileges.
    pub no_new_privileges: bool,
    /// Whether the system calls that the seccomp filter names are forbidden.
    pub forbid_calls: bool,
    /// Whether the node maps a single user: then another user needs a user namespace of its own.
    pub single_user_node: bool,
    /// Whether its standard input is its controlling terminal.
    pub tty: bool,
}

impl ProcessPlan {
    /// Returns whether it lives in a user namespace below the node's.
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
