//! One connection to a pod or a Service, for HTTP or lines.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::http::{self, Sender};
use crate::lines::{Lines, Stream};
use crate::reach::Reach;
use crate::request::{Kind, Protocol, Request};
use crate::response::{Failure, Response};
use crate::template::{Fill, Secrets};

/// How much later than the end of a stream its reason may arrive.
const REASON_WITHIN: Duration = Duration::from_millis(50);

/// One connection to a pod or a Service.
pub struct Connection {
    to: String,
    peer: String,
    wire: Wire,
    refused: watch::Receiver<Option<String>>,
    _held: Box<dyn Send + Sync>,
}

/// What a connection speaks.
enum Wire {
    Http(Sender),
    Lines(Lines),
}

impl Connection {
    /// Opens a connection over a stream to `to`. `refused` receives the reason if the other end never accepts the
    /// stream; `held` lives as long as the connection.
    ///
    /// # Errors
    /// If the stream is already closed, or the server is not verified.
    pub async fn over(
        to: &str,
        (stream, protocol): (impl Stream, Protocol),
        (reach, secrets): (&Reach, &Secrets),
        refused: watch::Receiver<Option<String>>,
        held: Box<dyn Send + Sync>,
    ) -> Result<Self, String> {
        let wire = match (protocol, &reach.tls) {
            (Protocol::Tcp, _) => Wire::Lines(Lines::over(stream)),
            (Protocol::Http, None) => Wire::Http(http::over(stream).await?),
            (Protocol::Http, Some(tls)) => Wire::Http(http::over(tls.connect(stream, secrets).await?).await?),
        };
        Ok(Self { to: to.to_owned(), peer: to.to_owned(), wire, refused, _held: held })
    }

    /// Connects to a host, at the port for a protocol.
    ///
    /// # Errors
    /// If the connection is not accepted in time: nothing was sent.
    pub async fn open(
        host: &str,
        protocol: Protocol,
        (reach, secrets): (&Reach, &Secrets),
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let Some(port) = reach.port(protocol) else {
            return Err(Failure::NotSent(format!("{host}: no port for {protocol:?}")));
        };
        let to = format!("{host}:{}", port.number);
        let connecting = async {
            let stream = TcpStream::connect(&to).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let peer = stream.peer_addr().map_or_else(|_| to.clone(), |address| address.to_string());
            let (_, never) = watch::channel(None);
            let connection = Self::over(&to, (stream, protocol), (reach, secrets), never, Box::new(())).await?;
            Ok::<_, String>(Self { peer, ..connection })
        };
        let connected = tokio::time::timeout(timeout, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(format!("timed out after {} ms", timeout.as_millis())));
        connected.map_err(|why| Failure::NotSent(format!("connecting to {to}: {why}")))
    }

    /// Returns the address or the pod to which it is connected.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the connection if another request with this protocol can be sent over it.
    pub fn reusable(mut self, protocol: Protocol) -> Option<Self> {
        let is_open = match (&mut self.wire, protocol) {
            (Wire::Http(sender), Protocol::Http) => !sender.is_closed(),
            (Wire::Lines(lines), Protocol::Tcp) => lines.is_quiet(),
            _ => false,
        };
        Some(self).filter(|connection| is_open && connection.refused.borrow().is_none())
    }

    /// Sends one request and reads the complete response.
    ///
    /// # Errors
    /// If no response arrives in time.
    pub async fn ask(&mut self, request: &Request, fill: Fill<'_>, timeout: Duration) -> Result<Response, Failure> {
        let line = format!("{} of {}", request.shown(fill), self.to);
        let not_sent = |why: String| Failure::NotSent(format!("{line}: {why}"));
        let exchange = async {
            match (&mut self.wire, &request.kind) {
                (Wire::Http(sender), Kind::Http(http)) => {
                    let built = http::build(http, fill).map_err(not_sent)?;
                    sender.ready().await.map_err(|error| not_sent(error.to_string()))?;
                    http::exchange(sender, built).await.map_err(Failure::Unanswered)
                }
                (Wire::Lines(lines), Kind::Tcp(send)) => {
                    lines.exchange(&send.fill(fill), request).await.map_err(Failure::Unanswered)
                }
                _ => Err(not_sent("the connection has another protocol".to_owned())),
            }
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Err(Failure::Unanswered(why))) => Err(self.failure(&line, &why).await),
            Ok(ended) => ended,
            Err(_) => Err(Failure::TimedOut(format!("{line}: no response within {} ms", timeout.as_millis()))),
        }
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
