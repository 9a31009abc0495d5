//! `pods/eviction`: a deletion that respects disruption budgets; and `pods/binding`.

use axum::response::Response;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body, pod};
use crate::client::{Client, parsed};
use crate::controllers::{disruption, pods};
use crate::registry::{DeleteOptions, check_preconditions};
use crate::status::Status;

/// Handles a request to evict a pod.
pub fn evict(state: &State, request: &Request) -> Result<Response, Status> {
    let stored = pod::of(state, &request.target)?;
    let sent = if request.body.is_empty() { json!({}) } else { body::document(request, "Eviction")? };
    let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let dry_run = request.parameter("dryRun") == Some("All") || sent["deleteOptions"]["dryRun"][0] == "All";
    let options = DeleteOptions {
        grace_period_seconds: sent["deleteOptions"]["gracePeriodSeconds"].as_i64(),
        precondition_uid: text("/deleteOptions/preconditions/uid"),
        dry_run,
        ..DeleteOptions::default()
    };
    let name = request.target.name.as_deref().unwrap_or_default();
    check_preconditions(request.target.kind, name, &stored, &options)?;
    let pod: Pod = parsed(&stored)?;
    let client = Client::new(state.registry.clone(), "kube-apiserver");
    disruption::admit(&client, &pod, dry_run)?;
    // Delete the pod that was admitted, and not a successor of the same name.
    client.delete(&pod, &options)?;
    Ok(success(201))
}

/// Handles a request to bind a pod to a node.
pub fn bind(state: &State, request: &Request) -> Result<Response, Status> {
    let stored = pod::of(state, &request.target)?;
    let pod: Pod = parsed(&stored)?;
    let sent = body::document(request, "Binding")?;
    let node = sent["target"]["name"].as_str().unwrap_or_default();
    if let Some(bound) = pods::node(&pod) {
        let name = request.target.name.as_deref().unwrap_or_default();
        let why = format!("pod {name} is already assigned to node \"{bound}\"");
        return Err(Status::conflict(request.target.kind, name, &why));
    }
    Client::new(state.registry.clone(), "kube-apiserver").bind(&pod, node)?;
    Ok(success(201))
}

/// Returns a `Status` of success.
pub fn success(code: u16) -> Response {
    answer::json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}),
    )
}
