//! The handle of an embedded cluster in the harness's process.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};

pub use crate::faults::{Fault, Faults};

/// How a cluster is to be started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's run directory: everything that it writes is below.
    pub dir: PathBuf,
    /// A binary whose `main` first calls [`crate::reexec`]; usually the running one.
    pub exe: PathBuf,
    /// Faults planted on purpose; none in a real run.
    pub faults: Faults,
}

/// A running embedded cluster. Dropping the handle ends it without waiting; [`Cluster::stop`] waits.
pub struct Cluster {
    kubeconfig: PathBuf,
    process_id: u32,
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
    #[expect(clippy::unused_async, reason = "a skeleton that others build on")]
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        bail!("the embedded cluster in {} can't be started yet", options.dir.display())
    }

    /// The kubeconfig of the cluster (mode 0600, context `chartproof`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The process that all of it hangs on.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Loads an image archive into the node.
    ///
    /// # Errors
    /// Where the archive can't be read or is none, in words that name what is wrong.
    #[expect(clippy::unused_async, reason = "a skeleton that others build on")]
    pub async fn load_images(&self, archive: &Path) -> anyhow::Result<Vec<String>> {
        bail!("{} can't be loaded yet", archive.display())
    }

    /// What the run has to say about itself.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    #[expect(clippy::unused_async, reason = "a skeleton that others build on")]
    pub async fn report(&self) -> anyhow::Result<Report> {
        Ok(Report::default())
    }

    /// Plants other faults from now on.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    #[expect(clippy::unused_async, reason = "a skeleton that others build on")]
    pub async fn plant(&self, _faults: &Faults) -> anyhow::Result<()> {
        bail!("faults can't be planted yet")
    }

    /// Ends the cluster: asks, waits a bounded time, kills.
    ///
    /// # Errors
    /// Where the process is still there afterwards.
    #[expect(clippy::unused_async, reason = "a skeleton that others build on")]
    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(())
    }
}
