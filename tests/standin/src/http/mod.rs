//! The HTTP API, open only while the node is a member of a cluster that answers.

mod health;
mod jobs;
mod metrics;
mod nodes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::faults::Fault;
use crate::log;
use crate::node::Node;
use crate::shutdown::Signals;

/// How long open requests may take after SIGTERM.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What the handlers share.
#[derive(Clone)]
struct Api {
    node: Arc<Node>,
    opened: Instant,
}

/// Serves until SIGTERM, then drains.
pub async fn serve(node: Arc<Node>, mut signals: Signals) -> Result<()> {
    if let Some(address) = open_when_due(&node, &mut signals).await? {
        let listener = TcpListener::bind(address).await.with_context(|| format!("http can't listen on {address}"))?;
        log::info(format_args!("http listening on {}", listener.local_addr()?));
        drain(listener, node, signals).await?;
    }
    log::info("ended");
    Ok(())
}

/// Where to listen, once no planted fault forbids it; none if SIGTERM came first.
async fn open_when_due(node: &Node, signals: &mut Signals) -> Result<Option<SocketAddr>> {
    let faults = &node.config.faults;
    let delay = async {
        if faults.has(Fault::NeverReady) {
            log::warn("fault never-ready: http stays closed");
            std::future::pending::<()>().await;
        }
        let after = faults.after(Fault::SlowStart).unwrap_or_default();
        tokio::time::sleep(after).await;
    };
    tokio::select! {
        () = delay => Ok(Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port(&node.config)?)))),
        () = signals.terminate() => Ok(None),
    }
}

fn port(config: &Config) -> Result<u16> {
    match config.faults.count(Fault::WrongPort) {
        None => Ok(config.port),
        Some(0) => config.port.checked_add(1).context("fault wrong-port: there is no port after this one"),
        Some(port) => u16::try_from(port).context("fault wrong-port"),
    }
}

async fn drain(listener: TcpListener, node: Arc<Node>, mut signals: Signals) -> Result<()> {
    let (asked, mut drain) = tokio::sync::watch::channel(false);
    let graceful = async move {
        signals.terminate().await;
        let _ = asked.send(true);
    };
    let served = axum::serve(listener, router(node)).with_graceful_shutdown(graceful);
    let overdue = async {
        let _ = drain.wait_for(|asked| *asked).await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        result = served => result.context("http"),
        () = overdue => {
            log::warn(format_args!("http not drained after {DRAIN_MAX:?}"));
            Ok(())
        }
    }
}

fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/system/nodes", get(nodes::nodes))
        .route("/v1/jobs", get(jobs::list).post(jobs::create))
        .route("/v1/jobs/{id}", get(jobs::get).delete(jobs::delete))
        .fallback(|| async { message(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async { message(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") })
        .with_state(Api { node, opened: Instant::now() })
}

/// An answer that is only a message.
fn message(status: StatusCode, text: impl Into<String>) -> Response {
    (status, Json(json!({ "message": text.into() }))).into_response()
}
