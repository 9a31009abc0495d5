//! An API server without a node, and a client of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(missing_docs, reason = "the tests are their own documentation")]
#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use node::api::{Identity, NodeHooks, State, serve};
use node::client::Client;
use node::controllers::{self, bootstrap};
use node::faults::PlantedFaults;
use node::kubelet;
use node::node_changes::NodeChanges;
use node::registry::Registry;
use reqwest::{Certificate, Method, RequestBuilder, Response};
use serde_json::Value;

/// A running API server; it ends with the test's runtime.
pub struct Api {
    pub address: SocketAddr,
    pub registry: Arc<Registry>,
    pub faults: PlantedFaults,
    identity: Arc<Identity>,
    http: reqwest::Client,
}

impl Api {
    /// Starts an API server with the objects of a new cluster.
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        let registry = Registry::new();
        let client = Client::new(registry.clone(), "kube-controller-manager");
        bootstrap::run(&client).unwrap();
        tokio::spawn(controllers::run_of_api(client));
        let faults = PlantedFaults::default();
        let kubelet = kubelet::Handle::new(Path::new("/nonexistent"));
        let state = State {
            registry: registry.clone(),
            changes: NodeChanges::new(&kubelet),
            kubelet,
            identity: identity.clone(),
            faults: faults.clone(),
            node: NodeHooks::none(),
        };
        tokio::spawn(async move { serve(listener, state).await.unwrap() });
        let ca = Certificate::from_pem(identity.ca_pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let api = Self { address, registry, faults, identity, http };
        api.give_account("default");
        api
    }

    /// Creates a namespace's service account: no controller runs beside the API, and pods are rejected without it.
    pub fn give_account(&self, namespace: &str) {
        let account = serde_json::json!({ "metadata": { "name": "default", "namespace": namespace } });
        let account: ServiceAccount = serde_json::from_value(account).unwrap();
        Client::new(self.registry.clone(), "kube-controller-manager").create(&account).unwrap();
    }

    /// Writes a kubeconfig into a directory.
    pub fn kubeconfig(&self, directory: &Path) -> PathBuf {
        let path = directory.join("kubeconfig");
        self.identity.write_kubeconfig(self.address, &path).unwrap();
        path
    }

    /// Returns a request with the token.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = format!("https://{}{path}", self.address);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, url).bearer_auth(self.identity.token())
    }

    /// Returns a client that trusts the server, for requests with other tokens.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Returns a request without the token.
    pub fn anonymous(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("https://{}{path}", self.address))
    }

    /// Returns the certificate that signed its own, PEM.
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// Returns the header with the token.
    pub fn authorization(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.identity.token())
    }

    /// Sends a request; returns the code and the document of the response.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        document(request.send().await.unwrap()).await
    }

    /// Sends a patch of a given type: `merge`, `strategic-merge`, `json`.
    pub async fn patch(&self, path: &str, sort: &str, body: &Value) -> (u16, Value) {
        let media_type = if sort == "apply" {
            "application/apply-patch+yaml".into()
        } else {
            format!("application/{sort}-patch+json")
        };
        let request = self.request("PATCH", path).header("content-type", media_type).body(body.to_string());
        document(request.send().await.unwrap()).await
    }

    /// Creates an object, which has to be accepted.
    pub async fn create(&self, path: &str, object: &Value) -> Value {
        let (code, answer) = self.call("POST", path, Some(object)).await;
        assert_eq!(code, 201, "{answer}");
        answer
    }
}

/// Returns code and document of a response.
pub async fn document(response: Response) -> (u16, Value) {
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or_else(|_| serde_json::json!({ "raw": text })))
}
