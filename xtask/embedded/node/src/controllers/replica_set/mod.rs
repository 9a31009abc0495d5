//! The ReplicaSet controller: a number of interchangeable pods of one template.

use std::cmp::Reverse;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::pods::{self, Availability};
use super::reconcile::{is_namespace_ending, touches_more_than_status};
use super::{Controller, ControllerContext, Key, ReconcileResult, clock, events, owners};
use crate::client::{Client, Object};
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{self, Change};

const COMPONENT: &str = "replicaset-controller";

/// Creates and deletes the pods of replica sets.
pub const CONTROLLER: Controller = Controller { name: "replicaset", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "ReplicaSet" if touches_more_than_status(change) => vec![store::key(&change.object)],
        "Pod" => owners::keys::<ReplicaSet>(client, change),
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(set) = client.get::<ReplicaSet>(namespace, name) else { return Ok(None) };
    let Some(spec) = &set.spec else { return Ok(None) };
    let mut pods: Vec<Pod> = owners::claim(client, &set, &spec.selector, |pod| !pods::is_finished(pod))?;
    let terminating = pods.extract_if(.., |pod| pods::is_terminating(pod)).count();
    let managed = if set.metadata.deletion_timestamp.is_some() { Ok(()) } else { manage(client, &set, spec, &pods) };
    let min_ready = clock::seconds(spec.min_ready_seconds.unwrap_or(0));
    write_status(client, &set, &status(&set, spec, &pods, terminating, managed.as_ref().err()))?;
    managed?;
    let again = pods.iter().filter_map(|pod| match pods::availability(pod, min_ready) {
        Availability::After(left) => Some(left),
        _ => None,
    });
    Ok(again.min())
}

/// Creates missing pods, deletes surplus ones.
fn manage(client: &Client, set: &ReplicaSet, spec: &ReplicaSetSpec, pods: &[Pod]) -> Result<(), Status> {
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    for _ in pods.len()..wanted {
        create(client, set, spec)?;
    }
    let mut by_worth: Vec<&Pod> = pods.iter().collect();
    by_worth.sort_by_key(|pod| worth(pod));
    by_worth.into_iter().take(pods.len().saturating_sub(wanted)).try_for_each(|pod| delete(client, set, pod))
}

fn create(client: &Client, set: &ReplicaSet, spec: &ReplicaSetSpec) -> Result<(), Status> {
    let template = spec.template.clone().unwrap_or_default();
    let pod = from_template(set, template.metadata, template.spec);
    let about = events::reference(set);
    match client.create(&pod) {
        Ok(pod) => {
            let message = format!("Created pod: {}", owners::key(&pod).1);
            client.event(&about, "Normal", "SuccessfulCreate", &message, COMPONENT);
            Ok(())
        }
        Err(refused) if is_namespace_ending(&refused) => Ok(()),
        Err(refused) => {
            client.event(&about, "Warning", "FailedCreate", &format!("Error creating: {refused}"), COMPONENT);
            Err(refused)
        }
    }
}

/// Returns a pod of an owner's template, named after the owner.
pub fn from_template<O: Object>(
    owner: &O,
    metadata: Option<ObjectMeta>,
    spec: Option<k8s_openapi::api::core::v1::PodSpec>,
) -> Pod {
    let (namespace, name) = owners::key(owner);
    let metadata = metadata.unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: Some(namespace),
            labels: metadata.labels,
            annotations: metadata.annotations,
            finalizers: metadata.finalizers,
            owner_references: Some(vec![owners::controller_reference(owner)]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Orders pods for deletion: the least valuable come first.
fn worth(pod: &Pod) -> impl Ord + use<> {
    let phase = match pods::phase(pod) {
        "Pending" | "" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let cost = pod.metadata.annotations.as_ref().and_then(|a| a.get("controller.kubernetes.io/pod-deletion-cost"));
    let cost: i32 = cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
    let ready_since = pods::condition(pod, "Ready").and_then(|c| c.last_transition_time.clone());
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    let restarts = statuses.into_iter().flatten().map(|status| status.restart_count).max().unwrap_or(0);
    let created = pod.metadata.creation_timestamp.clone();
    let bound = pods::node(pod).is_some();
    (bound, phase, pods::is_ready(pod), cost, Reverse(ready_since), Reverse(restarts), Reverse(created))
}

fn delete(client: &Client, set: &ReplicaSet, pod: &Pod) -> Result<(), Status> {
    let (_, name) = owners::key(pod);
    let about = events::reference(set);
    match client.delete(pod, &DeleteOptions::default()) {
        Err(refused) if refused.reason == "NotFound" => Ok(()),
        Err(refused) => {
            client.event(&about, "Warning", "FailedDelete", &format!("Error deleting: {refused}"), COMPONENT);
            Err(refused)
        }
        Ok(()) => {
            client.event(&about, "Normal", "SuccessfulDelete", &format!("Deleted pod: {name}"), COMPONENT);
            Ok(())
        }
    }
}

fn status(
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    pods: &[Pod],
    terminating: usize,
    failure: Option<&Status>,
) -> ReplicaSetStatus {
    let min_ready = clock::seconds(spec.min_ready_seconds.unwrap_or(0));
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let some = |count: usize| (count > 0).then(|| number(count));
    let labels = spec.template.as_ref().and_then(|t| t.metadata.as_ref()?.labels.clone()).unwrap_or_default();
    let labeled = |pod: &&Pod| {
        labels.iter().all(|(key, value)| pod.metadata.labels.as_ref().and_then(|l| l.get(key)) == Some(value))
    };
    let available = |pod: &&Pod| pods::availability(pod, min_ready) == Availability::Available;
    ReplicaSetStatus {
        replicas: number(pods.len()),
        fully_labeled_replicas: some(pods.iter().filter(labeled).count()),
        ready_replicas: some(pods.iter().filter(|pod| pods::is_ready(pod)).count()),
        available_replicas: some(pods.iter().filter(available).count()),
        terminating_replicas: Some(number(terminating)),
        observed_generation: set.metadata.generation,
        conditions: failure.map(|failure| vec![failed(set, failure)]),
    }
}

fn failed(set: &ReplicaSet, failure: &Status) -> ReplicaSetCondition {
    let known = set.status.as_ref().and_then(|s| s.conditions.as_ref()).into_iter().flatten();
    let since = known.filter(|c| c.type_ == "ReplicaFailure").find_map(|c| c.last_transition_time.clone());
    ReplicaSetCondition {
        type_: "ReplicaFailure".to_owned(),
        status: "True".to_owned(),
        reason: Some("FailedCreate".to_owned()),
        message: Some(failure.to_string()),
        last_transition_time: since.or_else(|| Some(clock::now())),
    }
}

fn write_status(client: &Client, set: &ReplicaSet, status: &ReplicaSetStatus) -> Result<(), Status> {
    client.modify_status(set, |set: &mut ReplicaSet| {
        let changed = set.status.as_ref() != Some(status);
        set.status = Some(status.clone());
        changed
    })
}
