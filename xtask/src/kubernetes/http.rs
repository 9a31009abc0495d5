//! HTTP to pods, over kube's port-forward. A port-forward dies with its pod: the next request connects anew.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::Portforwarder;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::suite::Request;
use crate::suite::template::Fill;

/// How much later than the end of a stream its reason may come.
const REASON_WITHIN: Duration = Duration::from_millis(50);

/// An answer, of whatever status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request never left: it had no effect.
    NotSent(String),
    /// The request left and no answer came: it may have had an effect.
    Unanswered(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) | Self::Unanswered(why) => f.write_str(why),
        }
    }
}

/// Asks the pods of one namespace on one port.
pub struct Http {
    pods: Api<Pod>,
    port: u16,
    timeout: Duration,
    kept: Mutex<BTreeMap<String, Connection>>,
}

/// One connection to one pod.
pub struct Connection {
    pod: String,
    sender: SendRequest<Full<Bytes>>,
    refused: tokio::sync::watch::Receiver<Option<String>>,
    // Dropping it ends the port-forward.
    _forwarder: Portforwarder,
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
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(Connection { pod: pod.to_owned(), sender, refused, _forwarder: forwarder })
}

impl Connection {
    /// Whether another request can be sent.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed() && self.refused.borrow().is_none()
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// Where no answer came in time.
    pub async fn ask(&mut self, request: &Request, fill: Fill<'_>, timeout: Duration) -> Result<Answer, Failure> {
        let line = format!("{} {} of {}", request.method, request.path.fill(fill), self.pod);
        let http = build(request, fill).map_err(|why| Failure::NotSent(format!("{line}: {why}")))?;
        self.sender.ready().await.map_err(|error| Failure::NotSent(format!("{line}: {error}")))?;
        match tokio::time::timeout(timeout, self.exchange(http)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(self.failure(&line, &why).await),
            Err(_) => Err(Failure::Unanswered(format!("{line}: no answer within {} ms", timeout.as_millis()))),
        }
    }

    async fn exchange(&mut self, request: hyper::Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = self.sender.send_request(request).await.map_err(|error| chain(&error))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| chain(&error))?.to_bytes();
        Ok(Answer { status, body })
    }

    /// Where the pod's port was closed nothing was delivered. Otherwise nobody knows.
    async fn failure(&mut self, line: &str, why: &str) -> Failure {
        // The reason comes on a channel of its own, and may come a little later than the end of the stream.
        drop(tokio::time::timeout(REASON_WITHIN, self.refused.wait_for(Option::is_some)).await);
        match self.refused.borrow().as_deref() {
            Some(reason) if reason.contains("connect") => Failure::NotSent(format!("{line}: {}", reason.trim())),
            Some(reason) => Failure::Unanswered(format!("{line}: {}", reason.trim())),
            None => Failure::Unanswered(format!("{line}: {why}")),
        }
    }
}

fn build(request: &Request, fill: Fill<'_>) -> Result<hyper::Request<Full<Bytes>>, String> {
    let body = request.body.as_ref().map(|body| body.fill(fill)).unwrap_or_default();
    let builder = hyper::Request::builder().method(request.method.as_str()).uri(request.path.fill(fill));
    let builder = builder.header("host", "chartproof").header("content-type", "application/json");
    builder.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())
}

fn chain(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is none; the text has its beginning.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("{error} in the answer {}", self.beginning()))
    }

    /// Refuses another status than the wanted one.
    ///
    /// # Errors
    /// Status and beginning of the body.
    pub fn expect(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("status {} instead of {status}: {}", self.status, self.beginning()))
    }

    /// The beginning of the body, for people.
    pub fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        text.char_indices().nth(200).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
    }
}
