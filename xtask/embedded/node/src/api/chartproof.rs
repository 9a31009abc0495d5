//! The harness's own endpoints, beside Kubernetes' API, below `/chartproof/`.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::{State, answer};
use crate::status::Status;

/// SIGKILL.
const KILL: i32 = 9;

/// Handles `POST /chartproof/images`, `GET /chartproof/report`, `POST /chartproof/faults`, `POST /chartproof/kill`, and
/// `POST` and `DELETE /chartproof/changes`, and `POST /chartproof/packets`.
pub async fn answer(state: &State, path: &str, request: axum::extract::Request) -> Response {
    let method = request.method().clone();
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return refuse("the body can't be read");
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (method.clone(), path) {
        (Method::POST, "/chartproof/images") => match sent["archive"].as_str() {
            None => refuse("the body has to be {\"archive\": \"/path\"}"),
            Some(archive) => match (state.node.load_images)(archive.into()).await {
                Ok(references) => answer::json(200, &json!({ "images": references })),
                Err(why) => answer::status(&Status::new(422, "Invalid", why)),
            },
        },
        (Method::GET, "/chartproof/report") => answer::json(200, &report(state)),
        (Method::POST, "/chartproof/faults") => match serde_json::from_value(sent) {
            Ok(faults) => {
                state.faults.replace(faults);
                answer::json(200, &json!({}))
            }
            Err(error) => refuse(&format!("invalid faults: {error}")),
        },
        (Method::POST | Method::DELETE, "/chartproof/changes") => match serde_json::from_value(sent) {
            Ok(change) if method == Method::POST => made(state.changes.make(&change).await),
            Ok(change) => made(state.changes.undo(&change).await.map(|()| None)),
            Err(error) => refuse(&format!("invalid change: {error}")),
        },
        (Method::POST, "/chartproof/packets") => match serde_json::from_value(sent) {
            Ok(change) => answer::json(200, &json!({ "packets": state.changes.packets_hit(&change).await })),
            Err(error) => refuse(&format!("invalid change: {error}")),
        },
        // As somebody logged in to the node would: Kubernetes' own API has no such verb.
        (Method::POST, "/chartproof/kill") => match (sent["pod"].as_str(), sent["container"].as_str()) {
            (Some(uid), Some(container)) => match state.kubelet.container(uid, container) {
                Ok(running) => {
                    running.signal(KILL);
                    answer::json(200, &json!({}))
                }
                Err(status) => answer::status(&status),
            },
            _ => refuse("the body has to be {\"pod\": \"UID\", \"container\": \"NAME\"}"),
        },
        _ => answer::text(404, "404 page not found\n"),
    }
}

/// Returns the response to a change that was made, or undone, or that can't be made for a reason.
fn made(result: Result<Option<String>, Status>) -> Response {
    match result {
        Ok(not_applicable) => answer::json(200, &json!({ "notApplicable": not_applicable })),
        Err(status) => answer::status(&status),
    }
}

/// Returns the registry's and the node's parts of the report.
fn report(state: &State) -> Value {
    let mut report = state.registry.report();
    let Value::Object(node) = (state.node.report)() else { return report };
    for (field, value) in node {
        match (&mut report[&field], value) {
            (Value::Array(ours), Value::Array(nodes)) => ours.extend(nodes),
            (place, value) => *place = value,
        }
    }
    report
}

fn refuse(why: &str) -> Response {
    answer::status(&Status::new(400, "BadRequest", why))
}
