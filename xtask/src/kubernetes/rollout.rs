//! How far a workload is: the same questions to a `StatefulSet` and to a Deployment.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;

use super::objects;
use super::watch::State;

/// How far a workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// How many replicas it was told to have.
    pub wanted: i32,
    /// How many are ready.
    pub ready: i32,
    /// Which change of its spec this is about.
    pub generation: Option<i64>,
    /// Whether its controller has seen the current spec, and every replica follows it and is ready.
    pub done: bool,
    /// The template of its pods, as JSON.
    pub template: String,
}

impl State {
    /// How far a workload is; none where it is not there.
    pub fn rollout(&self, kind: &str, name: &str) -> Option<Rollout> {
        match kind {
            "StatefulSet" => self.stateful_sets.get(name).map(of_stateful_set),
            "Deployment" => self.deployments.get(name).map(of_deployment),
            _ => None,
        }
    }

    /// The pods of a workload, in order of their ordinals, or the newest last.
    pub fn pods_of(&self, kind: &str, name: &str) -> Vec<&Pod> {
        match kind {
            "StatefulSet" => self.replicas(name),
            "Deployment" => self.pods_of_deployment(name),
            "Job" => self.pods_of_job(name),
            _ => Vec::new(),
        }
    }

    /// Those of them that have not ended: a Deployment replaces pods that were evicted or failed, and they stay.
    pub fn live_pods_of(&self, kind: &str, name: &str) -> Vec<&Pod> {
        self.pods_of(kind, name).into_iter().filter(|pod| !objects::has_ended(pod)).collect()
    }
}

fn of_stateful_set(set: &StatefulSet) -> Rollout {
    let (spec, status) = (set.spec.clone().unwrap_or_default(), set.status.clone().unwrap_or_default());
    let (wanted, ready) = (spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
    let seen = status.observed_generation == set.metadata.generation;
    let current = status.update_revision.is_some() && status.update_revision == status.current_revision;
    let done = seen && current && status.replicas == wanted && ready == wanted;
    Rollout { wanted, ready, generation: set.metadata.generation, done, template: json(&spec.template) }
}

/// As `kubectl rollout status` judges it.
fn of_deployment(deployment: &Deployment) -> Rollout {
    let (spec, status) = (deployment.spec.clone().unwrap_or_default(), deployment.status.clone().unwrap_or_default());
    let (wanted, ready) = (spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
    let seen = status.observed_generation == deployment.metadata.generation;
    let [all, updated, available] =
        [status.replicas, status.updated_replicas, status.available_replicas].map(Option::unwrap_or_default);
    let done = seen && [all, updated, available, ready].iter().all(|count| *count == wanted);
    Rollout { wanted, ready, generation: deployment.metadata.generation, done, template: json(&spec.template) }
}

fn json(template: &impl serde::Serialize) -> String {
    serde_json::to_string(template).unwrap_or_default()
}
