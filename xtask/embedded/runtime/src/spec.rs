//! What the runtime is asked for, and what it answers: plain data, no behaviour.

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
    /// The pod's UID: names its directory.
    pub pod_uid: String,
    /// The pod's hostname.
    pub hostname: String,
    /// Content of `/etc/resolv.conf` for all of its containers.
    pub resolv_conf: String,
    /// Content of `/etc/hosts`; `{ip}` stands for the pod's IP, which is known only later.
    pub hosts: String,
}

/// A directory or file of the node, mounted into a container.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the node.
    pub source: PathBuf,
    /// What of it is mounted, where that is not all of it. Containers may write there: a link may lead anywhere beneath
    /// the source, and nowhere else.
    pub sub_path: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Mounted read-only.
    pub read_only: bool,
}

/// Whom a container runs as, and what it may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Security {
    /// Numeric user; the image's own where absent.
    pub run_as_user: Option<u32>,
    /// Numeric group; the image's own where absent.
    pub run_as_group: Option<u32>,
    /// Supplementary groups, `fsGroup` among them.
    pub supplemental_groups: Vec<u32>,
    /// The root file system is mounted read-only.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privileges: bool,
    /// Capabilities taken from the default set (`ALL` or names without `CAP_`).
    pub drop_capabilities: Vec<String>,
    /// Capabilities added to the default set.
    pub add_capabilities: Vec<String>,
    /// No system call is refused (`seccompProfile: {type: Unconfined}`).
    pub seccomp_unconfined: bool,
}

/// One start of one container. A restart is a new container with the next `attempt`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The container's name in its pod.
    pub name: String,
    /// 0 for the first start, then one more a restart.
    pub attempt: u32,
    /// The image reference as written; it must be present.
    pub image: String,
    /// Replaces the image's entrypoint where not empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments where not empty.
    pub args: Vec<String>,
    /// Complete environment, over the image's own.
    pub env: BTreeMap<String, String>,
    /// Replaces the image's working directory.
    pub working_dir: Option<PathBuf>,
    /// Volumes, in the order they are mounted.
    pub mounts: Vec<Mount>,
    /// User, groups, capabilities.
    pub security: Security,
    /// Where standard output and error go, one CRI log line each:
    /// `2026-11-21T03:00:00.000000000Z stdout F text`.
    pub log_path: PathBuf,
    /// Memory limit in bytes, enforced where the machine's cgroups allow it.
    pub memory_limit_bytes: Option<u64>,
}

/// A program to run inside a container that runs already, as the container's user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Over the container's own environment.
    pub env: BTreeMap<String, String>,
    /// A terminal of its own: standard error then comes with standard output.
    pub tty: bool,
    /// Standard input is connected; else it is empty.
    pub stdin: bool,
}

/// What an image brings along.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Image {
    /// Reference in full: `docker.io/library/busybox:1.36.1`.
    pub reference: String,
    /// `sha256:…` of its configuration.
    pub id: String,
    /// `docker.io/library/busybox@sha256:…` of its manifests, where the archive has them.
    pub repo_digests: Vec<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// Bytes, unpacked.
    pub size_bytes: u64,
    /// Entrypoint and arguments as the image has them.
    pub entrypoint: Vec<String>,
    /// Arguments as the image has them.
    pub cmd: Vec<String>,
    /// Environment as the image has it.
    pub env: Vec<String>,
    /// `user[:group]`, names or numbers, empty for root.
    pub user: String,
    /// Working directory, empty for `/`.
    pub working_dir: String,
    /// Directories that are volumes of each container's own, writable even where the root isn't.
    pub volumes: Vec<String>,
    /// What asks its program to end, where that isn't SIGTERM: `SIGQUIT`, `3`.
    pub stop_signal: Option<String>,
    /// Served by the host's own read-only userland instead of an archive; the report says so.
    pub from_host: bool,
}

/// How a container ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code; 128 + signal where a signal ended it, as containerd reports it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel ended it for want of memory.
    pub oom_killed: bool,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Why the runtime could not do as asked, in the words that kubelet passes on.
#[derive(Debug, Clone)]
pub enum RuntimeError {
    /// No archive has the image.
    ImageNotFound {
        /// The reference in full.
        reference: String,
        /// Where it was looked for, or what the host lacks to serve it.
        why: String,
    },
    /// The reference can't be one (kubelet: `InvalidImageName`).
    InvalidReference {
        /// As written.
        reference: String,
        /// What is wrong with it, in the words of the reference parser of containerd.
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

/// The node's network: one bridge, one address a pod, never used twice in a run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NodeNetwork {
    /// The bridge's own address: the pods' gateway and name server.
    pub gateway: Ipv4Addr,
    /// Prefix length of the pods' network.
    pub prefix: u8,
}

impl Image {
    /// The number of the signal that asks its program to end; SIGTERM where the image names none that is known.
    pub fn stop_signal_number(&self) -> i32 {
        use nix::sys::signal::Signal;
        let named = self.stop_signal.as_deref().unwrap_or_default();
        let full = if named.starts_with("SIG") { named.to_owned() } else { format!("SIG{named}") };
        let number = named.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
        number.or_else(|| full.parse().ok()).unwrap_or(Signal::SIGTERM) as i32
    }

    /// Whether this machine can run it.
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
