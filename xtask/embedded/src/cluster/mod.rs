//! The handle of an embedded cluster in the harness's process.

mod control;
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::control::Control;
pub use self::control::Ready;
use self::process::Process;
use crate::changes::NodeChange;
pub use crate::faults::Faults;
pub use crate::host_images::host_serves;

/// How long a call may take: an image archive has to be unpacked; a report is available at once.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The file of the run directory that contains how to reach the node's process.
const READY: &str = "ready.json";

/// How to start a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's run directory; everything that it writes is below.
    pub dir: PathBuf,
    /// The program `embedded-node`.
    pub program: PathBuf,
    /// Faults to plant; none in a real run.
    pub faults: Faults,
}

/// What the node's process reads from `options.json` in its run directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NodeOptions {
    /// Faults to plant.
    pub faults: Faults,
}

/// A running embedded cluster. Dropping the handle that started it ends it without waiting; [`Cluster::stop`] waits.
pub struct Cluster {
    dir: PathBuf,
    kubeconfig: PathBuf,
    control: Control,
    /// `None` if another process started it.
    process: Option<Process>,
}

/// What the run's report contains about this cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Report {
    /// Objects that were stored but that nothing acts on: `Ingress caesium/caesium`.
    pub inert: Vec<String>,
    /// Fields that were accepted but have no effect here: `Pod default/web spec.affinity`.
    pub ignored_fields: Vec<String>,
    /// Images served by the host's own programs instead of an archive.
    pub host_images: Vec<String>,
    /// Limits that can't be enforced on this machine, and why.
    pub not_enforced: Vec<String>,
}

impl Cluster {
    /// Starts a cluster and waits until its API responds.
    ///
    /// # Errors
    /// If the process can't be started or ends before it is ready; the text has the tail of its log.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        if !cfg!(target_os = "linux") {
            anyhow::bail!("the embedded cluster runs only on Linux; use `--cluster kind` with Docker here");
        }
        let dir = make_directory(&options.dir)?;
        let written = serde_json::to_vec_pretty(&NodeOptions { faults: options.faults })?;
        std::fs::write(dir.join("options.json"), written)?;
        let (process, ready) = Process::start(&options.program, &dir).await?;
        std::fs::write(dir.join(READY), serde_json::to_vec(&ready)?)?;
        Ok(Self { dir, control: Control::new(&ready)?, kubeconfig: ready.kubeconfig, process: Some(process) })
    }

    /// Returns a handle on the cluster that another process started with this run directory; this handle never ends it.
    ///
    /// # Errors
    /// If the directory is not that of a running cluster.
    pub fn attach(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(READY);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let ready: Ready = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(Self { dir: dir.to_owned(), control: Control::new(&ready)?, kubeconfig: ready.kubeconfig, process: None })
    }

    /// Returns its run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the kubeconfig of the cluster (mode 0600, context `chartproof`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Returns how the node's process ended, or `None` while it runs or if another process started it.
    pub fn ended(&mut self) -> Option<String> {
        self.process.as_mut().and_then(Process::has_ended)
    }

    /// Loads an image archive into the node, and returns the references in it.
    ///
    /// # Errors
    /// If the archive can't be read or is invalid; the message names the reason.
    pub async fn load_images(&self, archive: &Path) -> anyhow::Result<Vec<String>> {
        let archive = std::path::absolute(archive)?;
        let body = json!({ "archive": archive });
        let answer = self.control.call(Method::POST, "/chartproof/images", Some(&body), LOAD_TIMEOUT).await?;
        Ok(serde_json::from_value(answer["images"].clone())?)
    }

    /// Returns what the run's report contains about this cluster.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn report(&self) -> anyhow::Result<Report> {
        let answer = self.control.call(Method::GET, "/chartproof/report", None, ANSWER_TIMEOUT).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Kills a running container of a pod, by the pod's UID, as somebody logged in to the node would.
    ///
    /// # Errors
    /// If it does not run, or the cluster does not respond.
    pub async fn kill_container(&self, pod_uid: &str, container: &str) -> anyhow::Result<()> {
        let body = json!({ "pod": pod_uid, "container": container });
        self.control.call(Method::POST, "/chartproof/kill", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Makes a change on the node; returns the reason if it can't make it.
    ///
    /// # Errors
    /// If it fails, or the cluster does not respond.
    pub async fn make(&self, change: &NodeChange) -> anyhow::Result<Option<String>> {
        let body = serde_json::to_value(change)?;
        let answer = self.control.call(Method::POST, "/chartproof/changes", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(answer["notApplicable"].as_str().map(str::to_owned))
    }

    /// Undoes a change on the node. If the node's process has ended, its changes have ended with it.
    ///
    /// # Errors
    /// If it fails, or the cluster does not respond.
    pub async fn undo(&self, change: &NodeChange) -> anyhow::Result<()> {
        let body = serde_json::to_value(change)?;
        let undone = self.control.call(Method::DELETE, "/chartproof/changes", Some(&body), ANSWER_TIMEOUT).await;
        match undone {
            Err(error) if is_refused(&error) => Ok(()),
            undone => undone.map(drop),
        }
    }

    /// Returns how many packets a change in force has hit so far.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn packets_hit(&self, change: &NodeChange) -> anyhow::Result<u64> {
        let body = serde_json::to_value(change)?;
        let answer = self.control.call(Method::POST, "/chartproof/packets", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(answer["packets"].as_u64().unwrap_or(0))
    }

    /// Plants these faults from now on, in place of the previous ones.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn plant(&self, faults: &Faults) -> anyhow::Result<()> {
        let body = serde_json::to_value(faults)?;
        self.control.call(Method::POST, "/chartproof/faults", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Ends the cluster that this handle started: sends SIGTERM, waits a bounded time, kills.
    ///
    /// # Errors
    /// If the process is still there afterwards.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.process {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }
}

/// Returns whether nothing listens at the node's address, which is the case once its process has ended.
fn is_refused(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Creates the run directory, accessible only to its owner: it contains a kubeconfig.
fn make_directory(dir: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot create the cluster's directory {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}
