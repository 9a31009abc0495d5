//! The runtime's interface for kubelet.

use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::oneshot;

use crate::cgroup;
use crate::container::{Container, Node, seccomp};
use crate::image::Store;
use crate::network::PodNetwork;
use crate::own_program;
use crate::sandbox::Sandbox;
use crate::spawn::Spawner;
use crate::spec::{ContainerSpec, Image, NodeNetwork, RuntimeError, SandboxSpec};

/// The runtime of one node. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    network: PodNetwork,
    images: Store,
    spawner: Spawner,
    single_user: bool,
}

impl Runtime {
    /// Starts the pod network and creates the directories below `dir`; call it inside the node's namespaces.
    pub async fn start(dir: &Path, network: NodeNetwork) -> Result<Self, RuntimeError> {
        let single_user = single_user_node();
        let start = async {
            let images = Store::new(&dir.join("images"), !single_user)?;
            let network = PodNetwork::start(network).await?;
            open_to_nobody_else(dir)?;
            let spawner = Spawner::start(own_program::mount_read_only(dir)?)?;
            anyhow::Ok(Inner { dir: dir.into(), network, images, spawner, single_user })
        };
        let inner = start.await.context("start the container runtime").map_err(other)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Loads all images of a Docker or OCI archive, and returns their full references.
    ///
    /// Every digest in the archive is checked; if one is wrong, nothing is loaded.
    pub async fn load_archive(&self, archive: &Path) -> Result<Vec<String>, RuntimeError> {
        let (inner, archive) = (self.inner.clone(), archive.to_owned());
        let loaded = tokio::task::spawn_blocking(move || inner.images.load(&archive)).await;
        loaded.context("load an archive").and_then(|loaded| loaded).map_err(other)
    }

    /// Returns the image that a reference names; the host may serve it.
    ///
    /// An image for another platform is found as well: see [`Image::platform`].
    pub fn image(&self, reference: &str) -> Result<Image, RuntimeError> {
        Ok(self.inner.images.find(reference)?.image)
    }

    /// Returns all images that were loaded, and the host's images that were requested, one entry for each tag.
    pub fn images(&self) -> Vec<Image> {
        self.inner.images.all()
    }

    /// Creates a pod's namespaces and network.
    pub async fn run_sandbox(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let dir = self.inner.dir.join("sandboxes").join(&spec.pod_uid);
        let uid = spec.pod_uid.clone();
        let sandbox = Sandbox::start(&self.inner.network, dir, spec).await;
        sandbox.with_context(|| format!("create the sandbox of pod {uid}")).map_err(other)
    }

    /// Starts a container in a pod's sandbox; returns once the program runs. If the caller stops waiting, the container
    /// is killed.
    pub async fn start_container(
        &self,
        sandbox: &Sandbox,
        spec: ContainerSpec,
        beside: Option<Container>,
    ) -> Result<Container, RuntimeError> {
        let (runtime, sandbox) = (self.clone(), sandbox.clone());
        let (answer, started) = oneshot::channel();
        // A start that is interrupted half-way would leave its helper's work behind.
        tokio::spawn(async move {
            if let Err(Ok(unwanted)) = answer.send(runtime.start_in(&sandbox, spec, beside).await) {
                unwanted.signal(rustix::process::Signal::KILL.as_raw());
            }
        });
        started.await.unwrap_or_else(|_| Err(RuntimeError::Other("the container runtime ended".into())))
    }

    async fn start_in(
        &self,
        sandbox: &Sandbox,
        spec: ContainerSpec,
        beside: Option<Container>,
    ) -> Result<Container, RuntimeError> {
        let image = self.inner.images.find(&spec.image)?;
        if !image.image.runs_here() {
            return Err(RuntimeError::Create(format!(
                "image {} is for {}, which this node can't run",
                image.image.reference, image.image.platform
            )));
        }
        let node = Node {
            spawner: &self.inner.spawner,
            dir: self.inner.dir.join("containers"),
            single_user: self.inner.single_user,
        };
        let container = Container::start(node, sandbox, &image, spec, beside.as_ref()).await?;
        sandbox.adopt(container.life());
        Ok(container)
    }

    /// Kills the remaining processes of a pod and removes its network and directories. May be called again.
    pub async fn stop_sandbox(&self, sandbox: &Sandbox) {
        sandbox.stop(&self.inner.network).await;
    }

    /// Makes every address of a network the node's own, so that a proxy on the node can listen on each: for services.
    pub async fn serve_addresses(&self, network: Ipv4Addr, prefix: u8) -> Result<(), RuntimeError> {
        self.inner.network.serve(network, prefix).await.map_err(other)
    }

    /// Returns whether containers' memory limits are enforced.
    pub fn memory_limits_enforced(&self) -> bool {
        cgroup::tree().is_some()
    }

    /// Returns the limits that can't be enforced on this machine, as text for the run's report.
    pub fn limits(&self) -> Vec<String> {
        let mut limits = vec!["CPU limits are not enforced".to_owned()];
        if !seccomp::is_available() {
            limits.push("system calls are not filtered: the kernel has no seccomp filters".into());
        }
        if !self.memory_limits_enforced() {
            limits.push("memory limits are not enforced: no memory cgroup can be created here".into());
        }
        if self.inner.single_user {
            limits.push(
                "the node runs without root and knows a single user: all files of images and volumes belong to the user \
                 that a container runs as, access is never denied because of an owner, and a container that runs as \
                 root can't become another user"
                    .into(),
            );
            limits.push("supplementary groups and fsGroup have no effect without root".into());
        }
        limits
    }
}

/// Creates the directories that contain containers' files. A container's program may run as another user, and no other
/// user of the host may get at those files.
fn open_to_nobody_else(dir: &Path) -> anyhow::Result<()> {
    for name in ["containers", "sandboxes"] {
        let path = dir.join(name);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("create the directory {}", path.display()))?;
    }
    Ok(())
}

/// Returns whether the node's user namespace maps a single user, which is the case if an ordinary user started it.
fn single_user_node() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mapped: u64 = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum();
    mapped < 2
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn other(error: anyhow::Error) -> RuntimeError {
    RuntimeError::Other(format!("{error:#}"))
}
