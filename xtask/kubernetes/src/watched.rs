//! The kinds that can be watched: where a state stores their objects, and the line that a run's events show.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, ReplicationController, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use kube::ResourceExt;
use serde::de::DeserializeOwned;

use super::objects;
use super::state::State;

/// A kind that can be watched: where its objects are stored, and a one-line status.
pub trait Watched:
    Resource<Scope = NamespaceResourceScope> + Metadata<Ty = kube::core::ObjectMeta> + Clone + Debug
where
    Self: DeserializeOwned + Send + 'static,
{
    /// Returns the map of its objects in a state.
    fn store(state: &mut State) -> &mut BTreeMap<String, Self>;
    /// Returns the object and its status; none if it is not worth reporting.
    fn line(&self) -> Option<(String, String)>;
}

impl Watched for Pod {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.pods
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Pod/{}", self.name_any()), objects::pod_line(self)))
    }
}

impl Watched for Event {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.events
    }

    fn line(&self) -> Option<(String, String)> {
        Some((objects::involved(self), objects::event_line(self)))
    }
}

impl Watched for StatefulSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.stateful_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("StatefulSet/{}", self.name_any()), objects::stateful_set_line(self)))
    }
}

impl Watched for Deployment {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.deployments
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Deployment/{}", self.name_any()), objects::deployment_line(self)))
    }
}

impl Watched for ReplicaSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.replica_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("ReplicaSet/{}", self.name_any()), objects::replica_set_line(self)))
    }
}

impl Watched for PersistentVolumeClaim {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.claims
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("PersistentVolumeClaim/{}", self.name_any()), objects::claim_line(self)))
    }
}

impl Watched for Job {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.jobs
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("Job/{}", self.name_any()), objects::job_line(self)))
    }
}

impl Watched for PodDisruptionBudget {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.budgets
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}

impl Watched for DaemonSet {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.daemon_sets
    }

    fn line(&self) -> Option<(String, String)> {
        Some((format!("DaemonSet/{}", self.name_any()), objects::daemon_set_line(self)))
    }
}

impl Watched for ReplicationController {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.replication_controllers
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}

impl Watched for Service {
    fn store(state: &mut State) -> &mut BTreeMap<String, Self> {
        &mut state.services
    }

    fn line(&self) -> Option<(String, String)> {
        None
    }
}
