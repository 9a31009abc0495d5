//! `GET /health`.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use serde_json::{Value, json};

use super::Api;
use crate::statements::{Reply, Statement};

/// A database that takes longer counts as degraded.
const LATENCY_MAX: Duration = Duration::from_secs(1);

/// Queries the database, without a deadline: if the quorum is lost, this hangs.
pub async fn health(State(api): State<Api>) -> Response {
    let asked = Instant::now();
    let refused = api.health.act().await;
    let _ = api.node.run(Statement::Ping).await;
    let latency = asked.elapsed();
    let healthy = latency <= LATENCY_MAX && !refused;
    let quorum = if api.node.config.quorum_block { api.node.run(Statement::Quorum).await } else { Reply::Pong };
    let (status, code) =
        if healthy { ("healthy", StatusCode::OK) } else { ("degraded", StatusCode::SERVICE_UNAVAILABLE) };
    let uptime = api.node.started.elapsed();
    (code, Json(body(status, uptime, latency, &quorum))).into_response()
}

fn body(status: &str, uptime: Duration, latency: Duration, quorum: &Reply) -> Value {
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    let uptime_ns = u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX);
    let mut checks = json!({ "database": { "status": status, "latency_ms": latency_ms } });
    if let Reply::Quorum(quorum) = quorum {
        checks["cluster"] = json!({ "quorum": quorum });
    }
    json!({ "status": status, "uptime": uptime_ns, "checks": checks })
}
