//! The scheduler's part in binding claims: it records on which node a claim's first consumer will run.

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

use super::{FilterReason, SchedulingFailure, affinity};
use crate::client::Client;
use crate::controllers::{owners, pods};

/// The annotation that passes a claim to the provisioner.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// A pod's claim, and the volume that it is bound to.
pub struct Claim {
    claim: PersistentVolumeClaim,
    volume: Option<PersistentVolume>,
}

/// Returns the pod's claims, or why no node is possible while they are in this state.
pub fn claims(client: &Client, pod: &Pod) -> Result<Vec<Claim>, SchedulingFailure> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    pods::claims(pod).map(|name| claim(client, &namespace, name)).collect()
}

fn claim(client: &Client, namespace: &str, name: &str) -> Result<Claim, SchedulingFailure> {
    let Some(claim) = client.get::<PersistentVolumeClaim>(namespace, name) else {
        return Err(refusal(&format!("persistentvolumeclaim \"{name}\" not found")));
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(refusal(&format!("persistentvolumeclaim \"{name}\" is being deleted")));
    }
    if is_bound(&claim) {
        let volume = claim.spec.as_ref().and_then(|s| s.volume_name.as_deref());
        let volume = volume.and_then(|volume| client.get::<PersistentVolume>("", volume));
        return Ok(Claim { claim, volume });
    }
    let class = claim.spec.as_ref().and_then(|s| s.storage_class_name.as_deref()).unwrap_or_default();
    let class = client.get::<StorageClass>("", class);
    if class.is_none_or(|class| class.volume_binding_mode.as_deref() != Some("WaitForFirstConsumer")) {
        return Err(refusal("pod has unbound immediate PersistentVolumeClaims"));
    }
    Ok(Claim { claim, volume: None })
}

/// Returns a rejection before any node was considered.
fn refusal(text: &str) -> SchedulingFailure {
    SchedulingFailure::Unschedulable(format!("0/1 nodes are available: {text}. not found"))
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Bound")
}

/// Checks for volumes that can't be used on this node.
pub fn node_reason(claims: &[Claim], node: &Node) -> Option<FilterReason> {
    let elsewhere = |volume: &PersistentVolume| {
        let required = volume.spec.as_ref().and_then(|s| s.node_affinity.as_ref()?.required.as_ref());
        required.is_some_and(|required| !affinity::selects(required, node))
    };
    claims.iter().filter_map(|c| c.volume.as_ref()).find(|volume| elsewhere(volume))?;
    Some(FilterReason::hard("1 node(s) didn't match PersistentVolume's node affinity"))
}

/// Sets the node of the claims that wait for it; returns `Waiting` until all of them are bound.
pub fn await_binding(client: &Client, pod: &Pod, claims: &[Claim], node: &str) -> Result<(), SchedulingFailure> {
    let unbound: Vec<_> = claims.iter().map(|c| &c.claim).filter(|claim| !is_bound(claim)).collect();
    if unbound.is_empty() {
        return Ok(());
    }
    let (namespace, name) = owners::key(pod);
    let nominated = client.modify_status(pod, |pod: &mut Pod| {
        let nominated = &mut pod.status.get_or_insert_default().nominated_node_name;
        nominated.replace(node.to_owned()).as_deref() != Some(node)
    });
    let selected = unbound.into_iter().try_for_each(|claim| select(client, claim, node));
    if let Err(refused) = nominated.and(selected) {
        tracing::debug!(%refused, %namespace, %name, "a claim could not be given its node");
    }
    Err(SchedulingFailure::Waiting)
}

fn select(client: &Client, claim: &PersistentVolumeClaim, node: &str) -> Result<(), crate::status::Status> {
    let selected = client.modify(claim, |claim: &mut PersistentVolumeClaim| {
        let annotations = claim.metadata.annotations.get_or_insert_default();
        annotations.insert(SELECTED_NODE.to_owned(), node.to_owned()).as_deref() != Some(node)
    });
    selected.map(|_| ())
}
