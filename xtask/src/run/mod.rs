//! A run: what was asked for, what it made, and where its evidence goes.

mod budgets;
mod charts;
mod cluster;
pub mod ending;
pub mod guard;
mod images;
pub mod lock;
mod rendered_image;
mod subject;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;

use self::budgets::Measured;
use self::charts::Manifests;
pub use self::ending::Ending;
use self::images::Images;
pub use self::subject::Subject;
use crate::deployed_topology::DeployedTopology;
use ::cluster::Cluster;
use events::Events;
use kubernetes::nodes::Nodes;
use process::Launcher;
use tools::Tool;
use tools::helm::Helm;

/// What flags ask for beyond the suite.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Values files on top of the topologies'.
    pub values: Vec<PathBuf>,
    /// Values on top, as `--set` takes them.
    pub set: Vec<String>,
    /// Whether what faults cost is written into the suites' budgets instead of compared with them.
    pub update_budgets: bool,
    /// How long each case of a topology may take, instead of what the suite says.
    pub timeout: Option<Duration>,
}

/// A run.
pub struct Run {
    /// Names everything that the run makes.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// What flags ask for.
    pub settings: Settings,
    /// Where it is told.
    pub events: Events,
    /// Where evidence goes.
    pub folder: PathBuf,
    /// Starts tools; they are stopped when the run is interrupted.
    pub launcher: Launcher,
    /// Which helm.
    pub helm: Tool,
    /// The cluster.
    pub cluster: Cluster,
    /// How it ends.
    pub ending: Ending,
    /// What it has made so far.
    pub made: Made,
}

/// What a run has made so far; empty at first.
#[derive(Default)]
pub struct Made {
    live: OnceLock<Live>,
    images: OnceLock<Images>,
    manifests: Manifests,
    /// By the index of their variants.
    deployed_topologies: Mutex<BTreeMap<usize, Arc<DeployedTopology>>>,
    measured: Measured,
}

impl Made {
    fn deployed_topologies(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<DeployedTopology>>> {
        self.deployed_topologies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster that answers.
pub struct Live {
    /// To its API.
    pub client: kube::Client,
    /// Its own kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// Its nodes, watched.
    pub nodes: Nodes,
}

impl Live {
    /// helm for a release in a namespace.
    pub fn helm(&self, run: &Run, release: &str, namespace: &str) -> Helm {
        Helm {
            launcher: run.launcher.clone(),
            tool: run.helm.clone(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: namespace.to_owned(),
            release: release.to_owned(),
        }
    }
}

impl Run {
    /// Lets go of every topology's place: their watchers end.
    fn forget_deployed(&self) {
        self.made.deployed_topologies().clear();
    }

    /// The cluster, once it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn live(&self) -> anyhow::Result<&Live> {
        self.made.live.get().context("the cluster does not answer yet")
    }

    /// A topology's place in the cluster, once it is installed.
    pub fn deployed(&self, variant: usize) -> Option<Arc<DeployedTopology>> {
        self.made.deployed_topologies().get(&variant).cloned()
    }

    /// Keeps a topology's place for the cases that come.
    pub fn add_stage(&self, variant: Option<usize>, deployed: DeployedTopology) -> Arc<DeployedTopology> {
        let deployed = Arc::new(deployed);
        self.made.deployed_topologies().insert(variant.unwrap_or_default(), deployed.clone());
        deployed
    }
}
