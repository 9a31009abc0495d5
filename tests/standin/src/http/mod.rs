//! The HTTP API, open only while the node is a member of a responsive cluster.

mod health;
mod jobs;
mod metrics;
mod nodes;

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::node::Node;
use crate::serve::{self, HealthFaults, message};
use crate::shutdown::Signals;

/// What the handlers share.
#[derive(Clone)]
struct Api {
    node: Arc<Node>,
    health: HealthFaults,
}

/// Serves until SIGTERM, then drains.
pub async fn serve(node: Arc<Node>, signals: Signals) -> Result<()> {
    let (port, faults) = (node.config.port, node.config.faults.clone());
    serve::serve(port, &faults, signals, || router(node)).await
}

fn router(node: Arc<Node>) -> Router {
    let health = HealthFaults::new(&node.config.faults);
    Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/system/nodes", get(nodes::nodes))
        .route("/v1/jobs", get(jobs::list).post(jobs::create))
        .route("/v1/jobs/{id}", get(jobs::get).delete(jobs::delete))
        .fallback(|| async { message(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async { message(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") })
        .with_state(Api { node, health })
}
