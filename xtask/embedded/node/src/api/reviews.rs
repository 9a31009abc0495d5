//! Reviews, which are evaluated and not stored: who am I, may I.

use axum::response::Response;
use serde_json::{Value, json};

use super::discovery::{REVIEWS, Review};
use super::{Caller, State, answer, authorize};
use crate::registry::rbac::{self, AccessRequest};
use crate::registry::tokens::Account;
use crate::registry::value::text;
use crate::status::Status;

/// Returns the review that a path names.
pub fn find(path: &str) -> Option<&'static Review> {
    REVIEWS.iter().find(|review| path == format!("/apis/{}/v1/{}", review.group, review.plural))
}

/// Handles a review.
pub async fn answer(state: &State, review: &Review, caller: &Caller, request: axum::extract::Request) -> Response {
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return answer::status(&Status::new(400, "BadRequest", "the body can't be read"));
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_else(|_| json!({}));
    let status = match review.kind {
        "SelfSubjectReview" => json!({ "userInfo": user(caller) }),
        "SelfSubjectRulesReview" => rules(state, caller, text(&sent["spec"], "namespace")),
        _ => json!({"allowed": may(state, caller, &sent["spec"])}),
    };
    let answered = json!({
        "kind": review.kind, "apiVersion": format!("{}/v1", review.group),
        "metadata": {"creationTimestamp": null}, "spec": sent["spec"], "status": status,
    });
    answer::json(201, &answered)
}

/// Returns whether the caller may do what a `SelfSubjectAccessReview` describes.
fn may(state: &State, caller: &Caller, spec: &Value) -> bool {
    let Caller::Account(account) = caller else { return true };
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() {
        return authorize::may_path(state, account, text(path, "verb"), text(path, "path"));
    }
    let subresource = text(resource, "subresource");
    let plural = text(resource, "resource");
    let combined = if subresource.is_empty() { plural.to_owned() } else { format!("{plural}/{subresource}") };
    let (verb, group, name) = (text(resource, "verb"), text(resource, "group"), text(resource, "name"));
    let access = AccessRequest::Resource { verb, group, resource: &combined, name };
    is_review(verb, group, plural) || state.registry.may(account, text(resource, "namespace"), &access)
}

/// Returns whether a request is a review: everybody may create these.
fn is_review(verb: &str, group: &str, plural: &str) -> bool {
    verb == "create" && REVIEWS.iter().any(|review| (review.group, review.plural) == (group, plural))
}

/// Returns what the caller may do in a namespace.
fn rules(state: &State, caller: &Caller, namespace: &str) -> Value {
    let rules = match caller {
        Caller::User => vec![
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
            json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
        ],
        Caller::Account(account) => rules_of(state, account, namespace),
    };
    let (paths, resources): (Vec<Value>, Vec<Value>) =
        rules.into_iter().partition(|rule| rule["nonResourceURLs"].is_array());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

fn rules_of(state: &State, account: &Account, namespace: &str) -> Vec<Value> {
    let mut rules = state.registry.rules_of(account, namespace);
    let review =
        |review: &Review| json!({"verbs": ["create"], "apiGroups": [review.group], "resources": [review.plural]});
    rules.extend(REVIEWS.iter().map(review));
    rules.push(authorize::discovery());
    rules
}

fn user(caller: &Caller) -> Value {
    match caller {
        Caller::User => json!({"username": "chartproof", "groups": ["system:masters", "system:authenticated"]}),
        Caller::Account(account) => json!({"username": rbac::user(account), "groups": rbac::groups(account)}),
    }
}
