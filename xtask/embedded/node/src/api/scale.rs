//! `scale` of workloads: `autoscaling/v1` `Scale`, read and written.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer, body, verbs};
use crate::registry::custom::ScalePaths;
use crate::registry::custom::json_path::JsonPath;
use crate::registry::{Patch, patch};
use crate::status::Status;

/// Handles a request for the scale of an object.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let name = target.name.as_deref().unwrap_or_default();
    let stored = state.registry.get(target.kind, target.namespace(), name);
    let stored = stored.ok_or_else(|| Status::not_found(target.kind, name))?;
    let custom = request.custom.as_ref().and_then(|version| version.scale.as_ref());
    let current = scale_of(&stored, custom)?;
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
    let mut change = match custom {
        Some(paths) => at(&paths.spec, replicas.into()),
        None => json!({"spec": {"replicas": replicas}}),
    };
    let version = &wanted["metadata"]["resourceVersion"];
    if *version != current["metadata"]["resourceVersion"] && version.is_string() {
        change["metadata"] = json!({"resourceVersion": version});
    }
    let place = (target.namespace(), name);
    let written = state.registry.patch_as(&verbs::writer(request)?, target.kind, place, &Patch::Merge(change))?.0;
    Ok(answer::json(200, &scale_of(&written.object, custom)?))
}

/// Returns a document with only a value, at a path of fields.
fn at(path: &JsonPath, value: Value) -> Value {
    let fields = path.fields().unwrap_or_default();
    fields.into_iter().rev().fold(value, |below, field| json!({ field: below }))
}

fn scale_of(object: &Value, custom: Option<&ScalePaths>) -> Result<Value, Status> {
    let metadata = &object["metadata"];
    let number = |path: &JsonPath| path.find(object).first().and_then(|found| found.as_i64());
    let (wanted, replicas, selector) = match custom {
        Some(paths) => {
            let chosen =
                paths.selector.as_ref().and_then(|path| path.find(object).first()?.as_str().map(str::to_owned));
            let wanted = number(&paths.spec).ok_or_else(|| missing_replicas(object))?;
            (Some(wanted), number(&paths.status), chosen.unwrap_or_default())
        }
        None => (
            object["spec"]["replicas"].as_i64(),
            object["status"]["replicas"].as_i64(),
            selector(&object["spec"]["selector"]),
        ),
    };
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": { "replicas": replicas.unwrap_or(0), "selector": selector },
    });
    if let Some(wanted) = wanted.filter(|wanted| *wanted != 0) {
        scale["spec"]["replicas"] = wanted.into();
    }
    Ok(scale)
}

/// A custom resource without a value for the replicas has no scale.
fn missing_replicas(object: &Value) -> Status {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Status::new(
        500,
        "InternalError",
        format!("Internal error occurred: the spec replicas field of {name} does not exist"),
    )
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
