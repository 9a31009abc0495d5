//! Questions that are answered and stored nowhere: who am I, may I. The one user may do all.

use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::discovery::{REVIEWS, Review};
use crate::status::Status;

/// The review that a path asks for.
pub fn find(path: &str) -> Option<&'static Review> {
    REVIEWS.iter().find(|review| path == format!("/apis/{}/v1/{}", review.group, review.plural))
}

/// Answers a question.
pub async fn answer(review: &Review, request: axum::extract::Request) -> Response {
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return answer::status(&Status::new(400, "BadRequest", "the body can't be read"));
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_else(|_| json!({}));
    let status = match review.kind {
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": "chartproof", "groups": ["system:masters", "system:authenticated"]}})
        }
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
