//! A pod's sandbox: one network, IPC and UTS namespace for all of its containers.
//!
//! Descriptors hold them, not a process: there is no pause container.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use tokio::net::{TcpSocket, TcpStream};

use crate::diversion::Diversions;
use crate::life::Life;
use crate::netlink;
use crate::network::{PodNetwork, Port};
use crate::spec::{RuntimeError, SandboxSpec};
use crate::threads::on_own_thread;
use crate::traffic::Disturbance;
use crate::trees::remove_tree;

/// How long killed containers may take to end: longer only if the kernel delays one.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A pod's network, IPC and host name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hostname: String,
    port: Port,
    diversions: Diversions,
    dir: PathBuf,
    namespaces: Namespaces,
    /// `None` once the sandbox has been stopped.
    containers: Mutex<Option<Vec<Life>>>,
}

/// What a pod's containers share.
#[derive(Debug)]
pub struct Namespaces {
    net: Arc<OwnedFd>,
    ipc: Arc<OwnedFd>,
    uts: Arc<OwnedFd>,
}

impl Namespaces {
    /// Returns descriptors of all of them, to be passed to a container.
    pub fn all(&self) -> Vec<Arc<OwnedFd>> {
        vec![self.net.clone(), self.ipc.clone(), self.uts.clone()]
    }
}

impl Sandbox {
    /// Returns the pod's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.inner.port.ip
    }

    /// Connects to `localhost:port` inside the pod, over IPv4 and, if that is refused, over IPv6.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        match self.connect_to(Ipv4Addr::LOCALHOST.into(), port).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let second = self.connect_to(Ipv6Addr::LOCALHOST.into(), port).await;
                second.map_err(|_| error)
            }
            connected => connected,
        }
    }

    async fn connect_to(&self, address: IpAddr, port: u16) -> io::Result<TcpStream> {
        let sandbox = self.clone();
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // A socket stays in the namespace in which it was created.
        let socket = on_own_thread("pod-socket", move || {
            setns(&sandbox.inner.namespaces.net, CloneFlags::CLONE_NEWNET).context("enter the pod's network")?;
            socket_with(family, SocketType::STREAM, flags, None).context("create a socket")
        })
        .await
        .map_err(io::Error::other)?;
        TcpSocket::from_std_stream(socket.into()).connect(SocketAddr::new(address, port)).await
    }

    /// Has traffic of the pod be lost or late, until [`Sandbox::restore`]. It is about this pod and others that exist now:
    /// a pod that replaces one of them has another address.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub async fn disturb(&self, disturbance: Disturbance) -> Result<(), RuntimeError> {
        self.inner.diversions.begin(disturbance).await.map_err(|error| RuntimeError::Other(format!("{error:#}")))
    }

    /// Returns how many packets a disturbance has hit.
    pub fn hits(&self, disturbance: &Disturbance) -> u64 {
        self.inner.diversions.hits(disturbance)
    }

    /// Ends a disturbance, if it is in force.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub async fn restore(&self, disturbance: &Disturbance) -> Result<(), RuntimeError> {
        self.inner.diversions.end(disturbance).await.map_err(|error| RuntimeError::Other(format!("{error:#}")))
    }

    pub(crate) async fn start(network: &PodNetwork, dir: PathBuf, spec: SandboxSpec) -> Result<Self> {
        let port = network.next_port()?;
        write_files(&dir, &spec, port.ip)?;
        let namespaces = {
            let (network, port, hostname) = (network.clone(), port.clone(), spec.hostname.clone());
            on_own_thread("pod-network", move || make_namespaces(&network, &port, &hostname)).await?
        };
        network.plug_in_node(&port, namespaces.net.clone()).await?;
        let (hostname, diversions) = (spec.hostname, network.diversions().clone());
        let inner = Inner { hostname, port, diversions, dir, namespaces, containers: Mutex::new(Some(Vec::new())) };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn hostname(&self) -> &str {
        &self.inner.hostname
    }

    pub(crate) fn namespaces(&self) -> &Namespaces {
        &self.inner.namespaces
    }

    /// Returns the files that all of its containers see: their paths on the node, and their names in a container.
    pub(crate) fn files(&self) -> [(PathBuf, &'static str); 3] {
        ["hosts", "hostname", "resolv.conf"].map(|name| {
            let target = match name {
                "hosts" => "/etc/hosts",
                "hostname" => "/etc/hostname",
                _ => "/etc/resolv.conf",
            };
            (self.inner.dir.join(name), target)
        })
    }

    /// Registers a container, which ends with the sandbox: at once if the sandbox has already been stopped.
    pub(crate) fn adopt(&self, container: Life) {
        let mut containers = self.inner.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(containers) = containers.as_mut() else {
            container.signal(rustix::process::Signal::KILL.as_raw());
            return;
        };
        containers.retain(|container| !container.has_ended());
        containers.push(container);
    }

    pub(crate) async fn stop(&self, network: &PodNetwork) {
        let containers =
            self.inner.containers.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        for container in &containers {
            container.signal(rustix::process::Signal::KILL.as_raw());
        }
        let ended = async {
            for container in &containers {
                container.wait().await;
            }
        };
        if tokio::time::timeout(KILL_TIMEOUT, ended).await.is_err() {
            tracing::warn!("sandbox {}: killed containers have not ended yet", self.inner.dir.display());
        }
        if let Err(error) = network.unplug(&self.inner.port).await {
            tracing::debug!("sandbox {}: {error:#}", self.inner.dir.display());
        }
        let _ = remove_tree(&self.inner.dir);
    }
}

fn write_files(dir: &Path, spec: &SandboxSpec, ip: Ipv4Addr) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("create the directory {}", dir.display()))?;
    let hosts = spec.hosts.replace("{ip}", &ip.to_string());
    let hostname = format!("{}\n", spec.hostname);
    for (name, content) in [("hosts", &hosts), ("hostname", &hostname), ("resolv.conf", &spec.resolv_conf)] {
        let path = dir.join(name);
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Creates a pod's namespaces by entering them with the calling thread.
fn make_namespaces(network: &PodNetwork, port: &Port, hostname: &str) -> Result<Namespaces> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)
        .context("create a pod's namespaces")?;
    rustix::system::sethostname(hostname.as_bytes()).with_context(|| format!("set the host name {hostname:?}"))?;
    // As containerd sets it for every pod: an ordinary user's program may serve port 80.
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0").context("allow low ports in the pod")?;
    netlink::block_on(network.plug_in_pod(port))??;
    let open = |name: &str| -> Result<Arc<OwnedFd>> {
        let path = format!("/proc/thread-self/ns/{name}");
        Ok(Arc::new(File::open(&path).with_context(|| format!("open {path}"))?.into()))
    };
    Ok(Namespaces { net: open("net")?, ipc: open("ipc")?, uts: open("uts")? })
}
