//! A topology's place in the cluster, from its installation to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::cluster::RUN_LABEL;
use crate::events::Events;
use crate::helm::{Helm, Values};
use crate::kubernetes::http::Http;
use crate::kubernetes::watch::Watch;
use crate::kubernetes::{call, logs, objects};
use crate::suite::{Suite, Topology};
use crate::workload::recorder::Kept;

/// A topology that is deployed.
pub struct Stage {
    /// The suite.
    pub suite: Arc<Suite>,
    /// The topology.
    pub topology: Topology,
    /// To the cluster.
    pub client: kube::Client,
    /// helm for the release.
    pub helm: Helm,
    /// What the chart is deployed with.
    pub values: Values,
    /// What is seen of the namespace.
    pub watch: Watch,
    /// To the pods.
    pub http: Arc<Http>,
    /// Records that earlier cases know to be there.
    pub records: Mutex<Vec<Kept>>,
    /// Where evidence of this topology goes.
    pub folder: PathBuf,
    logs: AbortHandle,
}

impl Stage {
    /// Watches a namespace that was just made.
    pub fn new(
        suite: Arc<Suite>,
        topology: Topology,
        client: kube::Client,
        helm: Helm,
        values: Values,
        run: (&Path, Events),
    ) -> Self {
        let (run_folder, events) = run;
        let folder = run_folder.join(&topology.name);
        let watch = Watch::start(&client, &helm.namespace, events);
        let logs = tokio::spawn(logs::keep(client.clone(), watch.clone(), folder.join("logs"))).abort_handle();
        let http = Arc::new(Http::new(client.clone(), &helm.namespace, suite.http.port, suite.request_timeout()));
        Self { suite, topology, client, helm, values, watch, http, records: Mutex::default(), folder, logs }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.helm.namespace
    }

    /// Its pods.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// The replicas that are there now, in order of their ordinals.
    pub fn replicas(&self) -> Vec<Pod> {
        self.watch.state().replicas(&self.suite.workload.stateful_set).into_iter().cloned().collect()
    }

    /// The names of the replicas that there should be.
    pub fn names(&self, replicas: u32) -> Vec<String> {
        (0..replicas).map(|ordinal| format!("{}-{ordinal}", self.suite.workload.stateful_set)).collect()
    }

    /// How many replicas the release was last told to have.
    pub fn wanted(&self) -> u32 {
        let state = self.watch.state();
        let set = state.stateful_sets.get(&self.suite.workload.stateful_set);
        let replicas = set.and_then(|set| set.spec.as_ref()).and_then(|spec| spec.replicas);
        replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or(self.topology.replicas)
    }

    /// A pod by its name.
    pub fn pod(&self, name: &str) -> Option<Pod> {
        self.watch.state().pods.get(name).cloned()
    }

    /// How the replicas are, for people: `2/3 ready, caesium-2: Pending, caesium: ContainerCreating`.
    pub fn replicas_line(&self) -> String {
        let state = self.watch.state();
        let pods = state.replicas(&self.suite.workload.stateful_set);
        let ready = pods.iter().filter(|pod| objects::is_ready(pod)).count();
        let unready = pods.iter().filter(|pod| !objects::is_ready(pod));
        let unready: Vec<_> = unready.map(|pod| format!("{}: {}", pod.name_any(), objects::pod_line(pod))).collect();
        std::iter::once(format!("{ready}/{} ready", self.topology.replicas))
            .chain(unready)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.logs.abort();
    }
}

/// Makes a namespace for a topology of a run: labelled, and as strict about pods as a production one.
///
/// # Errors
/// What the API server answers.
pub async fn create_namespace(client: &kube::Client, name: &str, run_id: &str) -> anyhow::Result<()> {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name, "labels": {
        RUN_LABEL: run_id,
        "app.kubernetes.io/managed-by": "chartproof",
        "pod-security.kubernetes.io/enforce": "restricted",
    } } }))?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    call(&format!("creating Namespace/{name}"), namespaces.create(&PostParams::default(), &namespace)).await?;
    Ok(())
}
