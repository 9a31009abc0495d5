//! `/v1/jobs`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use crate::jobs::{Job, Outcome, now_ms};
use crate::serve::message;
use crate::statements::{Reply, Statement};

/// The body of a POST.
#[derive(Deserialize)]
struct Posted {
    alias: String,
    trigger: Value,
    #[serde(default = "no_tasks")]
    tasks: Value,
}

fn no_tasks() -> Value {
    json!([])
}

impl Posted {
    /// Checks Caesium's requirements.
    fn check(&self) -> Result<(), &'static str> {
        match () {
            () if self.alias.is_empty() => Err("alias is missing"),
            () if !self.trigger["type"].is_string() => Err("trigger.type is missing"),
            () if !self.tasks.is_array() => Err("tasks is not an array"),
            () => Ok(()),
        }
    }

    fn into_job(self) -> Job {
        let id = uuid::Uuid::new_v4().to_string();
        Job { id, alias: self.alias, trigger: self.trigger, tasks: self.tasks, created_ms: now_ms(), deleted_ms: None }
    }
}

/// `GET /v1/jobs`.
pub async fn list(State(api): State<Api>) -> Response {
    match api.node.run(Statement::List).await {
        Reply::Jobs(jobs) => Json(jobs.iter().map(Job::shown).collect::<Vec<_>>()).into_response(),
        other => failed(&other),
    }
}

/// `POST /v1/jobs`.
pub async fn create(State(api): State<Api>, body: String) -> Response {
    let posted: Posted = match serde_json::from_str(&body) {
        Ok(posted) => posted,
        Err(error) => return message(StatusCode::BAD_REQUEST, error.to_string()),
    };
    if let Err(reason) = posted.check() {
        return message(StatusCode::BAD_REQUEST, reason);
    }
    let job = posted.into_job();
    match api.node.run(Statement::Create(job.clone())).await {
        Reply::Wrote(Outcome::Done) => (StatusCode::CREATED, Json(job.shown())).into_response(),
        Reply::Wrote(_) => message(StatusCode::CONFLICT, format!("alias {:?} is or was used by a job", job.alias)),
        other => failed(&other),
    }
}

/// `GET /v1/jobs/:id`.
pub async fn get(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.node.run(Statement::Get(id.to_ascii_lowercase())).await {
        Reply::Job(Some(job)) => Json(job.shown()).into_response(),
        Reply::Job(None) => message(StatusCode::NOT_FOUND, "Not Found"),
        other => failed(&other),
    }
}

/// `DELETE /v1/jobs/:id`.
pub async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.node.run(Statement::Delete(id.to_ascii_lowercase())).await {
        Reply::Wrote(Outcome::Done) => StatusCode::ACCEPTED.into_response(),
        Reply::Wrote(_) => message(StatusCode::NOT_FOUND, "Not Found"),
        other => failed(&other),
    }
}

fn failed(reply: &Reply) -> Response {
    let reason = match reply {
        Reply::Unknown(reason) => reason.clone(),
        other => format!("unexpected reply {other:?}"),
    };
    message(StatusCode::INTERNAL_SERVER_ERROR, reason)
}
