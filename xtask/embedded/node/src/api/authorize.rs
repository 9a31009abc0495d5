//! Whether a caller is authorized. The kubeconfig's user may do everything; a service account may do what its roles
//! allow, what every authenticated user may do on a real cluster, and nothing else.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use super::path::Target;
use super::{Caller, State, request};
use crate::registry::rbac::{self, AccessRequest};
use crate::registry::tokens::Account;
use crate::status::Status;

/// The paths that the role `system:discovery` lets every authenticated user get.
const DISCOVERY: &[&str] =
    &["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version"];

/// Subresources that are opened as a WebSocket: such a `get` also needs `create`.
const CONNECTED: &[&str] = &["exec", "attach", "portforward"];

/// Rejects a request for a non-resource path unless the caller is authorized.
pub fn path(state: &State, caller: &Caller, method: &Method, path: &str) -> Result<(), Status> {
    let Caller::Account(account) = caller else { return Ok(()) };
    let verb = method.as_str().to_lowercase();
    if may_path(state, account, &verb, path) {
        return Ok(());
    }
    let message = format!("forbidden: User \"{}\" cannot {verb} path \"{path}\"", rbac::user(account));
    Err(Status { details: json!({}), ..Status::new(403, "Forbidden", message) })
}

/// Returns whether an account is authorized for a non-resource path.
pub fn may_path(state: &State, account: &Account, verb: &str, path: &str) -> bool {
    let access = AccessRequest::Path { verb, path };
    rbac::allows(&discovery(), &access) || state.registry.may(account, "", &access)
}

/// Returns the rule of the role `system:discovery`.
pub fn discovery() -> Value {
    json!({"verbs": ["get"], "nonResourceURLs": DISCOVERY})
}

/// Rejects a request for objects unless the caller is authorized.
pub fn objects(
    state: &State,
    caller: &Caller,
    target: &Target,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
) -> Result<(), Status> {
    let Caller::Account(account) = caller else { return Ok(()) };
    let query = request::query(uri)?;
    let chosen = chosen_by_name(&query).filter(|_| target.name.is_none() && method == Method::GET);
    let name = target.name.as_deref().or(chosen).unwrap_or_default();
    for verb in verbs(state, target, method, headers, &query) {
        check(state, account, target, verb, name)?;
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
        && state.registry.store.get(target.kind, target.namespace(), name).is_none()
}

fn check(state: &State, account: &Account, target: &Target, verb: &str, name: &str) -> Result<(), Status> {
    let kind = target.kind;
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", kind.plural),
        None => kind.plural.to_owned(),
    };
    // A namespace belongs to itself.
    let namespace = if kind.kind == "Namespace" { name } else { target.namespace() };
    let access = AccessRequest::Resource { verb, group: kind.group, resource: &resource, name };
    if state.registry.may(account, namespace, &access) {
        return Ok(());
    }
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{namespace}\"")
    };
    let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let message = format!(
        "{}{named} is forbidden: User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {scope}",
        kind.qualified_plural(),
        rbac::user(account),
        kind.group
    );
    Err(Status { details: details(target, name), ..Status::new(403, "Forbidden", message) })
}

fn details(target: &Target, name: &str) -> Value {
    let mut details = json!({});
    for (field, value) in [("name", name), ("group", target.kind.group), ("kind", target.kind.plural)] {
        if !value.is_empty() {
            details[field] = value.into();
        }
    }
    details
}
