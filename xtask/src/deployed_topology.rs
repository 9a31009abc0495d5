//! A suite's topology while it is deployed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use client::application::Record;
use client::reach::Reach;
use history::Operation;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::deployed_release::DeployedRelease;
use cluster::changes::DISKS_CAN_FAIL;
use cluster::{RUN_LABEL, namespaces};
use kubernetes::ask::PodClient;
use kubernetes::baseline::Baseline;
use kubernetes::rollout::Rollout;
use kubernetes::watch::Watch;
use kubernetes::{call, given, logs};
use suite::{PodSecurity, Records, Starts, Suite, Topology, Variant, Workload};
use tools::helm::{Helm, Values};

/// An acknowledged record, and the writes that may have set its current value; there may be several if its key is
/// overwritten.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// The writes.
    pub writes: Vec<Operation>,
}

/// A suite's topology while it is deployed, as seen by a case about one of its workloads. Clones share everything.
#[derive(Clone)]
pub struct DeployedTopology {
    /// The suite.
    pub suite: Arc<Suite>,
    /// The topology.
    pub topology: Topology,
    /// The client of the cluster's API.
    pub client: kube::Client,
    /// Its releases in the suite's order; the last one is under test.
    pub releases: Arc<Vec<DeployedRelease>>,
    /// The content of each of its namespaces before the first install.
    pub baselines: Arc<BTreeMap<String, Baseline>>,
    /// helm's command lines for the release under test.
    pub helm: Helm,
    /// The values of the release under test.
    pub values: Values,
    /// The watch of the namespace of the release under test.
    pub watch: Watch,
    /// The workload that the case is about, if the suite has one.
    pub tested: Option<Arc<Workload>>,
    /// Sends requests to that workload's pods.
    pub application: Arc<PodClient>,
    /// Acknowledged records of earlier cases about that workload.
    pub kept: Arc<Mutex<Vec<Kept>>>,
    /// The folder for evidence of this topology.
    pub folder: PathBuf,
    /// Whether the release under test is still that of the earlier chart.
    pub is_earlier: Arc<AtomicBool>,
    /// The records of each workload, in the suite's order.
    kept_by_workload: Arc<Vec<Arc<Mutex<Vec<Kept>>>>>,
    _logs: Arc<JoinSet<()>>,
}

impl DeployedTopology {
    /// Starts to collect the logs of a variant's releases, whose namespaces were just created.
    pub fn new(
        variant: &Variant,
        client: kube::Client,
        releases: Vec<DeployedRelease>,
        baselines: BTreeMap<String, Baseline>,
        folder: PathBuf,
    ) -> anyhow::Result<Self> {
        let (suite, topology) = (variant.suite.clone(), variant.topology.clone());
        let tested = releases.last().context("nothing is deployed")?;
        let (helm, values, watch) = (tested.helm.clone(), tested.values.clone(), tested.watch.clone());
        let mut logs = JoinSet::new();
        for watch in watches(&releases) {
            logs.spawn(logs::keep(client.clone(), watch, folder.join("logs")));
        }
        if suite.workloads.iter().any(|workload| workload.daemon_set.is_some()) {
            watch.follow::<DaemonSet>(&client);
        }
        let application = PodClient::new(client.clone(), &helm.namespace, Reach::default(), None);
        let kept_by_workload = Arc::new(suite.workloads.iter().map(|_| Arc::default()).collect());
        let any = Self {
            suite,
            topology,
            client,
            releases: Arc::new(releases),
            baselines: Arc::new(baselines),
            helm,
            values,
            watch,
            tested: None,
            application,
            kept: Arc::default(),
            folder,
            is_earlier: Arc::new(AtomicBool::new(variant.starts() == Starts::Earlier)),
            kept_by_workload,
            _logs: Arc::new(logs),
        };
        Ok(any.about(None))
    }

    /// Returns the same topology, about a workload; none means the first.
    #[must_use]
    pub fn about(&self, workload: Option<&str>) -> Self {
        let is_it = |one: &&Workload| workload.is_none_or(|name| one.name() == name);
        let mut about = self.clone();
        let Some((tested, kept)) =
            self.suite.workloads.iter().zip(self.kept_by_workload.iter()).find(|(one, _)| is_it(one))
        else {
            return about;
        };
        let container = Some(tested.container.clone());
        about.application = PodClient::new(self.client.clone(), self.namespace(), tested.reach(), container);
        (about.tested, about.kept) = (Some(Arc::new(tested.clone())), kept.clone());
        about
    }

    /// Returns a release by its key, or the release under test for `None`.
    ///
    /// # Errors
    /// If there is no such release.
    pub fn deployed_release(&self, key: Option<&str>) -> anyhow::Result<&DeployedRelease> {
        let release = self.suite.release(key).map_err(anyhow::Error::msg)?;
        let found = self.releases.iter().find(|deployed_release| deployed_release.release == *release);
        found.with_context(|| format!("release {} is not deployed", release.key()))
    }

    /// Returns the watch of each of its namespaces.
    pub fn watches(&self) -> Vec<Watch> {
        watches(&self.releases)
    }

    /// Returns the namespace of the release under test.
    pub fn namespace(&self) -> &str {
        &self.helm.namespace
    }

    /// Returns the API for the pods of that namespace.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// Returns kind and name of the workload that controls the replicas.
    ///
    /// # Errors
    /// If the suite has none; the loader then rejects cases that need it.
    pub fn workload(&self) -> anyhow::Result<(&'static str, &str)> {
        self.tested.as_deref().map(Workload::object).context("the suite has no [workload]")
    }

    /// Returns how records of that workload are written and read.
    ///
    /// # Errors
    /// If the suite does not say; the loader then rejects cases that need it.
    pub fn records(&self) -> anyhow::Result<&Records> {
        self.tested.as_deref().context("the suite has no [workload]")?.records()
    }

    /// Returns the number of replicas that it should have. A `DaemonSet` has as many as its controller wants: one on
    /// each node that it selects.
    pub fn wanted(&self) -> u32 {
        let fixed = self.tested.as_ref().map_or(Some(self.topology.replicas), |tested| tested.replicas(&self.topology));
        fixed.unwrap_or_else(|| self.rollout().map_or(0, |rollout| rollout.wanted.unsigned_abs()))
    }

    /// Returns the state of the workload's rollout.
    pub fn rollout(&self) -> Option<Rollout> {
        let (kind, name) = self.workload().ok()?;
        self.watch.state().rollout(kind, name)
    }

    /// Returns the current replicas that have not ended, by ordinal or name.
    pub fn replicas(&self) -> Vec<Pod> {
        let Ok((kind, name)) = self.workload() else { return Vec::new() };
        self.watch.state().live_pods_of(kind, name).into_iter().cloned().collect()
    }

    /// Returns the names of the expected replicas; for a Deployment, those of the current ones.
    pub fn names(&self, replicas: u32) -> Vec<String> {
        match self.workload() {
            Ok(("StatefulSet", name)) => (0..replicas).map(|ordinal| format!("{name}-{ordinal}")).collect(),
            _ => self.replicas().iter().map(ResourceExt::name_any).collect(),
        }
    }

    /// Returns a pod by its name.
    pub fn pod(&self, name: &str) -> Option<Pod> {
        self.watch.state().pods.get(name).cloned()
    }
}

/// Returns the watch of each namespace that a release is in.
fn watches(releases: &[DeployedRelease]) -> Vec<Watch> {
    let by_namespace = releases
        .iter()
        .map(|deployed_release| (deployed_release.watch.namespace().to_owned(), deployed_release.watch.clone()));
    by_namespace.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Creates a namespace of a run, which enforces a Pod Security Standard, and waits until pods can be created in it. On
/// the embedded cluster, the disks of its claims can fail if it says so.
///
/// # Errors
/// If the API server refuses it, or the namespace does not become usable in time.
pub async fn create_namespace(
    client: &kube::Client,
    name: &str,
    run_id: &str,
    level: PodSecurity,
    disks_can_fail: bool,
) -> anyhow::Result<()> {
    let namespace: Namespace = serde_json::from_value(
        json!({ "metadata": { "name": name, "annotations": namespaces::annotations(run_id)?, "labels": {
        RUN_LABEL: run_id,
        DISKS_CAN_FAIL: disks_can_fail.to_string(),
        "app.kubernetes.io/managed-by": "chartproof",
        "pod-security.kubernetes.io/enforce": level.label(),
    } } }),
    )?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    call(&format!("creating Namespace/{name}"), namespaces.create(&PostParams::default(), &namespace)).await?;
    given::arrived(client, name).await
}
