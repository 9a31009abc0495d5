//! kube-scheduler's part: checks whether a pod fits on the only node, and binds it.

use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use serde_json::Value;

use super::reconcile::touches;
use super::{Controller, ControllerContext, Key, ReconcileResult, clock, events, pods};
use crate::client::Client;
use crate::store::{Change, ChangeType};

mod affinity;
mod fit;
#[cfg(test)]
mod tests;
mod volumes;

pub use affinity::node_reason as affinity_reason;
pub use fit::has_untolerated_taint;
pub use volumes::SELECTED_NODE;

const COMPONENT: &str = "default-scheduler";
const MANAGER: &str = "kube-scheduler";

/// Binds pods that have no node yet.
pub const CONTROLLER: Controller = Controller { name: "scheduler", keys, reconcile };

/// Why a pod can't be bound now.
enum SchedulingFailure {
    /// It waits for its claims to be bound, which is not an error.
    Waiting,
    /// The message of the event.
    Unschedulable(String),
}

/// Returns a pod if it is new or changed in a relevant way, and every waiting pod if free resources, a node or a volume
/// changed.
fn keys(client: &Client, change: &Change) -> Vec<Key> {
    let matters = match change.kind.built_in() {
        "Pod" if change.change == ChangeType::Deleted => true,
        "Pod" if is_final(&change.object) => touches(change, &["/status/phase"]),
        "Pod" if unbound(&change.object) && touches(change, &["/spec", "/metadata/labels"]) => {
            return vec![crate::store::key(&change.object)];
        }
        "Node" => touches(change, &["/spec", "/metadata/labels", "/status/allocatable"]),
        "PersistentVolumeClaim" => touches(change, &["/status/phase", "/spec", "/metadata/deletionTimestamp"]),
        "PersistentVolume" => touches(change, &["/status/phase", "/spec"]),
        "StorageClass" => true,
        _ => false,
    };
    if matters { waiting(client) } else { Vec::new() }
}

fn is_final(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn unbound(pod: &Value) -> bool {
    pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
}

fn waiting(client: &Client) -> Vec<Key> {
    let pods = client.list_stored(crate::kinds::of::<Pod>());
    pods.iter().filter(|pod| unbound(pod)).map(|pod| crate::store::key(pod)).collect()
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client.of(MANAGER);
    let Some(pod) = client.get::<Pod>(namespace, name).filter(is_mine) else { return Ok(None) };
    let planted = context.faults.fills_node(name);
    let verdict = if planted { Err(no_room()) } else { place(client, &pod) };
    match verdict {
        Ok(node) => {
            client.bind(&pod, &node)?;
            let message = format!("Successfully assigned {namespace}/{name} to {node}");
            client.event(&events::reference(&pod), "Normal", "Scheduled", &message, COMPONENT);
            Ok(None)
        }
        Err(SchedulingFailure::Waiting) => Ok(None),
        Err(SchedulingFailure::Unschedulable(message)) => {
            refuse(client, &pod, &message)?;
            Ok(planted.then_some(clock::seconds(1)))
        }
    }
}

fn is_mine(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    let named = spec.scheduler_name.as_deref().is_none_or(|name| name == COMPONENT);
    pods::node(pod).is_none() && !pods::is_terminating(pod) && !pods::is_finished(pod) && !gated && named
}

/// Returns the node for the pod.
fn place(client: &Client, pod: &Pod) -> Result<String, SchedulingFailure> {
    let nodes = client.list::<Node>(None);
    let Some(node) = nodes.first() else {
        return Err(SchedulingFailure::Unschedulable("no nodes available to schedule pods".to_owned()));
    };
    let claims = volumes::claims(client, pod)?;
    let others = client.list::<Pod>(None);
    let others: Vec<&Pod> = others.iter().filter(|other| pods::node(other).is_some()).collect();
    let reasons = [
        fit::node_reason(pod, node),
        affinity::node_reason(pod, node),
        volumes::node_reason(&claims, node),
        affinity::spread_reason(pod, node),
        affinity::pods_reason(pod, &others, node),
    ];
    match reasons.into_iter().flatten().next() {
        Some(reason) => Err(unschedulable(&reason.text, reason.helped_by_eviction)),
        None => {
            fit::resources(pod, &others, node).map_or(Ok(()), |r| Err(unschedulable(&r.text, r.helped_by_eviction)))
        }
    }?;
    let name = node.metadata.name.clone().unwrap_or_default();
    volumes::await_binding(client, pod, &claims, &name)?;
    Ok(name)
}

/// Why a filter rejects the pod; `text` begins with the number of nodes, which is one.
pub struct FilterReason {
    text: String,
    /// Whether the pod would fit if other pods were evicted.
    helped_by_eviction: bool,
}

impl FilterReason {
    fn hard(text: impl Into<String>) -> Self {
        Self { text: text.into(), helped_by_eviction: false }
    }
}

fn no_room() -> SchedulingFailure {
    unschedulable("1 Insufficient cpu, 1 Insufficient memory", true)
}

fn unschedulable(reasons: &str, helped_by_eviction: bool) -> SchedulingFailure {
    let preemption = if helped_by_eviction {
        "1 No preemption victims found for incoming pod."
    } else {
        "1 Preemption is not helpful for scheduling."
    };
    SchedulingFailure::Unschedulable(format!(
        "0/1 nodes are available: {reasons}. no new claims to deallocate, preemption: 0/1 nodes are available: {preemption}"
    ))
}

fn refuse(client: &Client, pod: &Pod, message: &str) -> Result<(), crate::status::Status> {
    client.event(&events::reference(pod), "Warning", "FailedScheduling", message, COMPONENT);
    client.modify_status(pod, |pod: &mut Pod| {
        let generation = pod.metadata.generation;
        let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
        let known = conditions.iter().find(|c| c.type_ == "PodScheduled");
        if known.is_some_and(|c| c.status == "False" && c.message.as_deref() == Some(message)) {
            return false;
        }
        let since = known.filter(|c| c.status == "False").and_then(|c| c.last_transition_time.clone());
        conditions.retain(|c| c.type_ != "PodScheduled");
        conditions.push(PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some("Unschedulable".to_owned()),
            message: Some(message.to_owned()),
            last_transition_time: since.or_else(|| Some(clock::now())),
            observed_generation: generation,
            ..PodCondition::default()
        });
        true
    })
}
