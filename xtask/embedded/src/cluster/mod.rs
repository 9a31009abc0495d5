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
pub use crate::faults::Faults;
pub use crate::host_images::host_serves;

/// An image archive is unpacked within this; a report is there at once.
const LOAD_TIMEOUT: Duration = Duration::from_secs(300);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The file of the run directory that says how to reach the node's process.
const READY: &str = "ready.json";

/// How a cluster is to be started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's run directory: everything that it writes is below.
    pub dir: PathBuf,
    /// The program `embedded-node`.
    pub program: PathBuf,
    /// Faults planted on purpose; none in a real run.
    pub faults: Faults,
}

/// What the node's process reads from `options.json` in its run directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NodeOptions {
    /// Faults planted on purpose.
    pub faults: Faults,
}

/// A running embedded cluster. Dropping the handle that started it ends it without waiting; [`Cluster::stop`] waits.
pub struct Cluster {
    kubeconfig: PathBuf,
    control: Control,
    /// None where another process started it.
    process: Option<Process>,
}

/// What a run on this cluster has to say about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Report {
    /// Kinds that were stored but that nothing acts on: `Ingress caesium/caesium`.
    pub inert: Vec<String>,
    /// Fields that were accepted and make no difference here: `Pod default/web spec.affinity`.
    pub ignored_fields: Vec<String>,
    /// Images served by the host's own userland instead of an archive.
    pub host_images: Vec<String>,
    /// Limits that the machine does not let us enforce, and why.
    pub not_enforced: Vec<String>,
}

impl Cluster {
    /// Starts a cluster and waits until its API answers.
    ///
    /// # Errors
    /// Where the process can't be started or ends before it is ready; the text has the tail of its log.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        if !cfg!(target_os = "linux") {
            anyhow::bail!("the embedded cluster runs on Linux only; use `--cluster kind` with Docker here");
        }
        let dir = make_directory(&options.dir)?;
        let written = serde_json::to_vec_pretty(&NodeOptions { faults: options.faults })?;
        std::fs::write(dir.join("options.json"), written)?;
        let (process, ready) = Process::start(&options.program, &dir).await?;
        std::fs::write(dir.join(READY), serde_json::to_vec(&ready)?)?;
        Ok(Self { control: Control::new(&ready)?, kubeconfig: ready.kubeconfig, process: Some(process) })
    }

    /// A handle on the cluster that another process started with this run directory; its end is not ours.
    ///
    /// # Errors
    /// Where the directory is no running cluster's.
    pub fn attach(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(READY);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let ready: Ready = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(Self { control: Control::new(&ready)?, kubeconfig: ready.kubeconfig, process: None })
    }

    /// The kubeconfig of the cluster (mode 0600, context `chartproof`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// How the node's process ended; none as long as it runs, or where another process started it.
    pub fn ended(&mut self) -> Option<String> {
        self.process.as_mut().and_then(Process::has_ended)
    }

    /// Loads an image archive into the node, and answers the references in it.
    ///
    /// # Errors
    /// Where the archive can't be read or is none, in words that name what is wrong.
    pub async fn load_images(&self, archive: &Path) -> anyhow::Result<Vec<String>> {
        let archive = std::path::absolute(archive)?;
        let body = json!({ "archive": archive });
        let answer = self.control.call(Method::POST, "/chartproof/images", Some(&body), LOAD_TIMEOUT).await?;
        Ok(serde_json::from_value(answer["images"].clone())?)
    }

    /// What the run has to say about itself.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    pub async fn report(&self) -> anyhow::Result<Report> {
        let answer = self.control.call(Method::GET, "/chartproof/report", None, ANSWER_TIMEOUT).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Kills a running container of a pod, by the pod's UID, as a person on the node would.
    ///
    /// # Errors
    /// Where it does not run, or the cluster does not answer.
    pub async fn kill_container(&self, pod_uid: &str, container: &str) -> anyhow::Result<()> {
        let body = json!({ "pod": pod_uid, "container": container });
        self.control.call(Method::POST, "/chartproof/kill", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Plants these faults and no others from now on.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    pub async fn plant(&self, faults: &Faults) -> anyhow::Result<()> {
        let body = serde_json::to_value(faults)?;
        self.control.call(Method::POST, "/chartproof/faults", Some(&body), ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Ends the cluster that this handle started: asks, waits a bounded time, kills.
    ///
    /// # Errors
    /// Where the process is still there afterwards.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self.process {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }
}

/// The run directory, for its owner alone: it holds a kubeconfig.
fn make_directory(dir: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make the cluster's directory {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}
