//! `GET /metrics`: Prometheus text. As in Caesium, there are no series about Raft.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Api;

/// Returns a few series about the process and the jobs.
pub async fn metrics(State(api): State<Api>) -> Response {
    let jobs = api.node.state.with_jobs(crate::jobs::Jobs::count);
    let uptime_s = api.node.started.elapsed().as_secs_f64();
    let text = format!(
        "# HELP caesium_jobs Jobs that are not deleted, in this node's state.\n\
         # TYPE caesium_jobs gauge\n\
         caesium_jobs {jobs}\n\
         # HELP caesium_uptime_seconds Time since the process started.\n\
         # TYPE caesium_uptime_seconds gauge\n\
         caesium_uptime_seconds {uptime_s:.3}\n"
    );
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
