//! get, create, update, patch and delete of objects.

use axum::http::Method;
use axum::http::header::USER_AGENT;
use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::selector::Selection;
use super::shape::Representation;
use super::{State, answer, body, list, watch};
use crate::kinds::Kind;
use crate::registry::{DeleteOptions, Deleted, Patch, Writer, Written};
use crate::status::Status;

/// Kinds whose deletion returns the object instead of a `Status`.
const ANSWERED_WHOLE: &[&str] =
    &["Pod", "Service", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume", "ResourceQuota"];

/// Handles a request for objects.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    match (&request.method, &request.target.name) {
        (&Method::GET, _) if request.flag("watch") => watch::answer(state, request),
        (&Method::GET, Some(name)) => get(state, request, name),
        (&Method::GET, None) => list::answer(state, request),
        // A namespaced object is created in its namespace's own collection.
        (&Method::POST, None) if !request.target.kind.namespaced || request.target.namespace.is_some() => {
            create(state, request)
        }
        (&Method::PUT, Some(_)) => update(state, request),
        (&Method::PATCH, Some(name)) => patch(state, request, name),
        (&Method::DELETE, Some(name)) => delete(state, request, name),
        (&Method::DELETE, None) => delete_collection(state, request),
        _ => Err(method_not_allowed()),
    }
}

/// Returns 405.
pub fn method_not_allowed() -> Status {
    let message = "the server does not allow this method on the requested resource";
    Status { details: json!({}), ..Status::new(405, "MethodNotAllowed", message) }
}

fn get(state: &State, request: &Request, name: &str) -> Result<Response, Status> {
    let target = &request.target;
    let stored = state.registry.store.get(target.kind.stored(), target.namespace(), name);
    let stored = stored.ok_or_else(|| Status::not_found(target.kind, name))?;
    Ok(answer::json(200, &Representation::requested(request).one(target.kind, &stored)))
}

fn create(state: &State, request: &Request) -> Result<Response, Status> {
    let body = body::object(state, request)?;
    let written = state.registry.create_as(&writer(request)?, request.target.kind, body.object)?;
    Ok(written_answer(201, request, &written, body.warnings))
}

fn update(state: &State, request: &Request) -> Result<Response, Status> {
    let body = body::object(state, request)?;
    let written = state.registry.update_as(&writer(request)?, request.target.kind, body.object)?;
    Ok(written_answer(200, request, &written, body.warnings))
}

fn patch(state: &State, request: &Request, name: &str) -> Result<Response, Status> {
    let target = &request.target;
    let (patch, warnings) = read_patch(state, request)?;
    let place = (target.namespace(), name);
    let (written, is_new) = state.registry.patch_as(&writer(request)?, target.kind, place, &patch)?;
    Ok(written_answer(if is_new { 201 } else { 200 }, request, &written, warnings))
}

/// Reads the patch of a request.
fn read_patch(state: &State, request: &Request) -> Result<(Patch, Vec<String>), Status> {
    match request.content_type() {
        "application/apply-patch+yaml" => apply(state, request),
        _ => read_plain_patch(request).map(|patch| (patch, Vec::new())),
    }
}

/// Reads a patch that is not an apply.
pub fn read_plain_patch(request: &Request) -> Result<Patch, Status> {
    let parsed = || serde_json::from_slice::<Value>(&request.body).map_err(|error| body::bad(error.to_string()));
    match request.content_type() {
        "application/json-patch+json" => Ok(Patch::Json(parsed()?)),
        "application/merge-patch+json" => Ok(Patch::Merge(parsed()?)),
        "application/strategic-merge-patch+json" => Ok(Patch::Strategic(parsed()?)),
        _ => Err(body::unsupported(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, \
             application/strategic-merge-patch+json",
        )),
    }
}

/// Reads a server-side apply: it needs a manager, and it must fit its type.
fn apply(state: &State, request: &Request) -> Result<(Patch, Vec<String>), Status> {
    let kind = request.target.kind;
    if request.parameter("fieldManager").is_none_or(str::is_empty) {
        return Err(no_manager());
    }
    let mut document = body::yaml(&request.body)?;
    if document["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(body::bad("metadata.managedFields must be nil"));
    }
    let ty = state.registry.type_of(kind).ok_or_else(|| Status::not_found(kind, ""))?;
    let name = request.target.name.clone().unwrap_or_default();
    crate::registry::check_applied(ty.root(), &document).map_err(|why| {
        let place = if kind.namespaced { format!("{}/{name}", request.target.namespace()) } else { format!("/{name}") };
        let identity = format!("{}, Kind={}", group_version(kind), kind.kind);
        Status::new(500, "", format!("failed to create typed patch object ({place}; {identity}): {why}"))
    })?;
    if document.get("apiVersion").is_none() {
        document["apiVersion"] = kind.api_version().into();
    }
    let typed = body::typed(state, request, document)?;
    let mut object = typed.object;
    object["metadata"]["name"] = name.into();
    if let Some(namespace) = &request.target.namespace {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    Ok((Patch::Apply(object, request.flag("force")), typed.warnings))
}

fn group_version(kind: &Kind) -> String {
    if kind.group.is_empty() { format!("/{}", kind.version) } else { kind.api_version() }
}

fn no_manager() -> Status {
    let cause = "Required value: is required for apply patch";
    let details = json!({
        "group": "meta.k8s.io", "kind": "PatchOptions",
        "causes": [{"reason": "FieldValueRequired", "message": cause, "field": "fieldManager"}],
    });
    let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: {cause}");
    Status { details, ..Status::new(422, "Invalid", message) }
}

/// Returns the writer that a request names.
pub fn writer(request: &Request) -> Result<Writer, Status> {
    let agent = request.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let agent = agent.split('/').next().unwrap_or_default();
    let manager = request.parameter("fieldManager").filter(|manager| !manager.is_empty()).unwrap_or(agent);
    Ok(Writer {
        manager: manager.to_owned(),
        is_internal: false,
        user: Some(request.caller.clone()),
        dry_run: dry_run(request.parameter("dryRun"))?,
        subresource: request.target.subresource.clone().unwrap_or_default(),
        unknown_fields: body::unknown_fields(request),
    })
}

fn dry_run(sent: Option<&str>) -> Result<bool, Status> {
    match sent {
        None | Some("") => Ok(false),
        Some("All") => Ok(true),
        Some(other) => Err(Status::new(
            422,
            "Invalid",
            format!(" \"\" is invalid: dryRun: Unsupported value: [\"{other}\"]: supported values: \"All\""),
        )),
    }
}

fn delete(state: &State, request: &Request, name: &str) -> Result<Response, Status> {
    let target = &request.target;
    let deleted = state.registry.delete(target.kind, target.namespace(), name, &delete_options(request)?)?;
    Ok(deleted_answer(request, name, &deleted))
}

fn deleted_answer(request: &Request, name: &str, deleted: &Deleted) -> Response {
    let kind = request.target.kind;
    if !deleted.gone || ANSWERED_WHOLE.contains(&kind.built_in()) {
        return answer::json(200, &Representation::whole(request).one(kind, &deleted.object));
    }
    let mut details = json!({"name": name});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    details["kind"] = kind.plural.into();
    details["uid"] = deleted.object["metadata"]["uid"].clone();
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    answer::json(200, &status)
}

fn delete_collection(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    let options = delete_options(request)?;
    let selection = Selection::requested(request, request.parameter("fieldSelector"))?;
    let (objects, resource_version) = state.registry.store.list(target.kind, target.namespace.as_deref());
    let selected: Vec<_> = objects.into_iter().filter(|object| selection.matches(object)).collect();
    for object in &selected {
        let (namespace, name) = crate::store::key(object);
        match state.registry.delete(target.kind, &namespace, &name, &options) {
            Err(status) if status.code == 404 => {}
            outcome => drop(outcome?),
        }
    }
    let list = json!({"resourceVersion": resource_version.to_string()});
    Ok(answer::json(200, &Representation::whole(request).list(target.kind, selected.iter().map(AsRef::as_ref), &list)))
}

/// Reads `DeleteOptions`, which come in the body, in the query, or both.
fn delete_options(request: &Request) -> Result<DeleteOptions, Status> {
    let sent = if request.body.is_empty() { json!({}) } else { body::document(request, "DeleteOptions")? };
    let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let seconds = request.parameter("gracePeriodSeconds").and_then(|text| text.parse().ok());
    let orphan = |orphan: bool| (if orphan { "Orphan" } else { "Background" }).to_owned();
    let listed = sent["dryRun"].as_array().and_then(|listed| listed.first()).and_then(Value::as_str);
    Ok(DeleteOptions {
        grace_period_seconds: sent["gracePeriodSeconds"].as_i64().or(seconds),
        propagation_policy: text("/propagationPolicy")
            .or_else(|| request.parameter("propagationPolicy").map(str::to_owned))
            .or_else(|| sent["orphanDependents"].as_bool().map(orphan)),
        precondition_uid: text("/preconditions/uid"),
        precondition_resource_version: text("/preconditions/resourceVersion"),
        dry_run: dry_run(listed.or(request.parameter("dryRun")))?,
    })
}

/// Returns a written object, with warnings for the client.
pub fn written_answer(code: u16, request: &Request, written: &Written, mut warnings: Vec<String>) -> Response {
    warnings.extend(written.warnings.iter().cloned());
    let object = Representation::requested(request).one(request.target.kind, &written.object);
    let mut response = answer::json(code, &object);
    for warning in warnings {
        answer::warn(&mut response, &warning);
    }
    response
}
