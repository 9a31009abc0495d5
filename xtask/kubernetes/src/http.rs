//! HTTP to pods, over kube's port-forward. A port-forward dies with its pod: the next request connects anew.

use std::collections::BTreeMap;
use std::time::Duration;

pub use client::http::{Connection, Failure, Response};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::sync::Mutex;

use client::records::Request;
use client::template::Fill;

/// Asks the pods of one namespace on one port.
pub struct Http {
    pods: Api<Pod>,
    port: u16,
    timeout: Duration,
    kept: Mutex<BTreeMap<String, Connection>>,
}

impl Http {
    /// A client for a port of the pods of a namespace.
    pub fn new(client: kube::Client, namespace: &str, port: u16, timeout: Duration) -> Self {
        Self { pods: Api::namespaced(client, namespace), port, timeout, kept: Mutex::default() }
    }

    /// Asks a pod, over the connection kept from the last time where it still stands.
    ///
    /// # Errors
    /// Where no answer came; whether the request left is told apart.
    pub async fn ask(&self, pod: &str, request: &Request, fill: Fill<'_>) -> Result<Response, Failure> {
        self.ask_within(pod, request, fill, self.timeout).await
    }

    /// As [`Http::ask`], with a limit of its own.
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
        let answer = connection.ask(request, fill, limit).await?;
        // One that gave another answer than the wanted one may lead elsewhere: the next request connects anew.
        if answer.status == request.status {
            self.kept.lock().await.insert(pod.to_owned(), connection);
        }
        Ok(answer)
    }

    /// Connects to a pod.
    ///
    /// # Errors
    /// Where the pod or its port can't be reached in time.
    pub async fn connect(&self, pod: &str) -> Result<Connection, Failure> {
        self.connect_within(pod, self.timeout).await
    }

    async fn connect_within(&self, pod: &str, limit: Duration) -> Result<Connection, Failure> {
        match tokio::time::timeout(limit, connect(&self.pods, pod, self.port)).await {
            Ok(connected) => connected.map_err(|why| Failure::NotSent(format!("connecting to {pod}: {why}"))),
            Err(_) => Err(Failure::NotSent(format!("connecting to {pod}: not within {} ms", limit.as_millis()))),
        }
    }

    /// After which a request is given up.
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
