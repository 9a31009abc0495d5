//! The progress of a workload, in the same form for every kind that keeps pods running.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};

use super::objects;
use super::state::State;

/// The progress of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The number of replicas in its spec.
    pub wanted: i32,
    /// The number of ready replicas.
    pub ready: i32,
    /// The generation of its spec.
    pub generation: Option<i64>,
    /// Whether its controller has observed the current spec, and every replica is up to date and ready.
    pub done: bool,
    /// Why old pods stay, if its controller does not replace them.
    pub stays: Option<&'static str>,
    /// Its pod template, as JSON.
    pub template: String,
}

impl State {
    /// Returns the progress of a workload; none if it does not exist.
    pub fn rollout(&self, kind: &str, name: &str) -> Option<Rollout> {
        match kind {
            "StatefulSet" => self.stateful_sets.get(name).map(of_stateful_set),
            "Deployment" => self.deployments.get(name).map(of_deployment),
            "DaemonSet" => self.daemon_sets.get(name).map(of_daemon_set),
            "ReplicaSet" => self.replica_sets.get(name).map(of_replica_set),
            "ReplicationController" => self.replication_controllers.get(name).map(of_replication_controller),
            _ => None,
        }
    }

    /// Returns the pods of a workload, in order of their ordinals, or the newest last.
    pub fn pods_of(&self, kind: &str, name: &str) -> Vec<&Pod> {
        match kind {
            "StatefulSet" => self.replicas(name),
            "Deployment" => self.pods_of_deployment(name),
            "Pod" => self.pods.get(name).into_iter().collect(),
            _ => self.pods_of_controller(kind, name),
        }
    }

    /// Returns the pods of a workload that have not ended. A Deployment replaces evicted and failed pods but keeps them.
    pub fn live_pods_of(&self, kind: &str, name: &str) -> Vec<&Pod> {
        self.pods_of(kind, name).into_iter().filter(|pod| !objects::has_ended(pod)).collect()
    }
}

const ON_DELETE: &str =
    "its updateStrategy is OnDelete: a pod is replaced only once somebody deletes it; use RollingUpdate for this case";

fn of_stateful_set(set: &StatefulSet) -> Rollout {
    let (spec, status) = (set.spec.clone().unwrap_or_default(), set.status.clone().unwrap_or_default());
    let (wanted, ready) = (spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
    let seen = status.observed_generation == set.metadata.generation;
    let current = status.update_revision.is_some() && status.update_revision == status.current_revision;
    let done = seen && current && status.replicas == wanted && ready == wanted;
    let on_delete = spec.update_strategy.and_then(|strategy| strategy.type_).as_deref() == Some("OnDelete");
    let stays = (seen && !current && on_delete).then_some(ON_DELETE);
    Rollout { wanted, ready, generation: set.metadata.generation, done, stays, template: json(&spec.template) }
}

/// Follows the rules of `kubectl rollout status`.
fn of_deployment(deployment: &Deployment) -> Rollout {
    let (spec, status) = (deployment.spec.clone().unwrap_or_default(), deployment.status.clone().unwrap_or_default());
    let (wanted, ready) = (spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
    let seen = status.observed_generation == deployment.metadata.generation;
    let [all, updated, available] =
        [status.replicas, status.updated_replicas, status.available_replicas].map(Option::unwrap_or_default);
    let done = seen && [all, updated, available, ready].iter().all(|count| *count == wanted);
    Rollout {
        wanted,
        ready,
        generation: deployment.metadata.generation,
        done,
        stays: None,
        template: json(&spec.template),
    }
}

/// Follows the rules of `kubectl rollout status`. With `OnDelete`, pods of an earlier revision are not replaced.
fn of_daemon_set(set: &DaemonSet) -> Rollout {
    let (spec, status) = (set.spec.clone().unwrap_or_default(), set.status.clone().unwrap_or_default());
    let seen = status.observed_generation == set.metadata.generation;
    let on_delete = spec.update_strategy.and_then(|strategy| strategy.type_).as_deref() == Some("OnDelete");
    let (wanted, ready) = (status.desired_number_scheduled, status.number_ready);
    let updated = on_delete || status.updated_number_scheduled.unwrap_or(0) >= wanted;
    let done = seen && updated && status.number_available.unwrap_or(0) >= wanted && ready >= wanted;
    Rollout { wanted, ready, generation: set.metadata.generation, done, stays: None, template: json(&spec.template) }
}

fn of_replica_set(set: &ReplicaSet) -> Rollout {
    let (spec, status) = (set.spec.clone().unwrap_or_default(), set.status.clone().unwrap_or_default());
    let seen = status.observed_generation == set.metadata.generation;
    let counts = [Some(status.replicas), status.ready_replicas, status.available_replicas];
    of_replicas(spec.replicas, counts, (seen, set.metadata.generation), json(&spec.template))
}

fn of_replication_controller(controller: &ReplicationController) -> Rollout {
    let (spec, status) = (controller.spec.clone().unwrap_or_default(), controller.status.clone().unwrap_or_default());
    let seen = status.observed_generation == controller.metadata.generation;
    let counts = [Some(status.replicas), status.ready_replicas, status.available_replicas];
    of_replicas(spec.replicas, counts, (seen, controller.metadata.generation), json(&spec.template))
}

/// The progress of a controller whose pods have a single revision.
fn of_replicas(
    wanted: Option<i32>,
    counts: [Option<i32>; 3],
    (seen, generation): (bool, Option<i64>),
    template: String,
) -> Rollout {
    let (wanted, counts) = (wanted.unwrap_or(1), counts.map(Option::unwrap_or_default));
    Rollout {
        wanted,
        ready: counts[1],
        generation,
        done: seen && counts.iter().all(|count| *count == wanted),
        stays: None,
        template,
    }
}

fn json(template: &impl serde::Serialize) -> String {
    serde_json::to_string(template).unwrap_or_default()
}
