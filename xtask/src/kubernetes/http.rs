//! HTTP to pods, over kube's port-forward. A port-forward dies with its pod: the next request connects anew.

use std::collections::BTreeMap;
use std::time::Duration;

pub use client::http::{Answer, Connection, Failure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::sync::Mutex;

use crate::suite::Request;
use crate::suite::template::Fill;

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
    pub async fn ask(&self, pod: &str, request: &Request, fill: Fill<'_>) -> Result<Answer, Failure> {
        let kept = self.kept.lock().await.remove(pod).filter(Connection::is_open);
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(pod).await?,
        };
        let answer = connection.ask(request, fill, self.timeout).await?;
        self.kept.lock().await.insert(pod.to_owned(), connection);
        Ok(answer)
    }

    /// Connects to a pod.
    ///
    /// # Errors
    /// Where the pod or its port can't be reached in time.
    pub async fn connect(&self, pod: &str) -> Result<Connection, Failure> {
        let connecting = connect(&self.pods, pod, self.port);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(connected) => connected.map_err(|why| Failure::NotSent(format!("connecting to {pod}: {why}"))),
            Err(_) => Err(Failure::NotSent(format!("connecting to {pod}: not within {} ms", self.timeout.as_millis()))),
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
