//! The team inside the cluster, and its protocol with the harness: JSON lines over one connection.
//!
//! The harness may ask for the time at any time, begins once, and ends with [`ClientRequest::Stop`] or by disconnecting.
//! The team replies with its clock, and reports each completed operation, with times of its own clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use history::Connection as Over;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::Connection;
use crate::records::Request;
use crate::team::{CompletedOperation, Task, Team};
use crate::template::Fill;

/// The port on which the program listens.
pub const PORT: u16 = 7070;

/// A message from the harness.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRequest {
    /// Starts writing and reading; sent once.
    Begin {
        /// The task.
        task: Box<Task>,
        /// The address to use, `host:port`.
        through: String,
    },
    /// Asks for the team's time.
    Clock,
    /// Connects to `host:port` and sends a request, if there is one.
    Ask {
        /// The address.
        to: String,
        /// The request; without it, nothing is sent.
        request: Option<Request>,
        /// The time limit, in milliseconds.
        timeout_ms: u64,
    },
    /// Finishes the operations in progress and stops.
    Stop,
}

/// A message from the team.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientResponse {
    /// The team's time, in nanoseconds.
    Clock(u64),
    /// The body of the response, or why there is none.
    Answered(Result<String, String>),
    /// An operation ended.
    CompletedOperation(Box<CompletedOperation>),
    /// All operations have ended; this is the last message.
    Ended,
}

/// Serves one harness until it sends a stop or disconnects.
///
/// # Errors
/// If the harness sends a malformed message.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Send) -> anyhow::Result<()> {
    let began = Instant::now();
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    let stop = CancellationToken::new();
    // However this connection ends, its clients stop.
    let _stopped = stop.clone().drop_guard();
    let (sender, mut done) = mpsc::unbounded_channel();
    let mut sender = Some(sender);
    let mut working = JoinSet::new();
    loop {
        tokio::select! {
            said = next(&mut lines) => match (said?, sender.take()) {
                (Some(ClientRequest::Begin { task, through }), Some(sender)) => {
                    // A missing receiver is no error: the team is being stopped.
                    let sink = move |ended| drop(sender.send(ended));
                    start(&mut working, &Team::new(*task, began, stop.clone(), sink), &through);
                }
                (Some(ClientRequest::Begin { .. }), None) => bail!("already started"),
                (Some(ClientRequest::Clock), unused) => {
                    sender = unused;
                    tell(&mut write, &ClientResponse::Clock(elapsed_ns(began))).await?;
                }
                (Some(ClientRequest::Ask { to, request, timeout_ms }), unused) => {
                    sender = unused;
                    let result = ask(&to, request.as_ref(), Duration::from_millis(timeout_ms)).await;
                    tell(&mut write, &ClientResponse::Answered(result)).await?;
                }
                (Some(ClientRequest::Stop), _) => stop.cancel(),
                (None, _) => return Ok(()),
            },
            // The last client that ends drops the last sender.
            ended = done.recv() => match ended {
                Some(ended) => tell(&mut write, &ClientResponse::CompletedOperation(Box::new(ended))).await?,
                None => return tell(&mut write, &ClientResponse::Ended).await,
            },
        }
    }
}

/// Starts one client with a new connection for each request, and one that keeps its connection.
fn start(clients: &mut JoinSet<()>, team: &Arc<Team>, through: &str) {
    for (name, over) in [("service", Over::Service), ("service-kept", Over::ServiceReused)] {
        let (through, timeout) = (through.to_owned(), team.timeout());
        let connect = move || {
            let through = through.clone();
            async move { Connection::open(&through, timeout).await }
        };
        clients.spawn(team.clone().work(name.to_owned(), None, over, connect));
    }
}

/// Connects, and sends the request if there is one.
async fn ask(to: &str, request: Option<&Request>, timeout: Duration) -> Result<String, String> {
    let Some(request) = request else {
        let connecting = tokio::time::timeout(timeout, TcpStream::connect(to)).await;
        let connected = connecting.map_err(|_| format!("{to}: timed out after {} ms", timeout.as_millis()))?;
        return connected.map(|_| String::new()).map_err(|error| format!("{to}: {error}"));
    };
    let mut connection = Connection::open(to, timeout).await.map_err(|failure| failure.to_string())?;
    let response = connection.ask(request, Fill::default(), timeout).await.map_err(|failure| failure.to_string())?;
    let response = response.require(request.status)?;
    Ok(String::from_utf8_lossy(&response.body).into_owned())
}

/// Returns the next message; none if the other end has disconnected.
///
/// # Errors
/// If it is malformed.
pub async fn next<T: for<'de> Deserialize<'de>>(
    lines: &mut Lines<impl AsyncBufRead + Unpin>,
) -> anyhow::Result<Option<T>> {
    // A line that breaks off counts as a disconnect.
    let Ok(Some(line)) = lines.next_line().await else { return Ok(None) };
    serde_json::from_str(&line).with_context(|| format!("malformed message {line:?}")).map(Some)
}

/// Sends a message.
///
/// # Errors
/// If the other end has disconnected.
pub async fn tell(write: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    Ok(write.flush().await?)
}

/// Returns the nanoseconds since then.
fn elapsed_ns(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
