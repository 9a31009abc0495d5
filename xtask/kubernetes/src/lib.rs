//! Access to the Kubernetes API: watches, waits, unrecoverable states, HTTP to pods, logs.
//!
//! It knows objects and when they are ready. It must not know who made the cluster, which suite is tested, or what a case
//! is.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

pub mod api_versions;
pub mod ask;
pub mod baseline;
pub mod contents;
pub mod given;
pub mod immutable;
pub mod logs;
mod node_problem;
pub mod nodes;
pub mod object_ref;
pub mod objects;
mod pause;
pub mod probe;
pub mod readiness;
mod retry;
pub mod rollout;
pub mod scope;
mod state;
pub mod unrecoverable;
pub mod wait;
pub mod watch;
mod watched;

/// How long one call to the API server may take; watches, logs and port-forwards have no such limit.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The number of queued requests; more than any run makes at once.
const BUFFERED: usize = 1024;

/// Returns a client for one context of one kubeconfig. The user's own kubeconfig is never read.
///
/// # Errors
/// If the file can't be read or has no such context.
pub async fn client(kubeconfig: &Path, context: &str) -> anyhow::Result<kube::Client> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("reading the kubeconfig {}", kubeconfig.display()))?;
    client_of(file, context).await.with_context(|| kubeconfig.display().to_string())
}

/// Returns a client for one context of a kubeconfig that has been read.
///
/// # Errors
/// If it has no such context.
pub async fn client_of(kubeconfig: Kubeconfig, context: &str) -> anyhow::Result<kube::Client> {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let names_proxy = kubeconfig.clusters.iter().flat_map(|named| &named.cluster).any(|own| own.proxy_url.is_some());
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.with_context(|| format!("context {context}"))?;
    // kube would use the machine's proxy even for a cluster on this machine: it ignores NO_PROXY.
    config.proxy_url = config.proxy_url.filter(|_| names_proxy);
    // kube would retry silently for minutes; here every wait has its own deadline and reports what it saw.
    config.default_retry = false;
    config.connect_timeout = Some(CALL_TIMEOUT);
    let plain = ClientBuilder::try_from(config).with_context(|| format!("a client for context {context}"))?;
    Ok(plain.with_layer(&BufferLayer::new(BUFFERED)).with_layer(&RetryLayer::new(retry::Retry::new()?)).build())
}

/// Makes a call to the API server, with a time limit. `what` describes it: `deleting Pod/caesium-0`.
///
/// # Errors
/// If the API server returns an error or does not respond.
pub async fn call<T>(what: &str, call: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(kube::Error::Api(status))) => Err(Refused { what: what.to_owned(), status }.into()),
        Ok(Err(error)) => Err(error).with_context(|| what.to_owned()),
        Err(_) => anyhow::bail!("{what}: the api server did not respond within {} s", CALL_TIMEOUT.as_secs()),
    }
}

/// Returns the status code with which the API server refused a call; none for other errors.
pub fn code(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Refused>().map(|refused| refused.status.code)
}

/// A call that the API server refused.
#[derive(Debug)]
pub struct Refused {
    /// The call.
    pub what: String,
    /// The response.
    pub status: Box<kube::core::Status>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: the api server refused with {}: {}", self.what, self.status.code, self.status.message)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::Json;
    use axum::http::StatusCode;
    use axum::routing::get;
    use k8s_openapi::api::core::v1::Namespace;
    use kube::Api;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    /// Gets a namespace from a server that refuses the first `times` requests with this status.
    async fn got(status: u16, times: u64) -> anyhow::Result<Namespace> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        serve(listener, status, times);
        get_from(&url).await
    }

    fn serve(listener: TcpListener, status: u16, times: u64) {
        let refused = Arc::new(AtomicU64::new(0));
        let response = move || {
            let refuses = refused.fetch_add(1, Ordering::Relaxed) < times;
            let refusal =
                json!({ "kind": "Status", "code": status, "message": "not now", "reason": "", "status": "Failure" });
            let (status, body) =
                if refuses { (status, refusal) } else { (200, json!({ "metadata": { "name": "a" } })) };
            async move { (StatusCode::from_u16(status).unwrap(), Json(body)) }
        };
        tokio::spawn(axum::serve(listener, axum::Router::new().fallback(get(response))).into_future());
    }

    async fn get_from(server: &str) -> anyhow::Result<Namespace> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("kubeconfig");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": [{ "name": "c", "cluster": { "server": server } }],
            "users": [{ "name": "u", "user": {} }],
            "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u" } }],
        });
        std::fs::write(&file, kubeconfig.to_string())?;
        let client = client(&file, "x").await?;
        call("getting Namespace/a", Api::<Namespace>::all(client).get("a")).await
    }

    #[tokio::test]
    async fn unsent_requests_are_sent_once_the_server_is_back() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        drop(taken);
        let back = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            serve(TcpListener::bind(address).await.unwrap(), 503, 1);
        };
        let url = format!("http://{address}");
        let (got, ()) = tokio::join!(get_from(&url), back);
        got.unwrap();
    }

    #[tokio::test]
    async fn temporary_refusals_are_retried_and_others_are_reported() {
        got(503, 2).await.unwrap();
        got(429, 1).await.unwrap();
        let error = got(503, 100).await.unwrap_err().to_string();
        assert_eq!(error, "getting Namespace/a: the api server refused with 503: not now");
        let error = got(403, 1).await.unwrap_err().to_string();
        assert_eq!(error, "getting Namespace/a: the api server refused with 403: not now");
    }
}
