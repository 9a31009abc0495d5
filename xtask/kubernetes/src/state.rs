//! The last state of a namespace that a watch saw.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, ReplicationController, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::objects;

/// The last state of a namespace, with objects by name.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Its pods.
    pub pods: BTreeMap<String, Pod>,
    /// Its events.
    pub events: BTreeMap<String, Event>,
    /// Its stateful sets.
    pub stateful_sets: BTreeMap<String, StatefulSet>,
    /// Its deployments.
    pub deployments: BTreeMap<String, Deployment>,
    /// Its replica sets.
    pub replica_sets: BTreeMap<String, ReplicaSet>,
    /// Its claims.
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    /// Its jobs.
    pub jobs: BTreeMap<String, Job>,
    /// Its daemon sets, if they are watched.
    pub daemon_sets: BTreeMap<String, DaemonSet>,
    /// Its replication controllers, if they are watched.
    pub replication_controllers: BTreeMap<String, ReplicationController>,
    /// Its services, if they are watched.
    pub services: BTreeMap<String, Service>,
    /// Its disruption budgets.
    pub budgets: BTreeMap<String, PodDisruptionBudget>,
    /// The last error of the watch, until it works again.
    pub trouble: Option<String>,
}

impl State {
    /// Returns the pods of a stateful set, in order of their ordinals.
    pub fn replicas(&self, stateful_set: &str) -> Vec<&Pod> {
        let mut pods = self.controlled("StatefulSet", |name| name == stateful_set);
        pods.sort_by_key(|pod| objects::ordinal(&pod.name_any()));
        pods
    }

    /// Returns the pods of a deployment, of all its revisions, the newest last.
    pub fn pods_of_deployment(&self, deployment: &str) -> Vec<&Pod> {
        let owned = |set: &ReplicaSet| objects::controller(set, "Deployment") == Some(deployment);
        self.controlled("ReplicaSet", |name| self.replica_sets.get(name).is_some_and(owned))
    }

    /// Returns the pods of a job, the newest last.
    pub fn pods_of_job(&self, job: &str) -> Vec<&Pod> {
        self.pods_of_controller("Job", job)
    }

    /// Returns the pods that this object controls directly, the newest last.
    pub fn pods_of_controller(&self, kind: &str, name: &str) -> Vec<&Pod> {
        self.controlled(kind, |controller| controller == name)
    }

    /// Returns the events about an object such as `Pod/caesium-0`, the latest last.
    pub fn events_about(&self, object: &str) -> Vec<&Event> {
        let mut about: Vec<_> = self.events.values().filter(|event| objects::involved(event) == object).collect();
        // Most timestamps have a resolution of one second; resource versions grow with every change.
        let version = |event: &Event| event.resource_version().and_then(|version| version.parse::<u64>().ok());
        about.sort_by_key(|event| (objects::last_seen_s(event), version(event)));
        about
    }

    /// Returns the pods with a matching controller, the newest last.
    fn controlled(&self, kind: &str, matches: impl Fn(&str) -> bool) -> Vec<&Pod> {
        let pods = self.pods.values().filter(|pod| objects::controller(*pod, kind).is_some_and(&matches));
        let mut pods: Vec<_> = pods.collect();
        pods.sort_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
        pods
    }
}
