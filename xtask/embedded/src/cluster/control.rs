//! The calls that a cluster's handle makes to its node's process, beside Kubernetes' own API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Responses are short: lists of images, a report.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What the node's process prints as soon as the API responds: one line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The kubeconfig's path.
    pub kubeconfig: std::path::PathBuf,
    /// The address on which the API listens.
    pub address: SocketAddr,
    /// The bearer token.
    pub token: String,
    /// The certificate authority, PEM.
    pub ca: String,
}

/// A way to call the node's process.
pub(super) struct Control {
    address: SocketAddr,
    token: String,
    tls: TlsConnector,
}

impl Control {
    pub(super) fn new(ready: &Ready) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ready.ca.as_bytes()).context("the cluster's certificate")?)?;
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address: ready.address, token: ready.token.clone(), tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Makes one call, which has to be answered within `timeout`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let called = tokio::time::timeout(timeout, self.exchange(method.clone(), path, body)).await;
        called
            .unwrap_or_else(|_| Err(anyhow!("no response within {timeout:?}")))
            .with_context(|| format!("{method} https://{}{path}", self.address))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let stream = TcpStream::connect(self.address).await?;
        let stream = self.tls.connect(ServerName::from(self.address.ip()), stream).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()))))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| anyhow!("the response is incomplete: {error}"))?.to_bytes();
        if !status.is_success() {
            bail!("{}", failure(&bytes).unwrap_or_else(|| status.to_string()));
        }
        serde_json::from_slice(&bytes).context("the response is not JSON")
    }
}

/// Returns the message of a `v1.Status`.
fn failure(bytes: &[u8]) -> Option<String> {
    let status: Value = serde_json::from_slice(bytes).ok()?;
    Some(status["message"].as_str()?.to_owned())
}
