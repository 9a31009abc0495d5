//! HTTP to pods over kube's port-forward. A port-forward ends with its pod; the next request connects again.

use std::collections::BTreeMap;
use std::time::Duration;

pub use client::http::{Connection, Failure, Response};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::sync::Mutex;

use client::records::Request;
use client::template::Fill;

/// A client for one port of the pods in one namespace.
pub struct Http {
    pods: Api<Pod>,
    port: u16,
    timeout: Duration,
    kept: Mutex<BTreeMap<String, Connection>>,
}

impl Http {
    /// Returns a client for a port of the pods in a namespace.
    pub fn new(client: kube::Client, namespace: &str, port: u16, timeout: Duration) -> Self {
        Self { pods: Api::namespaced(client, namespace), port, timeout, kept: Mutex::default() }
    }

    /// Sends a request to a pod, over the previous connection if it is still open.
    ///
    /// # Errors
    /// If there is no response; the error distinguishes whether the request was sent.
    pub async fn ask(&self, pod: &str, request: &Request, fill: Fill<'_>) -> Result<Response, Failure> {
        self.ask_within(pod, request, fill, self.timeout).await
    }

    /// Like [`Http::ask`], with its own limit.
    ///
    /// # Errors
    /// As [`Http::ask`].
    pub async fn ask_within(
        &self,
        pod: &str,
        request: &Request,
        fill: Fill<'_>,
        limit: Duration,
    ) -> Result<Response, Failure> {
        let kept = self.kept.lock().await.remove(pod).filter(Connection::is_open);
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect_within(pod, limit).await?,
        };
        let response = connection.ask(request, fill, limit).await?;
        // A connection with an unexpected response may lead elsewhere, so the next request connects again.
        if response.status == request.status {
            self.kept.lock().await.insert(pod.to_owned(), connection);
        }
        Ok(response)
    }

    /// Connects to a pod.
    ///
    /// # Errors
    /// If the pod or its port can't be reached in time.
    pub async fn connect(&self, pod: &str) -> Result<Connection, Failure> {
        self.connect_within(pod, self.timeout).await
    }

    async fn connect_within(&self, pod: &str, limit: Duration) -> Result<Connection, Failure> {
        match tokio::time::timeout(limit, connect(&self.pods, pod, self.port)).await {
            Ok(connected) => connected.map_err(|why| Failure::NotSent(format!("connecting to {pod}: {why}"))),
            Err(_) => Err(Failure::NotSent(format!("connecting to {pod}: timed out after {} ms", limit.as_millis()))),
        }
    }

    /// Returns the time limit of a request.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

async fn connect(pods: &Api<Pod>, pod: &str, port: u16) -> Result<Connection, String> {
    let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| error.to_string())?;
    let stream = forwarder.take_stream(port).ok_or("the port-forward has no stream")?;
    let (tell, refused) = tokio::sync::watch::channel(None);
    if let Some(error) = forwarder.take_error(port) {
        tokio::spawn(async move {
            if let Some(why) = error.await {
                tell.send_replace(Some(why));
            }
        });
    }
    // Dropping the forwarder would end the port-forward.
    Connection::over(pod, stream, refused, Box::new(forwarder)).await
}
