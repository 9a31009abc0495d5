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

use crate::host::Host;
use crate::reach::Reach;
use crate::read_back::{ReadBack, elapsed_ns};
use crate::request::Request;
use crate::target;
use crate::team::{CompletedOperation, Task, Team};
use crate::template::{Fill, Secrets};

/// The port on which the program listens.
pub const PORT: u16 = 7070;

/// A message from the harness.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRequest {
    /// Starts writing and reading; sent once.
    Begin {
        /// The task.
        task: Box<Task>,
        /// The host to use.
        through: String,
    },
    /// Asks for the team's time.
    Clock,
    /// Sends a request.
    Ask(Box<Question>),
    /// Connects to `host:port`.
    Connect {
        /// The address.
        to: String,
        /// The time limit, in milliseconds.
        timeout_ms: u64,
    },
    /// Reads records through each replica; sent once, instead of `Begin`.
    ReadBack(Box<ReadBack>),
    /// Finishes the operations in progress and stops.
    Stop,
}

/// A single request.
#[derive(Serialize, Deserialize)]
pub struct Question {
    /// The host.
    pub host: String,
    /// The request.
    pub request: Request,
    /// Ports.
    pub reach: Reach,
    /// The values of Secrets in the request.
    pub secrets: Secrets,
    /// The time limit, in milliseconds.
    pub timeout_ms: u64,
}

/// A message from the team.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientResponse {
    /// The team's time, in nanoseconds.
    Clock(u64),
    /// The output of a success, or why there is none.
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
                (Some(ClientRequest::ReadBack(what)), Some(sender)) => {
                    for lane in what.lanes() {
                        let sender = sender.clone();
                        let sink = move |read| drop(sender.send(CompletedOperation::from(read)));
                        working.spawn(async move { lane.run(began, sink).await });
                    }
                }
                (Some(ClientRequest::Begin { .. } | ClientRequest::ReadBack(_)), None) => bail!("already started"),
                (Some(ClientRequest::Clock), unused) => {
                    sender = unused;
                    tell(&mut write, &ClientResponse::Clock(elapsed_ns(began))).await?;
                }
                (Some(ClientRequest::Ask(question)), unused) => {
                    sender = unused;
                    tell(&mut write, &ClientResponse::Answered(ask(*question).await)).await?;
                }
                (Some(ClientRequest::Connect { to, timeout_ms }), unused) => {
                    sender = unused;
                    let result = connect(&to, Duration::from_millis(timeout_ms)).await;
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

/// Starts one client with a new connection for each request, and one that keeps its connection, if it has one.
fn start(clients: &mut JoinSet<()>, team: &Arc<Team>, through: &str) {
    for (name, over) in [("service", Over::Service), ("service-kept", Over::ServiceReused)] {
        if over.is_kept() && !team.task().traffic.uses_connections() {
            continue;
        }
        let host = Host { name: through.to_owned(), reach: team.task().reach.clone() };
        clients.spawn(team.clone().work(name.to_owned(), None, over, host));
    }
}

async fn ask(question: Question) -> Result<String, String> {
    let Question { host, request, reach, secrets, timeout_ms } = question;
    let (host, timeout) = (Host { name: host, reach }, Duration::from_millis(timeout_ms));
    let fill = Fill { secrets: Some(&secrets), ..Fill::default() };
    let exchange = target::ask(&host, None, &request, fill, timeout).await;
    let response = exchange.response.map_err(|failure| failure.to_string())?;
    request.check(&response)?;
    Ok(response.text().into_owned())
}

async fn connect(to: &str, timeout: Duration) -> Result<String, String> {
    let connecting = tokio::time::timeout(timeout, TcpStream::connect(to)).await;
    let connected = connecting.map_err(|_| format!("{to}: timed out after {} ms", timeout.as_millis()))?;
    connected.map(|_| String::new()).map_err(|error| format!("{to}: {error}"))
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
