//! A client of the cluster's API: plain requests and watches.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Method};
use serde_json::Value;
use tokio::sync::mpsc;

/// A client of one cluster.
pub struct Client {
    server: String,
    token: String,
    http: reqwest::Client,
}

impl Client {
    /// Returns the client for a kubeconfig.
    pub fn new(kubeconfig: &Path) -> Arc<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config: Value = serde_saphyr::from_str(&std::fs::read_to_string(kubeconfig).unwrap()).unwrap();
        let cluster = &config["clusters"][0]["cluster"];
        let ca = STANDARD.decode(cluster["certificate-authority-data"].as_str().unwrap()).unwrap();
        let ca = Certificate::from_pem(&ca).unwrap();
        Arc::new(Self {
            server: cluster["server"].as_str().unwrap().to_owned(),
            token: config["users"][0]["user"]["token"].as_str().unwrap().to_owned(),
            http: reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap(),
        })
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token)
    }

    /// Sends a request; a patch is a merge patch or, for pod templates with containers, a strategic one.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let sort = if method == "PATCH" { "application/strategic-merge-patch+json" } else { "application/json" };
        let request = self.request(method, path).header("content-type", sort);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Opens a watch of a collection, from its beginning.
    pub async fn watch(&self, path: &str) -> reqwest::Response {
        let path = format!("{path}?watch=true&resourceVersion=0&timeoutSeconds=600");
        self.request("GET", &path).send().await.unwrap()
    }
}

/// Passes the events of a watch on, until the receiver is dropped.
pub async fn follow(mut answer: reqwest::Response, events: mpsc::UnboundedSender<Value>) {
    let mut pending = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        pending.extend_from_slice(&chunk);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            if events.send(serde_json::from_slice(&line).unwrap()).is_err() {
                return;
            }
        }
    }
}
