//! Questions that are answered and stored nowhere: who am I, may I. Everybody may do all.

use axum::response::Response;
use serde_json::{Value, json};

use super::discovery::{REVIEWS, Review};
use super::{Caller, answer};
use crate::status::Status;

/// The review that a path asks for.
pub fn find(path: &str) -> Option<&'static Review> {
    REVIEWS.iter().find(|review| path == format!("/apis/{}/v1/{}", review.group, review.plural))
}

/// Answers a question.
pub async fn answer(review: &Review, caller: &Caller, request: axum::extract::Request) -> Response {
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return answer::status(&Status::new(400, "BadRequest", "the body can't be read"));
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_else(|_| json!({}));
    let status = match review.kind {
        "SelfSubjectReview" => json!({ "userInfo": user(caller) }),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false,
        }),
        _ => json!({"allowed": true}),
    };
    let answered = json!({
        "kind": review.kind, "apiVersion": format!("{}/v1", review.group),
        "metadata": {"creationTimestamp": null}, "spec": sent["spec"], "status": status,
    });
    answer::json(201, &answered)
}

fn user(caller: &Caller) -> Value {
    match caller {
        Caller::User => json!({"username": "chartproof", "groups": ["system:masters", "system:authenticated"]}),
        Caller::Account((namespace, name)) => {
            let of_namespace = format!("system:serviceaccounts:{namespace}");
            let groups = ["system:serviceaccounts", &of_namespace, "system:authenticated"];
            json!({"username": format!("system:serviceaccount:{namespace}:{name}"), "groups": groups})
        }
    }
}
