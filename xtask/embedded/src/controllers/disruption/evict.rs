//! Whether a pod may be evicted: the eviction subresource asks, then deletes the pod.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::{clock, owners, pods, selects};
use crate::client::Client;
use crate::status::Status;

/// More evictions under way than this are refused, whatever the budget says.
const DISRUPTED_MAX: usize = 2000;

/// Allows the eviction of a pod and counts it against its budget, or refuses it.
///
/// # Errors
/// 429 `TooManyRequests` where the budget does not allow it now, 403 and 500 where it never will.
pub fn admit(client: &Client, pod: &Pod) -> Result<(), Status> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let mut budgets = client.list::<PodDisruptionBudget>(Some(&namespace));
    budgets.retain(|budget| selects(budget, &labels));
    let Some(charged) = may_evict(&budgets, pod)? else { return Ok(()) };
    let (namespace, name) = owners::key(charged);
    let mut refused = None;
    client.modify_status(&namespace, &name, |budget: &mut PodDisruptionBudget| {
        // Another eviction may have been faster.
        if let Err(refusal) = check(budget) {
            refused = Some(refusal);
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

/// Whether the budgets that are about a pod allow its eviction; answers the one to charge, if any.
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
