//! A topology's place in the cluster, from its installation to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use client::application::Record;
use history::Operation;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::deployed_release::DeployedRelease;
use cluster::{RUN_LABEL, namespaces};
use kubernetes::baseline::Baseline;
use kubernetes::http::Http;
use kubernetes::rollout::Rollout;
use kubernetes::watch::Watch;
use kubernetes::{call, given, logs};
use suite::{PodSecurity, Suite, Topology, Variant, Workload};
use tools::helm::{Helm, Values};

/// An acknowledged record together with the writes that may have left what it holds: several where its key is written
/// again.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// The writes.
    pub writes: Vec<Operation>,
}

/// A suite's topology that is deployed.
pub struct DeployedTopology {
    /// The suite.
    pub suite: Arc<Suite>,
    /// The topology.
    pub topology: Topology,
    /// To the cluster.
    pub client: kube::Client,
    /// Its releases, in the suite's order.
    pub releases: Vec<DeployedRelease>,
    /// What each of its namespaces held before any of them came.
    pub baselines: BTreeMap<String, Baseline>,
    /// helm for the release under test.
    pub helm: Helm,
    /// What the release under test is deployed with.
    pub values: Values,
    /// What is seen of the namespace of the release under test.
    pub watch: Watch,
    /// To the pods of that namespace.
    pub http: Arc<Http>,
    /// Records that earlier cases know to be there.
    pub records: Mutex<Vec<Kept>>,
    /// Where evidence of this topology goes.
    pub folder: PathBuf,
    _logs: JoinSet<()>,
}

impl DeployedTopology {
    /// Watches the namespaces of a variant's releases, which were just made.
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
        let (port, timeout) =
            suite.http.as_ref().map_or((0, Duration::ZERO), |http| (http.port, http.request_timeout()));
        let http = Arc::new(Http::new(client.clone(), &helm.namespace, port, timeout));
        Ok(Self {
            suite,
            topology,
            client,
            releases,
            baselines,
            helm,
            values,
            watch,
            http,
            records: Mutex::default(),
            folder,
            _logs: logs,
        })
    }

    /// A release by its key; none means the one under test.
    ///
    /// # Errors
    /// Where there is none.
    pub fn deployed_release(&self, key: Option<&str>) -> anyhow::Result<&DeployedRelease> {
        let release = self.suite.release(key).map_err(anyhow::Error::msg)?;
        let found = self.releases.iter().find(|deployed_release| deployed_release.release == *release);
        found.with_context(|| format!("release {} is not deployed", release.key()))
    }

    /// What is seen of each of its namespaces.
    pub fn watches(&self) -> Vec<Watch> {
        watches(&self.releases)
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.helm.namespace
    }

    /// Its pods.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// Kind and name of what controls the replicas.
    ///
    /// # Errors
    /// Where the suite does not say; cases that need it can't be listed then.
    pub fn workload(&self) -> anyhow::Result<(&'static str, &str)> {
        self.suite.workload.as_ref().map(Workload::object).context("the suite has no [workload]")
    }

    /// How far the workload is.
    pub fn rollout(&self) -> Option<Rollout> {
        let (kind, name) = self.workload().ok()?;
        self.watch.state().rollout(kind, name)
    }

    /// The replicas that are there now and have not ended, in order of their ordinals or names.
    pub fn replicas(&self) -> Vec<Pod> {
        let Ok((kind, name)) = self.workload() else { return Vec::new() };
        self.watch.state().live_pods_of(kind, name).into_iter().cloned().collect()
    }

    /// The names of the replicas that there should be; of those of a Deployment that there are.
    pub fn names(&self, replicas: u32) -> Vec<String> {
        match self.workload() {
            Ok(("StatefulSet", name)) => (0..replicas).map(|ordinal| format!("{name}-{ordinal}")).collect(),
            _ => self.replicas().iter().map(ResourceExt::name_any).collect(),
        }
    }

    /// A pod by its name.
    pub fn pod(&self, name: &str) -> Option<Pod> {
        self.watch.state().pods.get(name).cloned()
    }
}

/// The watches of all namespaces that releases are in, each once.
fn watches(releases: &[DeployedRelease]) -> Vec<Watch> {
    let by_namespace = releases
        .iter()
        .map(|deployed_release| (deployed_release.watch.namespace().to_owned(), deployed_release.watch.clone()));
    by_namespace.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Creates a namespace of a run, which enforces a Pod Security Standard, and waits until pods can be created in it.
///
/// # Errors
/// What the API server answers, or what the namespace still lacks.
pub async fn create_namespace(
    client: &kube::Client,
    name: &str,
    run_id: &str,
    level: PodSecurity,
) -> anyhow::Result<()> {
    let namespace: Namespace = serde_json::from_value(
        json!({ "metadata": { "name": name, "annotations": namespaces::annotations(run_id)?, "labels": {
        RUN_LABEL: run_id,
        "app.kubernetes.io/managed-by": "chartproof",
        "pod-security.kubernetes.io/enforce": level.label(),
    } } }),
    )?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    call(&format!("creating Namespace/{name}"), namespaces.create(&PostParams::default(), &namespace)).await?;
    given::arrived(client, name).await
}
