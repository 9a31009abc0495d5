//! `pods/eviction`: a deletion that asks the disruption budgets first; `pods/binding`.

use axum::response::Response;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body, pod};
use crate::client::Client;
use crate::controllers::selector;
use crate::registry::DeleteOptions;
use crate::status::Status;

/// Answers a request to evict a pod.
pub fn evict(state: &State, request: &Request) -> Result<Response, Status> {
    let stored = pod::of(state, &request.target)?;
    let sent = if request.body.is_empty() { json!({}) } else { body::document(request, "Eviction")? };
    let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let dry_run = request.parameter("dryRun") == Some("All") || sent["deleteOptions"]["dryRun"][0] == "All";
    let client = Client::new(state.registry.clone());
    let namespace = request.target.namespace();
    let name = request.target.name.as_deref().unwrap_or_default();
    let is_over = matches!(stored["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"));
    if !is_over && stored["metadata"].get("deletionTimestamp").is_none() {
        ask_budgets(&client, namespace, name, dry_run)?;
    }
    let options = DeleteOptions {
        grace_period_seconds: sent["deleteOptions"]["gracePeriodSeconds"].as_i64(),
        precondition_uid: text("/deleteOptions/preconditions/uid"),
        dry_run,
        ..DeleteOptions::default()
    };
    state.registry.delete(request.target.kind, namespace, name, &options)?;
    Ok(success(201))
}

/// 429 where a budget forbids it; else the budget counts this disruption.
fn ask_budgets(client: &Client, namespace: &str, name: &str, dry_run: bool) -> Result<(), Status> {
    let Some(pod) = client.get::<Pod>(namespace, name) else { return Ok(()) };
    let budgets: Vec<PodDisruptionBudget> = client
        .list::<PodDisruptionBudget>(Some(namespace))
        .into_iter()
        .filter(|budget| {
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            selector.is_some_and(|selector| selector::matches(selector, pod.metadata.labels.as_ref()))
        })
        .collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(()),
        [one] => one.metadata.name.clone().unwrap_or_default(),
        _ => {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Status::new(500, "InternalError", message));
        }
    };
    let mut refused = None;
    client.modify_status::<PodDisruptionBudget>(namespace, &budget, |budget| {
        refused = refusal(budget);
        let Some(status) = budget.status.as_mut().filter(|_| refused.is_none() && !dry_run) else { return false };
        status.disruptions_allowed = status.disruptions_allowed.map(|allowed| allowed - 1);
        let evicted_at = chrono::Utc::now();
        let stamp = serde_json::from_value(json!(evicted_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
        if let Ok(stamp) = stamp {
            status.disrupted_pods.get_or_insert_default().insert(name.to_owned(), stamp);
        }
        true
    })?;
    refused.map_or(Ok(()), Err)
}

fn refusal(budget: &PodDisruptionBudget) -> Option<Status> {
    let name = budget.metadata.name.as_deref().unwrap_or_default();
    let status = budget.status.clone().unwrap_or_default();
    if status.observed_generation < budget.metadata.generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Some(too_many(&why));
    }
    if status.disruptions_allowed.unwrap_or(0) > 0 {
        return None;
    }
    let (needs, has) = (status.desired_healthy.unwrap_or(0), status.current_healthy.unwrap_or(0));
    Some(too_many(&format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently")))
}

fn too_many(why: &str) -> Status {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    Status { details, ..Status::new(429, "TooManyRequests", message) }
}

/// Answers a request to bind a pod to a node.
pub fn bind(state: &State, request: &Request) -> Result<Response, Status> {
    let stored = pod::of(state, &request.target)?;
    let sent = body::document(request, "Binding")?;
    let node = sent["target"]["name"].as_str().unwrap_or_default();
    let name = request.target.name.as_deref().unwrap_or_default();
    if let Some(bound) = stored["spec"]["nodeName"].as_str().filter(|bound| !bound.is_empty()) {
        let why = format!("pod {name} is already assigned to node \"{bound}\"");
        return Err(Status::conflict(request.target.kind, name, &why));
    }
    Client::new(state.registry.clone()).bind(request.target.namespace(), name, node)?;
    Ok(success(201))
}

/// A `Status` that says that all went well.
pub fn success(code: u16) -> Response {
    answer::json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}),
    )
}
