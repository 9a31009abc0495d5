//! A run: its settings, what it has created, and the folder for its evidence.

mod budgets;
mod charts;
mod cluster;
pub mod ending;
pub mod guard;
mod images;
pub mod lock;
mod outside;
mod rendered_image;
mod subject;
pub mod unread;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;

use self::budgets::Measured;
use self::charts::Manifests;
pub use self::ending::Ending;
use self::images::Images;
pub use self::outside::{Outside, defines};
pub use self::subject::{GivenImage, Subject};
use crate::charts::Charts;
use crate::deployed_topology::DeployedTopology;
use ::cluster::Cluster;
use events::Events;
use kubernetes::nodes::Nodes;
use process::Launcher;
use tools::Tool;
use tools::helm::Helm;
use tools::pins::NodeImage;

/// The settings from flags that override the suite's.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Values files, applied after the topologies'.
    pub values: Vec<PathBuf>,
    /// Values in the syntax of helm's `--set`, applied after the topologies'.
    pub set: Vec<String>,
    /// Whether the costs of faults are written into the suites' budgets instead of compared with them.
    pub update_budgets: bool,
    /// Whether releases may create objects outside of the run's namespaces on a cluster that others use.
    pub allow_cluster_objects: bool,
    /// The time limit of each case of a topology, instead of the suite's.
    pub timeout: Option<Duration>,
    /// The seed of random faults.
    pub seed: u64,
    /// The node image of the release of Kubernetes that was asked for, if one was.
    pub kubernetes: Option<&'static NodeImage>,
}

/// A run.
pub struct Run {
    /// A random id that is part of the names of everything that the run creates.
    pub id: String,
    /// What it tests.
    pub subject: Subject,
    /// The settings from flags.
    pub settings: Settings,
    /// The stream of its events.
    pub events: Events,
    /// The folder for evidence and reports.
    pub folder: PathBuf,
    /// Starts tools; they are stopped when the run is interrupted.
    pub launcher: Launcher,
    /// The helm that it uses.
    pub helm: Tool,
    /// A helm of another major version, if a case needs it.
    pub other_helm: Option<Tool>,
    /// The charts of its suites.
    pub charts: Charts,
    /// The cluster.
    pub cluster: Cluster,
    /// The end of the run.
    pub ending: Ending,
    /// What it has created so far.
    pub made: Made,
}

/// What a run has created so far; empty at first.
#[derive(Default)]
pub struct Made {
    live: OnceLock<Live>,
    images: OnceLock<Images>,
    manifests: Manifests<charts::Rendered>,
    earlier: Manifests<Arc<Vec<serde_json::Value>>>,
    /// The deployed topologies, by the index of their variants.
    deployed_topologies: Mutex<BTreeMap<usize, Arc<DeployedTopology>>>,
    measured: Measured,
}

impl Made {
    fn deployed_topologies(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<DeployedTopology>>> {
        self.deployed_topologies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster whose API responds.
pub struct Live {
    /// The client of its API.
    pub client: kube::Client,
    /// Its own kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in that kubeconfig.
    pub context: String,
    /// Its nodes, watched.
    pub nodes: Nodes,
    /// Flags of `helm template` that make it render as for this cluster.
    pub capabilities: Vec<String>,
}

impl Live {
    /// Returns helm's command lines for a release in a namespace.
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
    /// Drops every deployed topology, which ends their watches.
    fn forget_deployed(&self) {
        self.made.deployed_topologies().clear();
    }

    /// Returns the cluster, once its API responds.
    ///
    /// # Errors
    /// If it does not respond yet.
    pub fn live(&self) -> anyhow::Result<&Live> {
        self.made.live.get().context("the cluster does not respond yet")
    }

    /// Returns a topology, once it is deployed.
    pub fn deployed(&self, variant: usize) -> Option<Arc<DeployedTopology>> {
        self.made.deployed_topologies().get(&variant).cloned()
    }

    /// Keeps a deployed topology for the following cases.
    pub fn add_deployed(&self, variant: Option<usize>, deployed: DeployedTopology) -> Arc<DeployedTopology> {
        let deployed = Arc::new(deployed);
        self.made.deployed_topologies().insert(variant.unwrap_or_default(), deployed.clone());
        deployed
    }
}
