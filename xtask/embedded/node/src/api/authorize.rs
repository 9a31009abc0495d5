//! Whether a caller is authorized. The kubeconfig's user may do everything; others may do what their roles allow, and
//! nothing else.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::json;

use super::path::Target;
use super::{State, request};
use crate::registry::rbac::AccessRequest;
use crate::registry::user::User;
use crate::status::Status;

/// Subresources that are opened as a WebSocket: such a `get` also needs `create`.
const CONNECTED: &[&str] = &["exec", "attach", "portforward"];

/// Rejects a request for a non-resource path unless the caller is authorized.
pub fn path(state: &State, caller: &User, method: &Method, path: &str) -> Result<(), Status> {
    let verb = method.as_str().to_lowercase();
    if may_path(state, caller, &verb, path) {
        return Ok(());
    }
    let message = format!("forbidden: User \"{}\" cannot {verb} path \"{path}\"", caller.name);
    Err(Status { details: json!({}), ..Status::new(403, "Forbidden", message) })
}

/// Returns whether a user is authorized for a non-resource path.
pub fn may_path(state: &State, user: &User, verb: &str, path: &str) -> bool {
    state.registry.may(user, "", &AccessRequest::Path { verb, path })
}

/// Rejects a request for objects unless the caller is authorized.
pub fn objects(
    state: &State,
    caller: &User,
    target: &Target,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Result<(), Status> {
    if caller.is_admin() {
        return Ok(());
    }
    let query = request::query(uri)?;
    let chosen = chosen_by_name(&query).filter(|_| target.name.is_none() && method == Method::GET);
    let name = target.name.as_deref().or(chosen).unwrap_or_default();
    for verb in verbs(state, target, method, headers, &query) {
        check(state, caller, target, verb, name)?;
    }
    Ok(())
}

/// Returns the name of the only object of a collection that a request is about, for roles with `resourceNames`.
fn chosen_by_name(query: &[(String, String)]) -> Option<&str> {
    let (_, selector) = query.iter().find(|(key, _)| key == "fieldSelector")?;
    selector.strip_prefix("metadata.name=").filter(|name| !name.contains(','))
}

/// Returns the verbs of a request, as roles name them.
fn verbs(
    state: &State,
    target: &Target,
    method: &Method,
    headers: &HeaderMap,
    query: &[(String, String)],
) -> Vec<&'static str> {
    let is_watch = query.iter().any(|(key, value)| key == "watch" && matches!(value.as_str(), "true" | "1" | ""));
    let connects = target.subresource.as_deref().is_some_and(|name| CONNECTED.contains(&name));
    let has_name = target.name.is_some();
    match method.as_str() {
        "GET" if connects => vec!["get", "create"],
        "GET" if is_watch => vec!["watch"],
        "GET" => vec![if has_name { "get" } else { "list" }],
        "POST" => vec!["create"],
        "PUT" => vec!["update"],
        "PATCH" if creates(state, target, headers) => vec!["patch", "create"],
        "PATCH" => vec!["patch"],
        "DELETE" => vec![if has_name { "delete" } else { "deletecollection" }],
        _ => vec!["get"],
    }
}

/// Returns whether an apply creates the object, which does not exist yet.
fn creates(state: &State, target: &Target, headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = target.name.as_deref().unwrap_or_default();
    sent.starts_with("application/apply-patch")
        && state.registry.store.get(target.kind.stored(), target.namespace(), name).is_none()
}

fn check(state: &State, caller: &User, target: &Target, verb: &str, name: &str) -> Result<(), Status> {
    let kind = target.kind;
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", kind.plural),
        None => kind.plural.to_owned(),
    };
    // A namespace belongs to itself.
    let namespace = if kind.built_in() == "Namespace" { name } else { target.namespace() };
    let access = AccessRequest::Resource { verb, group: kind.group, resource: &resource, name };
    if state.registry.may(caller, namespace, &access) {
        return Ok(());
    }
    Err(forbidden(caller, (kind.group, &resource), verb, (name, namespace)))
}

/// Returns 403 for a verb on a resource, `pods/log`, by its group; name and namespace may be empty.
pub fn forbidden(
    caller: &User,
    (group, resource): (&str, &str),
    verb: &str,
    (name, namespace): (&str, &str),
) -> Status {
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{namespace}\"")
    };
    let plural = resource.split('/').next().unwrap_or_default();
    let qualified = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let message = format!(
        "{qualified}{named} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {scope}",
        caller.name,
    );
    let mut details = json!({});
    for (field, value) in [("name", name), ("group", group), ("kind", plural)] {
        if !value.is_empty() {
            details[field] = value.into();
        }
    }
    Status { details, ..Status::new(403, "Forbidden", message) }
}
