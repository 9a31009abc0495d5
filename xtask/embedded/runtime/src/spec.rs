//! The runtime's requests and results: plain data, no behaviour.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The `PATH` of images that set none, as in containerd.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A pod's sandbox: one network, IPC and UTS namespace, shared by its containers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The pod's UID, which names its directory.
    pub pod_uid: String,
    /// The pod's hostname.
    pub hostname: String,
    /// Content of `/etc/resolv.conf` for all of its containers.
    pub resolv_conf: String,
    /// Content of `/etc/hosts`; `{ip}` stands for the pod's IP, which becomes known later.
    pub hosts: String,
}

/// A directory or file of the node, mounted into a container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mount {
    /// Its path on the node.
    pub source: PathBuf,
    /// The part of it that is mounted, unless that is all of it. Containers may write there: a link may lead anywhere
    /// beneath the source, and nowhere else.
    pub sub_path: PathBuf,
    /// Its path in the container.
    pub target: PathBuf,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// The user and groups that a container runs as, and its privileges.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Security {
    /// Numeric user; the image's own if absent.
    pub run_as_user: Option<u32>,
    /// Numeric group; the image's own if absent.
    pub run_as_group: Option<u32>,
    /// Supplementary groups, including `fsGroup`.
    pub supplemental_groups: Vec<u32>,
    /// Whether the root file system is mounted read-only.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privileges: bool,
    /// Capabilities removed from the default set (`ALL` or names without `CAP_`).
    pub drop_capabilities: Vec<String>,
    /// Capabilities added to the default set.
    pub add_capabilities: Vec<String>,
    /// Whether every system call is allowed (`seccompProfile: {type: Unconfined}`).
    pub seccomp_unconfined: bool,
}

/// One start of one container. A restart is a new container with the next `attempt`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The container's name in its pod.
    pub name: String,
    /// 0 for the first start, then one more for each restart.
    pub attempt: u32,
    /// The image reference as written; the image must be present.
    pub image: String,
    /// Replaces the image's entrypoint if not empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments if not empty.
    pub args: Vec<String>,
    /// Additional environment, which takes precedence over the image's own.
    pub env: BTreeMap<String, String>,
    /// Replaces the image's working directory.
    pub working_dir: Option<PathBuf>,
    /// Volumes, in the order in which they are mounted.
    pub mounts: Vec<Mount>,
    /// User, groups, capabilities.
    pub security: Security,
    /// The file for standard output and error, in the CRI log format:
    /// `2026-11-21T03:00:00.000000000Z stdout F text`.
    pub log_path: PathBuf,
    /// Whether standard input stays open for clients that attach; otherwise it is empty.
    pub stdin: bool,
    /// Whether it gets a terminal; standard error then comes with standard output.
    pub tty: bool,
    /// Memory limit in bytes, enforced if the machine's cgroups allow it.
    pub memory_limit_bytes: Option<u64>,
}

/// An additional program for a running container, run as the container's user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Takes precedence over the container's own environment.
    pub env: BTreeMap<String, String>,
    /// Whether it gets a terminal; standard error then comes with standard output.
    pub tty: bool,
    /// Whether standard input is connected; otherwise it is empty.
    pub stdin: bool,
}

/// An image's description.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Image {
    /// Full reference: `docker.io/library/busybox:1.36.1`.
    pub reference: String,
    /// `sha256:…` of its configuration.
    pub id: String,
    /// `docker.io/library/busybox@sha256:…` for each of its manifests that the archive has.
    pub repo_digests: Vec<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// Unpacked size in bytes.
    pub size_bytes: u64,
    /// The image's entrypoint.
    pub entrypoint: Vec<String>,
    /// The image's arguments.
    pub cmd: Vec<String>,
    /// The image's environment.
    pub env: Vec<String>,
    /// `user[:group]`, names or numbers, empty for root.
    pub user: String,
    /// Working directory, empty for `/`.
    pub working_dir: String,
    /// Directories of which each container gets its own volume, writable even if the root isn't.
    pub volumes: Vec<String>,
    /// The signal that asks its program to stop, if that isn't SIGTERM: `SIGQUIT`, `3`.
    pub stop_signal: Option<String>,
    /// Whether the host's own read-only programs serve it instead of an archive; the report mentions it.
    pub from_host: bool,
}

/// How a container ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code: 128 + signal if a signal ended it, as containerd reports it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed it because memory ran out.
    pub oom_killed: bool,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Why a call to the runtime failed, in the words that kubelet passes on.
#[derive(Debug, Clone)]
pub enum RuntimeError {
    /// No archive has the image.
    ImageNotFound {
        /// The full reference.
        reference: String,
        /// The searched paths, or the program that the host is missing.
        why: String,
    },
    /// The reference is invalid (kubelet: `InvalidImageName`).
    InvalidReference {
        /// As written.
        reference: String,
        /// The error of containerd's reference parser.
        why: String,
    },
    /// The container could not be created: bad mount, bad user (kubelet: `CreateContainerError`).
    Create(String),
    /// It was created but could not be started: no such program (kubelet: `StartError`, exit code 128).
    Start(String),
    /// Anything else; the text names what was tried.
    Other(String),
}

impl std::fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ImageNotFound { reference, why } => write!(f, "image {reference}: {why}"),
            Self::InvalidReference { reference, why } => {
                write!(f, "failed to parse image reference {reference:?}: {why}")
            }
            Self::Create(why) | Self::Start(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RuntimeError {}

/// The node's network: one bridge, one address for each pod, never used twice in a run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NodeNetwork {
    /// The bridge's own address: the pods' gateway and name server.
    pub gateway: Ipv4Addr,
    /// Prefix length of the pods' network.
    pub prefix: u8,
}

impl Image {
    /// Returns the number of the signal that asks its program to stop; SIGTERM if the image names no known signal.
    pub fn stop_signal_number(&self) -> i32 {
        use nix::sys::signal::Signal;
        let named = self.stop_signal.as_deref().unwrap_or_default();
        let full = if named.starts_with("SIG") { named.to_owned() } else { format!("SIG{named}") };
        let number = named.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
        number.or_else(|| full.parse().ok()).unwrap_or(Signal::SIGTERM) as i32
    }

    /// Returns whether this machine can run it.
    pub(crate) fn runs_here(&self) -> bool {
        let here = oci::platform();
        self.platform == here || self.platform.strip_prefix(&here).is_some_and(|rest| rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_signal_is_a_name_or_a_number() {
        let number = |text: &str| Image { stop_signal: Some(text.into()), ..Image::default() }.stop_signal_number();
        assert_eq!(["SIGQUIT", "QUIT", "3", "", "SIGNOSUCH"].map(number), [3, 3, 3, 15, 15]);
        assert_eq!(Image::default().stop_signal_number(), 15);
    }
}
