//! `scale` of workloads: `autoscaling/v1` `Scale`, read and written.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body, verbs};
use crate::registry::{Patch, patch};
use crate::status::Status;

/// Handles a request for the scale of an object.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let name = target.name.as_deref().unwrap_or_default();
    let stored = state.registry.store.get(target.kind, target.namespace(), name);
    let stored = stored.ok_or_else(|| Status::not_found(target.kind, name))?;
    let current = scale_of(&stored);
    let wanted = match request.method {
        Method::GET => return Ok(answer::json(200, &current)),
        Method::PUT => body::document(request, "Scale")?,
        Method::PATCH => match verbs::read_plain_patch(request)? {
            Patch::Json(document) => patch::json(&current, &document)?,
            Patch::Merge(document) | Patch::Strategic(document) | Patch::Apply(document, _) => {
                patch::merge(&current, &document)
            }
        },
        _ => return Err(verbs::method_not_allowed()),
    };
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        return Err(negative(name, replicas));
    }
    let mut change = json!({"spec": {"replicas": replicas}});
    let version = &wanted["metadata"]["resourceVersion"];
    if *version != current["metadata"]["resourceVersion"] && version.is_string() {
        change["metadata"] = json!({"resourceVersion": version});
    }
    let place = (target.namespace(), name);
    let written = state.registry.patch_as(&verbs::writer(request)?, target.kind, place, &Patch::Merge(change))?.0;
    Ok(answer::json(200, &scale_of(&written.object)))
}

fn scale_of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": {
            "replicas": object["status"]["replicas"].as_i64().unwrap_or(0),
            "selector": selector(&object["spec"]["selector"]),
        },
    });
    if let Some(replicas) = object["spec"]["replicas"].as_i64().filter(|replicas| *replicas != 0) {
        scale["spec"]["replicas"] = replicas.into();
    }
    scale
}

/// Returns a label selector in the form of a list request's query.
fn selector(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        terms.push(match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({})", values.join(",")),
            Some("NotIn") => format!("{key} notin ({})", values.join(",")),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.sort();
    terms.join(",")
}

fn negative(name: &str, replicas: i64) -> Status {
    let cause = format!("Invalid value: {replicas}: must be greater than or equal to 0");
    let details = json!({
        "name": name, "group": "autoscaling", "kind": "Scale",
        "causes": [{"reason": "FieldValueInvalid", "message": cause, "field": "spec.replicas"}],
    });
    let message = format!("Scale.autoscaling \"{name}\" is invalid: spec.replicas: {cause}");
    Status { details, ..Status::new(422, "Invalid", message) }
}
