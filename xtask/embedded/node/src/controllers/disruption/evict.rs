//! Whether a pod may be evicted: the eviction subresource checks this, then deletes the pod.

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::{clock, pods, selects};
use crate::client::Client;
use crate::status::Status;

/// If more evictions than this are under way, the next is rejected, regardless of the budget.
const DISRUPTED_MAX: usize = 2000;

/// Allows the eviction of a pod, counts it against its budget and marks the pod, or rejects it. A dry run writes
/// nothing.
///
/// # Errors
/// 429 `TooManyRequests` if the budget does not allow it now, 403 and 500 if it never will.
pub fn admit(client: &Client, pod: &Pod, dry_run: bool) -> Result<(), Status> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let mut budgets = client.list::<PodDisruptionBudget>(Some(&namespace));
    budgets.retain(|budget| selects(budget, &labels));
    let charged = may_evict(&budgets, pod)?;
    if dry_run || pods::is_terminating(pod) {
        return Ok(());
    }
    if let Some(budget) = charged {
        charge(client, budget, pod)?;
    }
    mark(client, pod)
}

fn charge(client: &Client, budget: &PodDisruptionBudget, pod: &Pod) -> Result<(), Status> {
    let mut refused = None;
    client.modify_status(budget, |budget: &mut PodDisruptionBudget| {
        // Another eviction may have been faster.
        refused = check(budget).err();
        if refused.is_some() {
            return false;
        }
        let status = budget.status.get_or_insert_default();
        status.disruptions_allowed = status.disruptions_allowed.map(|allowed| allowed - 1);
        let pod = pod.metadata.name.clone().unwrap_or_default();
        status.disrupted_pods.get_or_insert_default().insert(pod, clock::now());
        true
    })?;
    refused.map_or(Ok(()), Err)
}

/// Records in the pod's conditions why it will be deleted.
fn mark(client: &Client, pod: &Pod) -> Result<(), Status> {
    client.modify_status(pod, |pod: &mut Pod| {
        let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != "DisruptionTarget");
        conditions.push(PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
            reason: Some("EvictionByEvictionAPI".to_owned()),
            message: Some("Eviction API: evicting".to_owned()),
            last_transition_time: Some(clock::now()),
            ..PodCondition::default()
        });
        true
    })
}

/// Checks whether the budgets of a pod allow its eviction; returns the budget to charge, if any.
///
/// # Errors
/// As [`admit`].
pub fn may_evict<'a>(budgets: &'a [PodDisruptionBudget], pod: &Pod) -> Result<Option<&'a PodDisruptionBudget>, Status> {
    let budget = match budgets {
        _ if pods::is_finished(pod) || pods::is_terminating(pod) || pods::phase(pod) == "Pending" => return Ok(None),
        [] => return Ok(None),
        [budget] => budget,
        _ => {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Status::new(500, "InternalError", message));
        }
    };
    if !pods::is_ready(pod) && unready_may_go(budget) {
        return Ok(None);
    }
    check(budget).map(|()| Some(budget))
}

fn unready_may_go(budget: &PodDisruptionBudget) -> bool {
    let policy = budget.spec.as_ref().and_then(|s| s.unhealthy_pod_eviction_policy.as_deref());
    let status = budget.status.clone().unwrap_or_default();
    let desired = status.desired_healthy.unwrap_or(0);
    policy == Some("AlwaysAllow") || status.current_healthy.unwrap_or(0) >= desired && desired > 0
}

fn check(budget: &PodDisruptionBudget) -> Result<(), Status> {
    let name = budget.metadata.name.as_deref().unwrap_or_default();
    let status = budget.status.clone().unwrap_or_default();
    if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
        return Err(too_many(&format!("The disruption budget {name} is still being processed by the server.")));
    }
    if status.disrupted_pods.is_some_and(|pods| pods.len() > DISRUPTED_MAX) {
        let message = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(Status::new(403, "Forbidden", message));
    }
    if status.disruptions_allowed.unwrap_or(0) <= 0 {
        let (desired, healthy) = (status.desired_healthy.unwrap_or(0), status.current_healthy.unwrap_or(0));
        return Err(too_many(&format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )));
    }
    Ok(())
}

fn too_many(cause: &str) -> Status {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Status {
        details: json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]}),
        ..Status::new(429, "TooManyRequests", message)
    }
}
