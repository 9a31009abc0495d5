//! Reviews, which are evaluated and not stored: who am I, may I, may they, whose token is this.

use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Value, json};

use super::discovery::{REVIEWS, Review};
use super::request::BODY_BYTES_MAX;
use super::{State, answer, authorize, body, protobuf};
use crate::registry::rbac::AccessRequest;
use crate::registry::user::User;
use crate::registry::value::{items, text};
use crate::status::Status;

/// Returns the review that a path names, and its namespace if it has one.
pub fn find(path: &str) -> Option<(&'static Review, &str)> {
    REVIEWS.iter().find_map(|review| {
        let rest = path.strip_prefix("/apis/")?.strip_prefix(review.group)?.strip_prefix("/v1/")?;
        if !review.namespaced {
            return (rest == review.plural).then_some((review, ""));
        }
        let (namespace, plural) = rest.strip_prefix("namespaces/")?.split_once('/')?;
        (plural == review.plural).then_some((review, namespace))
    })
}

/// Handles a review.
pub async fn answer(
    state: &State,
    (review, namespace): (&Review, &str),
    caller: &User,
    request: axum::extract::Request,
) -> Response {
    match reviewed(state, (review, namespace), caller, request).await {
        Ok(answered) => answer::json(201, &answered),
        Err(status) => answer::status(&status),
    }
}

async fn reviewed(
    state: &State,
    (review, namespace): (&Review, &str),
    caller: &User,
    request: axum::extract::Request,
) -> Result<Value, Status> {
    let sent = document(request).await?;
    let access = AccessRequest::Resource { verb: "create", group: review.group, resource: review.plural, name: "" };
    if !state.registry.may(caller, namespace, &access) {
        return Err(authorize::forbidden(caller, (review.group, review.plural), "create", ("", namespace)));
    }
    let spec = &sent["spec"];
    let status = match review.kind {
        "SelfSubjectReview" => json!({ "userInfo": caller.to_json() }),
        "SelfSubjectRulesReview" => rules(state, caller, text(spec, "namespace")),
        "SelfSubjectAccessReview" => access_status(state, caller, spec)?,
        "TokenReview" => whose(state, spec)?,
        _ => {
            check_namespace(review, spec, namespace)?;
            access_status(state, &subject(review, spec)?, spec)?
        }
    };
    let mut metadata = json!({"creationTimestamp": null});
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    Ok(json!({
        "kind": review.kind, "apiVersion": format!("{}/v1", review.group),
        "metadata": metadata, "spec": spec, "status": status,
    }))
}

async fn document(request: axum::extract::Request) -> Result<Value, Status> {
    let is_protobuf = request.headers().get(CONTENT_TYPE).is_some_and(|sent| sent == protobuf::MEDIA_TYPE);
    let read = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let read = read.map_err(|_| body::bad("the body can't be read"))?;
    if is_protobuf {
        return protobuf::read(&read).map_err(body::bad);
    }
    serde_json::from_slice(&read).map_err(|error| body::bad(format!("the body is not JSON: {error}")))
}

/// Returns the user that a `SubjectAccessReview` is about.
fn subject(review: &Review, spec: &Value) -> Result<User, Status> {
    let groups: Vec<String> = items(spec, "groups").filter_map(Value::as_str).map(str::to_owned).collect();
    let name = text(spec, "user").to_owned();
    if name.is_empty() && groups.is_empty() {
        return Err(invalid(review, "spec.user", "at least one of user or group must be specified"));
    }
    Ok(User { name, groups, ..User::default() })
}

/// Rejects a `LocalSubjectAccessReview` of another namespace.
fn check_namespace(review: &Review, spec: &Value, namespace: &str) -> Result<(), Status> {
    if !review.namespaced || text(&spec["resourceAttributes"], "namespace") == namespace {
        return Ok(());
    }
    Err(invalid(review, "spec.resourceAttributes.namespace", "must match metadata.namespace"))
}

fn invalid(review: &Review, field: &str, why: &str) -> Status {
    let (kind, group) = (review.kind, review.group);
    let causes = json!([{"reason": "FieldValueInvalid", "message": format!("Invalid value: {why}"), "field": field}]);
    let details = json!({"group": group, "kind": kind, "causes": causes});
    let message = format!("{kind}.{group} \"\" is invalid: {field}: Invalid value: {why}");
    Status { details, ..Status::new(422, "Invalid", message) }
}

/// Returns whether a user may do what an access review describes.
fn access_status(state: &State, user: &User, spec: &Value) -> Result<Value, Status> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() == path.is_null() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        return Err(body::bad(format!("spec.resourceAttributes: {why}")));
    }
    if resource.is_null() {
        return Ok(json!({"allowed": authorize::may_path(state, user, text(path, "verb"), text(path, "path"))}));
    }
    let (plural, subresource) = (text(resource, "resource"), text(resource, "subresource"));
    let combined = if subresource.is_empty() { plural.to_owned() } else { format!("{plural}/{subresource}") };
    let (verb, group, name) = (text(resource, "verb"), text(resource, "group"), text(resource, "name"));
    let access = AccessRequest::Resource { verb, group, resource: &combined, name };
    Ok(json!({"allowed": state.registry.may(user, text(resource, "namespace"), &access)}))
}

/// Returns what the caller may do in a namespace.
fn rules(state: &State, caller: &User, namespace: &str) -> Value {
    let rules = state.registry.rules_of(caller, namespace);
    let (paths, resources): (Vec<Value>, Vec<Value>) =
        rules.into_iter().partition(|rule| rule["nonResourceURLs"].is_array());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

/// Returns whose token a `TokenReview` contains, and for which of its audiences it is valid.
fn whose(state: &State, spec: &Value) -> Result<Value, Status> {
    let token = text(spec, "token");
    if token.is_empty() {
        return Err(body::bad("token is required for TokenReview in authentication"));
    }
    let audiences: Vec<String> = items(spec, "audiences").filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(match state.identity.authenticate(&state.registry, token, &audiences) {
        Ok((user, valid)) => json!({"authenticated": true, "user": user.to_json(), "audiences": valid}),
        Err(why) => json!({"user": {}, "error": why}),
    })
}
