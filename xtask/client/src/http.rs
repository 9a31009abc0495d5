//! One HTTP connection, and what is known about a request without a response.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::records::Request;
use crate::template::Fill;

/// How much later than the end of a stream its reason may arrive.
const REASON_WITHIN: Duration = Duration::from_millis(50);

/// A response with any status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request was never sent: it had no effect.
    NotSent(String),
    /// The request was sent, and no response arrived in time: it may have had an effect.
    TimedOut(String),
    /// The request was sent, and the connection ended without a response: it may have had an effect.
    Unanswered(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) | Self::TimedOut(why) | Self::Unanswered(why) => f.write_str(why),
        }
    }
}

/// One connection to a pod or a Service.
pub struct Connection {
    to: String,
    peer: String,
    sender: SendRequest<Full<Bytes>>,
    refused: watch::Receiver<Option<String>>,
    _held: Box<dyn Send + Sync>,
}

impl Connection {
    /// Opens an HTTP connection over a stream to `to`. `refused` receives the reason if the other end never accepts the
    /// stream; `held` lives as long as the connection.
    ///
    /// # Errors
    /// If the stream is already closed.
    pub async fn over(
        to: &str,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        refused: watch::Receiver<Option<String>>,
        held: Box<dyn Send + Sync>,
    ) -> Result<Self, String> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(Self { to: to.to_owned(), peer: to.to_owned(), sender, refused, _held: held })
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// If the connection is not accepted in time: nothing was sent.
    pub async fn open(to: &str, timeout: Duration) -> Result<Self, Failure> {
        let not_sent = |why: String| Failure::NotSent(format!("connecting to {to}: {why}"));
        let stream = match tokio::time::timeout(timeout, TcpStream::connect(to)).await {
            Ok(stream) => stream.map_err(|error| not_sent(error.to_string()))?,
            Err(_) => return Err(not_sent(format!("timed out after {} ms", timeout.as_millis()))),
        };
        stream.set_nodelay(true).map_err(|error| not_sent(error.to_string()))?;
        let peer = stream.peer_addr().map_or_else(|_| to.to_owned(), |address| address.to_string());
        let (_, never) = watch::channel(None);
        let connection = Self::over(to, stream, never, Box::new(())).await.map_err(not_sent)?;
        Ok(Self { peer, ..connection })
    }

    /// Returns the address or the pod to which it is connected.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns whether another request can be sent.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed() && self.refused.borrow().is_none()
    }

    /// Sends one request and reads the complete response.
    ///
    /// # Errors
    /// If no response arrives in time.
    pub async fn ask(&mut self, request: &Request, fill: Fill<'_>, timeout: Duration) -> Result<Response, Failure> {
        let line = format!("{} {} of {}", request.method, request.path.fill(fill), self.to);
        let http = build(request, fill).map_err(|why| Failure::NotSent(format!("{line}: {why}")))?;
        self.sender.ready().await.map_err(|error| Failure::NotSent(format!("{line}: {error}")))?;
        match tokio::time::timeout(timeout, self.exchange(http)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(why)) => Err(self.failure(&line, &why).await),
            Err(_) => Err(Failure::TimedOut(format!("{line}: no response within {} ms", timeout.as_millis()))),
        }
    }

    async fn exchange(&mut self, request: hyper::Request<Full<Bytes>>) -> Result<Response, String> {
        let response = self.sender.send_request(request).await.map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| chain(&error))?.to_bytes();
        Ok(Response { status, body })
    }

    /// Returns the kind of failure: nothing was sent if the pod's port was closed, otherwise it is unknown.
    async fn failure(&mut self, line: &str, why: &str) -> Failure {
        // The reason comes over a separate channel, possibly a little later than the end of the stream.
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
    let builder = request.headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    builder.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())
}

fn chain(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

impl Response {
    /// Returns the body as JSON.
    ///
    /// # Errors
    /// If it is not JSON, with the beginning of the body.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("{error} in the response {}", self.beginning()))
    }

    /// Returns the response if it has this status.
    ///
    /// # Errors
    /// Otherwise the status and the beginning of the body.
    pub fn require(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("status {} instead of {status}: {}", self.status, self.beginning()))
    }

    /// Returns the beginning of the body, for messages.
    pub fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        text.char_indices().nth(200).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
    }
}
